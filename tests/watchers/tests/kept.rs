//! Go under `watchfix run` where pidfd_getfd is refused, as by Docker's default seccomp profile: it makes its system calls itself,
//! and its reads are judged by copies that the supervisor keeps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use support::Victim;
use tempfile::TempDir;
use watchers::rows::static_go;

/// What Docker's default profile refuses, without CAP_SYS_PTRACE.
const DOCKER: &[&str] = &["pidfd_getfd", "kcmp", "open_by_handle_at"];

/// fsnotify on `dir` under `watchfix run`, in such a container.
fn watcher(dir: &Path, args: &[&str]) -> Option<Victim> {
    let program = match static_go() {
        Ok(program) => program,
        Err(why) => {
            support::skip(&why);
            return None;
        }
    };
    let refuse = support::root().join("launch/tests/c/refuse.c");
    let built = TempDir::new().unwrap();
    let refuse = support::compile_c("cc", &refuse, built.path(), &["-static"]).unwrap();
    let mut command = Command::new(refuse);
    command.args(DOCKER).arg("--").arg(support::watchfix());
    command.args(["run", "--"]).arg(program).args(args).arg(dir);
    support::without_rules(&mut command);
    let mut victim = Victim::spawn_group(&mut command);
    victim.line_with("READY");
    Some(victim)
}

/// The lines that an edit of `sentinel` ends, without its own.
fn heard(victim: &mut Victim, sentinel: &Path) -> Vec<String> {
    support::append(sentinel, "x");
    let name = sentinel.to_str().unwrap();
    let mut lines = victim.lines_until("the sentinel", |line| line.ends_with(name));
    lines.retain(|line| !line.ends_with(name));
    lines
}

#[test]
fn ignored_names_and_chmod_are_not_heard_and_edits_are() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["edit", "mode", "state.sqlite-wal", "sentinel"] {
        fs::write(at(name), "x").unwrap();
    }
    // What was written to just now may have been touched.
    let mode = File::options().write(true).open(at("mode")).unwrap();
    mode.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let Some(mut victim) = watcher(dir.path(), &[]) else {
        return;
    };
    for round in 0..20 {
        support::append(&at("state.sqlite-wal"), "x");
        fs::set_permissions(at("mode"), Permissions::from_mode(0o600 + round % 2)).unwrap();
        let sentinel = at("sentinel");
        assert_eq!(heard(&mut victim, &sentinel), [""; 0]);
        support::append(&at("edit"), "x");
        let lines = heard(&mut victim, &sentinel);
        let edit = format!("WRITE\t{}", at("edit").display());
        assert_eq!(lines, [edit], "{round}");
    }
    victim.signal(libc::SIGTERM);
    let (status, rest) = victim.finish();
    assert!(status.success(), "{status}");
    assert!(!rest.iter().any(|line| line.contains("ERROR")), "{rest:?}");
}

/// Each of them is an instance with a goroutine that polls it, and ends when it is closed.
#[test]
fn directories_that_come_and_go_are_followed() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("old")).unwrap();
    let Some(mut victim) = watcher(dir.path(), &["-recursive"]) else {
        return;
    };
    fs::remove_dir(at("old")).unwrap();
    fs::create_dir(at("new")).unwrap();
    let file = at("new/file");
    support::wait_until("what is below the new directory is heard", || {
        support::append(&file, "x");
        let lines = heard(&mut victim, &at("sentinel"));
        lines.iter().any(|line| line.ends_with("new/file"))
    });
    assert!(
        heard(&mut victim, &at("end"))
            .iter()
            .all(|line| !line.contains("ERROR"))
    );
}
