//! inotify(7), for an instance that belongs to another process.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A new instance, close-on-exec; its reads wait, or not.
///
/// # Errors
/// EMFILE at the limit of instances or descriptors.
pub fn new(non_blocking: bool) -> io::Result<OwnedFd> {
    let flags = if non_blocking { libc::IN_NONBLOCK } else { 0 };
    // SAFETY: inotify_init1 takes one integer.
    let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Places a watch with `mask` on the very file `target` was opened on (O_PATH will do), and returns its wd: the
/// one it has if this instance watches the file already.
///
/// The file is named through /proc/self/fd, a link that has to be followed: IN_DONT_FOLLOW is taken out.
///
/// # Errors
/// The kernel's errno: EACCES where this process may not read the file, ENOSPC, EEXIST with IN_MASK_CREATE.
pub fn add_watch(inotify: BorrowedFd<'_>, target: BorrowedFd<'_>, mask: u32) -> io::Result<i32> {
    add_by(
        inotify,
        &format!("/proc/self/fd/{}", target.as_raw_fd()),
        mask,
    )
}

/// [`add_watch`] for a process whose current directory is its own /proc/self/fd ([`super::process::enter_descriptors`]):
/// most of the way is then done already.
///
/// # Errors
/// The same.
pub fn add_watch_here(
    inotify: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    mask: u32,
) -> io::Result<i32> {
    add_by(inotify, &target.as_raw_fd().to_string(), mask)
}

/// Gives the watch `wd`, which is on `target`, another mask, as [`add_watch_here`] does; false if it was there no more.
///
/// # Errors
/// The same.
pub fn change_here(
    inotify: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    (wd, mask): (i32, u32),
) -> io::Result<bool> {
    let placed = add_watch_here(inotify, target, mask)?;
    if placed != wd {
        // The program had just removed its watch: this is another one, which it has not asked for.
        rm_watch(inotify, placed)?;
    }
    Ok(placed == wd)
}

fn add_by(inotify: BorrowedFd<'_>, link: &str, mask: u32) -> io::Result<i32> {
    let path = CString::new(link)?;
    let mask = mask & !libc::IN_DONT_FOLLOW;
    // SAFETY: `path` is NUL-terminated and lives through the call.
    let wd = unsafe { libc::inotify_add_watch(inotify.as_raw_fd(), path.as_ptr(), mask) };
    match wd {
        0.. => Ok(wd),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether a watch with `mask` on `target` could be placed: without placing one.
///
/// # Errors
/// The kernel's errno where it could not be told.
pub fn would_accept(
    inotify: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    mask: u32,
) -> io::Result<bool> {
    let name = |fd: BorrowedFd<'_>| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let instance = is_instance_here(inotify);
    let both = libc::IN_MASK_ADD | libc::IN_MASK_CREATE;
    let directory = std::fs::metadata(name(target))?.is_dir();
    let path = CString::new(name(target))?;
    // With the rights it would be placed with (AT_EACCESS), which access(2) does not look at. Linux 5.8.
    // SAFETY: `path` is NUL-terminated.
    let readable = unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::R_OK,
            libc::AT_EACCESS,
        ) == 0
    };
    Ok(instance
        && readable
        && mask & libc::IN_ALL_EVENTS != 0
        && mask & both != both
        && (directory || mask & libc::IN_ONLYDIR == 0))
}

/// Whether this is an inotify instance, for a process in its own /proc/self/fd, as for [`add_watch_here`].
pub fn is_instance_here(file: BorrowedFd<'_>) -> bool {
    let link = std::fs::read_link(file.as_raw_fd().to_string());
    link.is_ok_and(|link| link.as_os_str() == "anon_inode:inotify")
}

/// Makes an instance readable, by a watch on a file of its own (memfd_create(2)) that reports one write. Returns the watch.
///
/// # Errors
/// The kernel's errno.
pub fn ring(inotify: BorrowedFd<'_>) -> io::Result<i32> {
    // SAFETY: the name is NUL-terminated.
    let file = unsafe { libc::memfd_create(c"doorbell".as_ptr(), libc::MFD_CLOEXEC) };
    if file < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor; nobody else owns it.
    let mut file = unsafe { File::from_raw_fd(file) };
    let wd = add_watch(inotify, file.as_fd(), libc::IN_MODIFY | libc::IN_ONESHOT)?;
    file.write_all(b"1")?;
    Ok(wd)
}

/// How many bytes there are to be read (FIONREAD).
pub fn waiting(inotify: BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the kernel writes one integer.
    match unsafe { libc::ioctl(inotify.as_raw_fd(), libc::FIONREAD as _, &raw mut count) } {
        0 => usize::try_from(count).unwrap_or(0),
        _ => 0,
    }
}

/// Whether its reads do not wait (O_NONBLOCK).
pub fn is_non_blocking(inotify: BorrowedFd<'_>) -> bool {
    // SAFETY: fcntl with F_GETFL takes integers.
    let flags = unsafe { libc::fcntl(inotify.as_raw_fd(), libc::F_GETFL) };
    flags >= 0 && flags & libc::O_NONBLOCK != 0
}

/// Whether it asks for signals (O_ASYNC).
pub fn is_asynchronous(inotify: BorrowedFd<'_>) -> bool {
    // SAFETY: fcntl with F_GETFL takes integers.
    let flags = unsafe { libc::fcntl(inotify.as_raw_fd(), libc::F_GETFL) };
    flags < 0 || flags & libc::O_ASYNC != 0
}

/// Makes it ask for signals, or not. In contrast to F_SETFL this changes no other flag, which its program may change just then.
///
/// # Errors
/// The kernel's errno.
pub fn set_asynchronous(inotify: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let on = libc::c_int::from(on);
    // SAFETY: the kernel reads one integer.
    match unsafe { libc::ioctl(inotify.as_raw_fd(), libc::FIOASYNC as _, &raw const on) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Removes the watch `wd`.
///
/// # Errors
/// EINVAL if the instance has none of that number.
pub fn rm_watch(inotify: BorrowedFd<'_>, wd: i32) -> io::Result<()> {
    // SAFETY: inotify_rm_watch takes two integers.
    match unsafe { libc::inotify_rm_watch(inotify.as_raw_fd(), wd) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, OpenOptions};
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn a_file_named_by_a_descriptor_has_one_wd_whatever_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("f"), dir.path().join("l"));
        fs::write(&file, "").unwrap();
        fs::hard_link(&file, &link).unwrap();
        let inotify = new(false).unwrap();
        let watch = |path, mask| {
            let mut options = OpenOptions::new();
            let target = options.read(true).custom_flags(libc::O_PATH).open(path);
            add_watch(inotify.as_fd(), target.unwrap().as_fd(), mask)
        };
        let wd = watch(&file, libc::IN_MODIFY).unwrap();
        assert_eq!(watch(&link, libc::IN_DONT_FOLLOW | 1).unwrap(), wd);
        rm_watch(inotify.as_fd(), wd).unwrap();
        let gone = rm_watch(inotify.as_fd(), wd).unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::EINVAL));
    }
}
