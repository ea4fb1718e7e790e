//! Whether a process is there, its end, and our own.

use super::check;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Whether a process, zombie or thread has this PID, whoever owns it: `kill(2)` with signal 0 looks and
/// sends nothing, and hidepid (proc(5)) does not blind it.
pub fn process_exists(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return false;
    };
    // 0 would mean a group of processes.
    if pid == 0 {
        return false;
    }
    // SAFETY: kill takes two integers; signal 0 changes nothing.
    let answer = unsafe { libc::kill(pid, 0) };
    answer == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// A descriptor that can be read from once the process has ended (pidfd_open(2)).
///
/// # Errors
/// ESRCH if there is no such process, ENOSYS before Linux 5.3.
pub fn process_end(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and touches no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(fd as libc::c_int)?;
    // SAFETY: the kernel returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Stops this program as SIGSTOP does, and comes back when it is continued.
pub fn stop_here() {
    // SAFETY: raise takes an integer. SIGSTOP can be neither caught nor blocked.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Ends this program by the signal `number`, so that who waits for it sees what ended it.
pub fn end_by(number: i32) -> ! {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills the set before anything reads it. Nothing of this program runs in a
    // handler, so changing the action and the mask disturbs nobody.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), number);
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
    }
    // Not reached: the signals this is called with end a program. As a shell would tell it.
    std::process::exit(128 + number)
}
