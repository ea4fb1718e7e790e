//! Files: opened, read, looked at.

use core::ffi::{CStr, c_char, c_int};
use core::mem::MaybeUninit;

use rules::attrib::{Identity, Look};
use rules::line::Line;

use super::call::{Errno, call};

/// openat(2) from the working directory; O_CLOEXEC is added.
pub fn open(path: &CStr, flags: c_int, mode: u32) -> Result<c_int, Errno> {
    let flags = (flags | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is NUL-terminated.
    let fd = unsafe {
        call(
            libc::SYS_openat,
            [
                libc::AT_FDCWD as usize,
                path.as_ptr() as usize,
                flags,
                mode as usize,
                0,
                0,
            ],
        )
    };
    if fd < 0 {
        Err(-fd as Errno)
    } else {
        Ok(fd as c_int)
    }
}

pub fn close(fd: c_int) {
    // SAFETY: the callers close only what they opened.
    unsafe { call(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}

/// read(2); `None` if it failed.
pub fn read(fd: c_int, buf: &mut [u8]) -> Option<&[u8]> {
    // SAFETY: the pointer and length are a slice's.
    let n = unsafe {
        call(
            libc::SYS_read,
            [fd as usize, buf.as_mut_ptr() as usize, buf.len(), 0, 0, 0],
        )
    };
    buf.get(..usize::try_from(n).ok()?)
}

/// write(2): the errno, or 0.
pub fn write(fd: c_int, bytes: &[u8]) -> Errno {
    // SAFETY: the pointer and length are a slice's.
    let n = unsafe {
        call(
            libc::SYS_write,
            [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0],
        )
    };
    (-n).max(0) as Errno
}

/// The path of an open descriptor, as /proc shows it; `None` without /proc or if it does not fit.
pub fn path_of(fd: c_int, buf: &mut [u8]) -> Option<&[u8]> {
    let mut link = [0u8; 32];
    let mut line = Line::new(&mut link);
    line.text(b"/proc/self/fd/").number(fd as u32).text(b"\0");
    // SAFETY: `link` ends in the NUL just written: 14 + 10 digits + NUL fit into it.
    let n = unsafe {
        call(
            libc::SYS_readlinkat,
            [
                libc::AT_FDCWD as usize,
                link.as_ptr() as usize,
                buf.as_mut_ptr() as usize,
                buf.len(),
                0,
                0,
            ],
        )
    };
    // A link that fills the buffer may have been cut.
    let n = usize::try_from(n).ok().filter(|&n| n < buf.len())?;
    buf.get(..n)
}

/// What `fstat` tells of a descriptor: mode, device, inode.
pub fn fstat(fd: c_int) -> Option<(u32, u64, u64)> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills a struct stat, whose layout libc gives for this architecture.
    let r = unsafe {
        call(
            libc::SYS_fstat,
            [fd as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0],
        )
    };
    if r != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so all of it is filled.
    let stat = unsafe { stat.assume_init() };
    Some((stat.st_mode, stat.st_dev, stat.st_ino))
}

/// fstatat(2) from the working directory. No automount is set off, and no event is raised.
///
/// # Safety
/// `path` is a string, or memory that changes into another one while the kernel reads it.
pub unsafe fn look(path: *const c_char, nofollow: bool) -> Option<Look> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: as for fstat; the path is the caller's promise.
    let r = unsafe {
        call(
            libc::SYS_newfstatat,
            [
                libc::AT_FDCWD as usize,
                path as usize,
                stat.as_mut_ptr() as usize,
                at_flags(nofollow),
                0,
                0,
            ],
        )
    };
    if r != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so all of it is filled.
    let stat = unsafe { stat.assume_init() };
    Some(Look {
        identity: Identity {
            device: stat.st_dev,
            inode: stat.st_ino,
        },
        modified: (stat.st_mtime, stat.st_mtime_nsec),
        changed: (stat.st_ctime, stat.st_ctime_nsec),
    })
}

/// Which file a path leads to, and if that is a directory, as far as the kernel knows without asking a server: the
/// file system may be one whose server is gone (statx(2), 4.11).
pub fn identity(path: &CStr, nofollow: bool) -> Option<(Identity, bool)> {
    let mut statx = MaybeUninit::<libc::statx>::uninit();
    // SAFETY: the path is NUL-terminated; the kernel fills a struct statx.
    let r = unsafe {
        call(
            libc::SYS_statx,
            [
                libc::AT_FDCWD as usize,
                path.as_ptr() as usize,
                at_flags(nofollow) | libc::AT_STATX_DONT_SYNC as usize,
                (libc::STATX_INO | libc::STATX_TYPE) as usize,
                statx.as_mut_ptr() as usize,
                0,
            ],
        )
    };
    if r != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so all of it is filled.
    let statx = unsafe { statx.assume_init() };
    let identity = Identity {
        device: libc::makedev(statx.stx_dev_major, statx.stx_dev_minor),
        inode: statx.stx_ino,
    };
    let kind = u32::from(statx.stx_mode) & libc::S_IFMT;
    Some((identity, kind == libc::S_IFDIR))
}

fn at_flags(nofollow: bool) -> usize {
    let follow = if nofollow {
        libc::AT_SYMLINK_NOFOLLOW
    } else {
        0
    };
    (follow | libc::AT_NO_AUTOMOUNT) as usize
}

/// The working directory; `None` if it does not fit or lies outside the root.
pub fn working_directory(buf: &mut [u8]) -> Option<&[u8]> {
    // SAFETY: the pointer and length are a slice's.
    let n = unsafe {
        call(
            libc::SYS_getcwd,
            [buf.as_mut_ptr() as usize, buf.len(), 0, 0, 0, 0],
        )
    };
    // The kernel counts the NUL.
    let path = buf.get(..usize::try_from(n).ok()?.checked_sub(1)?)?;
    path.starts_with(b"/").then_some(path)
}

/// True if there is a string at `path` that the kernel can read and takes for a path.
///
/// symlinkat reads its first path before it looks at the second, which is one it refuses (fs/namei.c).
pub fn is_path(path: *const c_char) -> bool {
    // SAFETY: the kernel answers EFAULT where nothing can be read; the second path is NUL-terminated.
    let r = unsafe {
        call(
            libc::SYS_symlinkat,
            [
                path as usize,
                libc::AT_FDCWD as usize,
                c"".as_ptr() as usize,
                0,
                0,
                0,
            ],
        )
    };
    r != -(libc::EFAULT as isize) && r != -(libc::ENAMETOOLONG as isize)
}

/// False if the kernel says that an open file or directory may not be read, which a watch on it needs.
/// Before 5.8 it cannot be asked.
pub fn may_read(fd: c_int) -> bool {
    // SAFETY: the path is empty and NUL-terminated.
    let r = unsafe {
        call(
            libc::SYS_faccessat2,
            [
                fd as usize,
                c"".as_ptr() as usize,
                libc::R_OK as usize,
                (libc::AT_EMPTY_PATH | libc::AT_EACCESS) as usize,
                0,
                0,
            ],
        )
    };
    r != -(libc::EACCES as isize)
}
