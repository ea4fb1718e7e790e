//! Descriptors of processes, and copies of what they have open: pidfd_open(2), pidfd_getfd(2).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `PIDFD_THREAD` (Linux 6.9, include/uapi/linux/pidfd.h).
const PIDFD_THREAD: libc::c_int = libc::O_EXCL;

/// A descriptor of process `pid` (Linux 5.3).
///
/// # Errors
/// ESRCH if there is none, EINVAL if `pid` is a thread that leads no group.
pub fn open(pid: u32) -> io::Result<OwnedFd> {
    open_with(pid, 0)
}

/// A descriptor of the thread `tid`, whose table of descriptors may be its own (Linux 6.9).
///
/// # Errors
/// ESRCH if there is none, EINVAL before Linux 6.9.
pub fn open_thread(tid: u32) -> io::Result<OwnedFd> {
    open_with(tid, PIDFD_THREAD)
}

fn open_with(pid: u32, flags: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and touches no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) };
    owned(fd)
}

/// A copy of descriptor `fd` of the process behind `pidfd`, close-on-exec (Linux 5.6).
///
/// # Errors
/// EBADF if it has no such descriptor, ESRCH if it has ended, EPERM without ptrace access
/// (PTRACE_MODE_ATTACH_REALCREDS) or where a container refuses the call.
pub fn get_fd(pidfd: BorrowedFd<'_>, fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_getfd takes three integers and touches no memory.
    let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) };
    owned(copy)
}

/// Sends the process behind `pidfd` a signal (Linux 5.1).
///
/// # Errors
/// ESRCH if it has ended, EPERM if it may not be signalled.
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: libc::c_int) -> io::Result<()> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: without a siginfo the call takes integers only.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            no_info,
            0,
        )
    };
    match sent {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether the process, or the thread, behind `pidfd` has ended. Then its number may be another's.
pub fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    // Signal 0 sends nothing.
    send_signal(pidfd, 0).is_err_and(|e| e.raw_os_error() == Some(libc::ESRCH))
}

/// Whether two threads have one table of descriptors (kcmp(2), `KCMP_FILES`).
///
/// # Errors
/// EPERM without ptrace access, ENOSYS without `CONFIG_KCMP`.
pub fn share_descriptors(a: u32, b: u32) -> io::Result<bool> {
    // include/uapi/linux/kcmp.h; libc has no name for it.
    const KCMP_FILES: libc::c_int = 2;
    // SAFETY: kcmp takes five integers and touches no memory of ours.
    match unsafe { libc::syscall(libc::SYS_kcmp, a, b, KCMP_FILES, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        order => Ok(order == 0),
    }
}

/// Whether descriptor `fd` of process `a` and of process `b` is one open file (kcmp(2), `KCMP_FILE`). Unknown is no.
pub fn share_file(a: u32, b: u32, fd: i32) -> bool {
    // include/uapi/linux/kcmp.h; libc has no name for it.
    const KCMP_FILE: libc::c_int = 0;
    // SAFETY: kcmp takes five integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_kcmp, a, b, KCMP_FILE, fd, fd) == 0 }
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(fd).unwrap_or(-1);
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    #[test]
    fn a_copied_descriptor_is_the_same_open_file() {
        let own = open(std::process::id()).unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let copy = get_fd(own.as_fd(), writer.as_raw_fd()).unwrap();
        drop(writer);
        std::fs::File::from(copy).write_all(b"x").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
    }

    #[test]
    fn a_descriptor_that_is_not_open_has_its_errno() {
        let own = open(std::process::id()).unwrap();
        let error = get_fd(own.as_fd(), 1 << 20).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    }
}
