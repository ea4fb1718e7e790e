//! Edits made by a process of their own.
//!
//! A test that opens a file itself does not decide when it is closed: while another test of the same
//! process starts a child, that child holds a copy of the descriptor until its exec, and CLOSE_WRITE
//! comes only then.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

/// Adds `text` to an existing file: open, one write, close.
pub fn append(path: &Path, text: &str) {
    shell("printf '%s' \"$1\" >>\"$2\"", &[text.as_ref(), path]);
}

/// Adds `text` to an existing file so many times, each with an open and a close of its own.
pub fn append_times(path: &Path, text: &str, times: u32) {
    let script =
        format!("i=0; while [ $i -lt {times} ]; do printf '%s' \"$1\" >>\"$2\"; i=$((i+1)); done");
    shell(&script, &[text.as_ref(), path]);
}

/// Makes a file that holds `text`, or puts `text` in the place of what it held.
pub fn overwrite(path: &Path, text: &str) {
    shell("printf '%s' \"$1\" >\"$2\"", &[text.as_ref(), path]);
}

/// Writes `text` to `new`, renames that over `path` while it is still open, and closes it.
pub fn rename_before_close(path: &Path, new: &Path, text: &str) {
    let script = "exec 3>\"$3\"; printf '%s' \"$1\" >&3; mv \"$3\" \"$2\" 3>&-; exec 3>&-";
    shell(script, &[text.as_ref(), path, new]);
}

/// Opens an existing file for reading and writing, and closes it.
pub fn open_and_close(path: &Path) {
    shell(": 3<>\"$1\"", &[path]);
}

/// Waits until a file was last changed longer ago than the kernel's clock for files may be behind: what happens from now on
/// is later by that clock too.
pub fn wait_until_past(path: &Path) {
    let status = std::fs::metadata(path).expect("the file is there");
    let changed = Duration::new(status.ctime() as u64, status.ctime_nsec() as u32);
    while (UNIX_EPOCH + changed).elapsed().unwrap_or_default() < Duration::from_millis(40) {
        std::thread::yield_now();
    }
}

/// Copies `program` to `to`, which everybody may run. A copy that a test itself opens for
/// writing cannot be run as long as a process that another test starts has a copy of the descriptor (ETXTBSY of
/// execve(2)).
pub fn install(program: &Path, to: &Path) {
    let mut install = Command::new("install");
    let status = install.args(["-m", "755"]).args([program, to]).status();
    let status = status.expect("install starts");
    assert!(status.success(), "{}: {status}", to.display());
}

/// Puts `program` at `to`, where everybody may run it: as another link to the same file, since a program with its
/// debug information is large, and tests do this often. Where that cannot be (another file system, a umask that kept
/// others out) it is a copy. Not for a test that changes its bytes or its mode: that one takes [`install`].
pub fn share(program: &Path, to: &Path) {
    const EVERYBODY: u32 = 0o555;
    let mode = std::fs::metadata(program).map_or(0, |meta| meta.permissions().mode());
    if mode & EVERYBODY != EVERYBODY || std::fs::hard_link(program, to).is_err() {
        install(program, to);
    }
}

fn shell(script: &str, arguments: &[&Path]) {
    let status = Command::new("sh")
        .args(["-c", script, "sh"])
        .args(arguments)
        .env_remove("LD_PRELOAD")
        .status()
        .expect("sh starts");
    assert!(status.success(), "{script} {arguments:?}: {status}");
}
