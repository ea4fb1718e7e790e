//! User namespaces: who made them (ioctl_ns(2)), and what holds inside.

use super::check;
use std::ffi::{CStr, c_int};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

// include/uapi/linux/nsfs.h
const NS_GET_PARENT: libc::Ioctl = 0xb702u32 as libc::Ioctl;
const NS_GET_OWNER_UID: libc::Ioctl = 0xb704u32 as libc::Ioctl;

/// The user namespace that `namespace` was made in.
///
/// # Errors
/// EPERM for the first one, and where that is not this program's or below it; ENOTTY before Linux 4.9.
pub fn parent_namespace(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: this operation takes no argument; it answers with a descriptor.
    let fd = check(unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_PARENT) })?;
    // SAFETY: the kernel has just made it, close-on-exec, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Who made a user namespace, by the number this program knows the user by.
///
/// # Errors
/// ENOTTY before Linux 4.11.
pub fn namespace_owner(namespace: BorrowedFd<'_>) -> io::Result<u32> {
    let mut uid: libc::uid_t = 0;
    // SAFETY: this operation writes one uid_t, which `uid` is.
    check(unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) })?;
    Ok(uid)
}

/// What `path`, a small file, says to who is in the user namespace `namespace`. A short-lived copy of this
/// program enters it and reads: nobody else can see its /proc/sys/user (kernel/ucount.c, `set_lookup`), and
/// a program with threads cannot enter one (setns(2)).
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN in it, which root and its maker have.
pub fn read_in_namespace(namespace: BorrowedFd<'_>, path: &CStr) -> io::Result<Vec<u8>> {
    let (mut from, to) = io::pipe()?;
    // Without SIGCHLD, and for who waits with __WALL alone: nobody here takes it for a child of theirs.
    // SAFETY: as fork(2), all five arguments being 0. The child calls `answer` alone, which only makes system
    // calls and does not return.
    let pid = unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) };
    if pid == 0 {
        answer(namespace.as_raw_fd(), path, to.as_raw_fd());
    }
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    drop(to);
    let mut text = Vec::new();
    let read = from.read_to_end(&mut text);
    let status = wait(pid as libc::pid_t)?;
    read?;
    match status {
        0 => Ok(text),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// The exit status of a child made without a signal.
fn wait(pid: libc::pid_t) -> io::Result<c_int> {
    let mut status = 0;
    loop {
        // SAFETY: waitpid writes one int.
        match check(unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }) {
            Ok(_) => return Ok(libc::WEXITSTATUS(status)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The child: writes what `path` says into `to` and ends, with an errno (all of these fit a status) or 0.
fn answer(namespace: RawFd, path: &CStr, to: RawFd) -> ! {
    let mut text = [0u8; 64];
    // SAFETY: system calls on numbers, on a C string and on a buffer of the length given; no memory is
    // allocated and no lock is taken, so it does not matter what other threads were doing.
    unsafe {
        let errno = || *libc::__errno_location();
        if libc::setns(namespace, libc::CLONE_NEWUSER) < 0 {
            libc::_exit(errno());
        }
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        let length = libc::read(file, text.as_mut_ptr().cast(), text.len());
        let Ok(length) = usize::try_from(length) else {
            libc::_exit(errno());
        };
        if libc::write(to, text.as_ptr().cast(), length) < 0 {
            libc::_exit(errno());
        }
        libc::_exit(0)
    }
}
