//! The processes a program has started, and those they leave to it.

use super::check;
use std::io;

/// Makes this process the parent of whatever its descendants leave behind (prctl(2),
/// PR_SET_CHILD_SUBREAPER), so that a daemon stays in the tree. The starter of this program may have ignored
/// SIGCHLD, which exec keeps and which reaps children unseen: here the end of each child is wanted.
///
/// # Errors
/// EINVAL before Linux 3.4.
pub fn adopt_orphans() -> io::Result<()> {
    // SAFETY: the default disposition runs no code of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    // SAFETY: this operation takes integers only.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// A child that has ended, with its wait status (wait(2)); `None` when none has.
pub fn reap() -> Option<(u32, i32)> {
    let mut status = 0;
    // SAFETY: waitpid writes one int.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    let pid = u32::try_from(pid).ok().filter(|&pid| pid > 0)?;
    Some((pid, status))
}

/// Sends a signal to a child that has not been reaped: its PID is still its own.
pub fn signal_child(pid: u32, signal: i32) {
    if let Ok(pid) = libc::pid_t::try_from(pid)
        && pid > 0
    {
        // SAFETY: kill takes two integers. That the child may have ended by itself is not an error.
        unsafe { libc::kill(pid, signal) };
    }
}

/// The exit status a shell would give: the program's own, or 128 and the signal's number.
pub fn shell_status(status: i32) -> u8 {
    if libc::WIFSIGNALED(status) {
        // The highest signal is 64 (signal(7)).
        u8::try_from(128 + libc::WTERMSIG(status)).unwrap_or(u8::MAX)
    } else {
        u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX)
    }
}
