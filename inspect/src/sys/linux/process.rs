//! Whether a process is there, its end, and our own.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

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

/// How a process ended, by such a descriptor: its wait status (wait(2)). `None` until its parent has waited for it, and
/// before Linux 6.15.
pub fn wait_status(end: BorrowedFd<'_>) -> Option<i32> {
    // PIDFD_GET_INFO and PIDFD_INFO_EXIT of include/uapi/linux/pidfd.h: struct pidfd_info, of which the first 64 bytes
    // begin with the mask and end with the status.
    const GET_INFO: libc::c_ulong = 0xc040_ff0b;
    const EXIT: u64 = 1 << 3;
    let mut info = [0u64; 8];
    info[0] = EXIT;
    // SAFETY: the call writes at most the 64 bytes that its number says, into an array of that size.
    let done = unsafe { libc::ioctl(end.as_raw_fd(), GET_INFO as _, info.as_mut_ptr()) };
    let [mask, .., last] = info;
    let bytes = last.to_ne_bytes();
    let [.., a, b, c, d] = bytes;
    (done == 0 && mask & EXIT != 0).then_some(i32::from_ne_bytes([a, b, c, d]))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::process::Command;

    #[test]
    fn a_wait_status_is_known_once_the_process_was_waited_for() {
        for (program, status) in [("true", 0), ("false", 1 << 8)] {
            let mut child = Command::new(program).spawn().unwrap();
            let end = process_end(child.id()).unwrap();
            child.wait().unwrap();
            // Not before Linux 6.15.
            assert!(wait_status(end.as_fd()).is_none_or(|found| found == status));
        }
        let own = process_end(std::process::id()).unwrap();
        assert_eq!(wait_status(own.as_fd()), None);
    }
}
