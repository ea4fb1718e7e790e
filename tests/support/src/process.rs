//! How the tests start programs: as whom, and with what of the tests' own environment.

use crate::Victim;
use std::path::Path;
use std::process::Command;

/// Takes the rules, and the preload, of the user who runs the tests out of a command's environment.
pub fn without_rules(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name == "LD_PRELOAD" || name.to_string_lossy().starts_with("WATCHFIX_") {
            command.env_remove(name);
        }
    }
    command
}

/// `program` as the user `uid`, without groups and capabilities. Only root can do that.
pub fn as_user(uid: u32, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={uid}"))
        .arg(format!("--regid={uid}"))
        .arg("--clear-groups")
        .arg(program)
        // The tests' directory may be one that user must not enter.
        .current_dir("/");
    command
}

/// Starts a command and waits until it says that it is ready.
pub fn ready(command: &mut Command) -> Victim {
    let mut victim = Victim::spawn(command);
    victim.lines_until("READY", |line| line == "READY");
    victim
}

/// Whether a process is there. One that has ended and that nobody has waited for is not.
pub fn is_there(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next();
    state.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}
