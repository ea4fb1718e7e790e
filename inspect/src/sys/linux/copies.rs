//! What `watchfix` needs of the kernel: asked by calls that change nothing.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Whether descriptors can be copied at all (pidfd_getfd(2)): one that nobody has is asked for, from this very
/// program, which needs no permission but the call's own.
///
/// # Errors
/// ENOSYS before Linux 5.6; EPERM where a seccomp filter refuses the call.
pub fn copies_descriptors() -> io::Result<()> {
    // SAFETY: pidfd_open takes two integers and touches no memory.
    let own = unsafe { libc::syscall(libc::SYS_pidfd_open, std::process::id(), 0) };
    let own = super::check(own as libc::c_int)?;
    // SAFETY: the kernel returned a new descriptor that nobody else owns.
    let own = unsafe { OwnedFd::from_raw_fd(own) };
    // SAFETY: pidfd_getfd takes three integers and touches no memory.
    let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, own.as_raw_fd(), -1, 0) };
    match super::check(copy as libc::c_int) {
        Err(e) if e.raw_os_error() == Some(libc::EBADF) => Ok(()),
        answer => answer.map(drop),
    }
}

/// Whether the kernel can hand calls to a supervisor (seccomp(2), `SECCOMP_RET_USER_NOTIF`, Linux 5.0).
pub fn has_supervisors() -> bool {
    let action = libc::SECCOMP_RET_USER_NOTIF;
    let ask = libc::SECCOMP_GET_ACTION_AVAIL;
    // SAFETY: the kernel reads one u32.
    unsafe { libc::syscall(libc::SYS_seccomp, ask, 0, &raw const action) == 0 }
}

/// Whether a call that a supervisor has in hand is interrupted by deadly signals alone
/// (`SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`, Linux 5.19): without that it cannot read for who called.
pub fn lets_supervisors_read() -> bool {
    let flags =
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let (mode, none) = (
        libc::SECCOMP_SET_MODE_FILTER,
        std::ptr::null::<libc::sock_fprog>(),
    );
    // SAFETY: flags are looked at before the program, of which there is none: the kernel says EFAULT.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, none) };
    answer == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}
