//! How the tests start programs: as whom, and with what of the tests' own environment.

use crate::Victim;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
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

/// The first child that the first thread of a process started.
pub fn first_child(pid: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split(' ').next().unwrap().parse().unwrap()
}

/// Whether every process of the machine has a PID here (include/linux/proc_ns.h, `PROC_PID_INIT_INO`). In a container it
/// has not.
pub fn sees_all_pids() -> bool {
    pid_namespace(std::process::id()) == 0xEFFF_FFFC
}

/// The number of the PID namespace of a process.
pub fn pid_namespace(pid: u32) -> u64 {
    fs::metadata(format!("/proc/{pid}/ns/pid")).unwrap().ino()
}

/// A command in PID and mount namespaces of its own, to which the program is to be added.
pub fn in_pid_namespace() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command
}

/// A command in those of another process.
pub fn beside(pid: u32) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--pid", "--mount", &format!("--target={pid}")]);
    command
}

/// `root` and its descendants, as of now.
pub fn with_descendants(root: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::from([root]);
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        // Each thread has the children it started (proc(5), CONFIG_PROC_CHILDREN).
        let threads = fs::read_dir(format!("/proc/{parent}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().flat_map(str::parse) {
                if found.insert(child) {
                    parents.push(child);
                }
            }
        }
    }
    found
}

/// Whether a process is there. One that has ended and that nobody has waited for is not.
pub fn is_there(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next();
    state.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}
