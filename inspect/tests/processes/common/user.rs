//! Other users: what root's tests need to be someone else.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Takes the user `uid` for this test. One that another test has alone, or that this one wants alone, is not to be had:
/// what is counted and limited per user would be another number now and then.
pub fn claim(uid: u32, alone: bool) {
    static CLAIMED: Mutex<BTreeMap<u32, (String, bool)>> = Mutex::new(BTreeMap::new());
    // The test's name.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
    let (owner, owned) = claimed
        .entry(uid)
        .or_insert_with(|| (test.to_owned(), alone));
    assert!(
        owner == test || !(alone || *owned),
        "user {uid} is that of {owner}: another test needs another one"
    );
    *owned |= alone;
}

/// Whether a process with this PID is there, a zombie included.
pub fn pid_exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Makes `path` a directory of `uid` that everyone may look into.
pub fn give(path: &Path, uid: u32) {
    std::os::unix::fs::chown(path, Some(uid), Some(uid)).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// A program in `dir`, where everyone may run it.
pub fn share(program: &Path, dir: &Path) -> PathBuf {
    let shared = dir.join(program.file_name().unwrap());
    support::share(program, &shared);
    shared
}

/// Kills one process the test started.
pub fn kill(pid: u32) {
    // SAFETY: kill has no memory effects; the child is not reaped while the test holds its handle.
    unsafe { libc::kill(pid as i32, libc::SIGKILL) };
}

/// Whether a process waits for signals and input, in poll(2): field 1 of /proc/PID/syscall (proc_pid_syscall(5)).
pub fn waits(pid: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let number = text
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    #[cfg(target_arch = "x86_64")]
    let polls = [libc::SYS_poll, libc::SYS_ppoll];
    #[cfg(not(target_arch = "x86_64"))]
    let polls = [libc::SYS_ppoll];
    number.is_some_and(|number| polls.contains(&number))
}
