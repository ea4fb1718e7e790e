//! Finding files without opening them: `O_PATH`, openat2(2).

use super::check;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// How a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Anywhere.
    Free,
    /// Not through the links of /proc that are not texts (`fd/N`, `cwd`, `root`): what they mean depends on who asks.
    NoMagic,
    /// As [`Walk::NoMagic`], with `/` and `..` ending at the directory it starts from.
    InRoot,
    /// As [`Walk::NoMagic`], and not out of the directory it starts from.
    Beneath,
}

/// Finds `path`, from `dir` on if it is relative: a descriptor that names the file and opens nothing, so that no watch
/// fires and no permission on the file itself is needed. A final symbolic link is followed if `follow`.
///
/// # Errors
/// The kernel's errno; ELOOP or EXDEV where the path leaves what `walk` allows.
pub fn find(dir: BorrowedFd<'_>, path: &CStr, follow: bool, walk: Walk) -> io::Result<OwnedFd> {
    find_from(dir.as_raw_fd(), path, follow, walk)
}

/// [`find`] for a path that is absolute, or relative to the current directory.
///
/// # Errors
/// The same.
pub fn find_absolute(path: &CStr, follow: bool, walk: Walk) -> io::Result<OwnedFd> {
    find_from(libc::AT_FDCWD, path, follow, walk)
}

fn find_from(dir: libc::c_int, path: &CStr, follow: bool, walk: Walk) -> io::Result<OwnedFd> {
    let no_follow = if follow { 0 } else { libc::O_NOFOLLOW };
    let how = How {
        flags: (libc::O_PATH | libc::O_CLOEXEC | no_follow) as u64,
        mode: 0,
        resolve: match walk {
            Walk::Free => 0,
            Walk::NoMagic => libc::RESOLVE_NO_MAGICLINKS,
            Walk::InRoot => libc::RESOLVE_NO_MAGICLINKS | libc::RESOLVE_IN_ROOT,
            Walk::Beneath => libc::RESOLVE_NO_MAGICLINKS | libc::RESOLVE_BENEATH,
        },
    };
    // SAFETY: `path` is NUL-terminated, `how` has the layout and the size that are passed.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            dir,
            path.as_ptr(),
            &raw const how,
            size_of::<How>(),
        )
    };
    let fd = check(fd)?;
    // SAFETY: the kernel has just made this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// `struct open_how` of openat2(2).
#[repr(C)]
struct How {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// What tells one root directory from another: its mount and its inode. `None` before Linux 5.8, which does not tell
/// the mount.
///
/// # Errors
/// The kernel's errno.
pub fn place(dir: BorrowedFd<'_>, path: &CStr) -> io::Result<Option<(u64, u64)>> {
    let wanted = libc::STATX_INO | libc::STATX_MNT_ID;
    let answer = statx(dir, path, wanted, 0)?;
    Ok((answer.stx_mask & wanted == wanted).then_some((answer.stx_mnt_id, answer.stx_ino)))
}

/// What is known of a file.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its type and permissions, as `st_mode` of stat(2).
    pub mode: u32,
    /// Its device: major and minor number.
    pub device: (u32, u32),
    /// Its inode.
    pub inode: u64,
    /// The block size for its input and output, in bytes.
    pub block_size: u32,
    /// When its content was changed last: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When anything of it was.
    pub changed: (i64, i64),
}

/// What the kernel knows of the file a descriptor of [`find`] names, without asking a server.
///
/// # Errors
/// The kernel's errno.
pub fn known(file: BorrowedFd<'_>) -> io::Result<Known> {
    let wanted = libc::STATX_TYPE
        | libc::STATX_MODE
        | libc::STATX_INO
        | libc::STATX_MTIME
        | libc::STATX_CTIME;
    let time = |time: libc::statx_timestamp| (time.tv_sec, i64::from(time.tv_nsec));
    let answer = statx(file, c"", wanted, libc::AT_EMPTY_PATH)?;
    Ok(Known {
        mode: answer.stx_mode.into(),
        device: (answer.stx_dev_major, answer.stx_dev_minor),
        inode: answer.stx_ino,
        block_size: answer.stx_blksize,
        modified: time(answer.stx_mtime),
        changed: time(answer.stx_ctime),
    })
}

fn statx(
    dir: BorrowedFd<'_>,
    path: &CStr,
    wanted: libc::c_uint,
    flags: libc::c_int,
) -> io::Result<libc::statx> {
    let mut answer = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // A server that does not answer would be waited for; type and inode of a file do not change.
    let flags = flags | libc::AT_STATX_DONT_SYNC;
    // SAFETY: `path` is NUL-terminated, and `answer` has room for one struct statx.
    let result = unsafe {
        libc::statx(
            dir.as_raw_fd(),
            path.as_ptr(),
            flags,
            wanted,
            answer.as_mut_ptr(),
        )
    };
    check(result.into())?;
    // SAFETY: zeroed above and filled by the kernel; every bit pattern is a valid statx.
    Ok(unsafe { answer.assume_init() })
}

/// What the link that `link` was found as says, no longer than `N` bytes; it is not followed.
///
/// # Errors
/// The kernel's errno: of a link in /proc ESRCH or EACCES when its process has ended.
pub fn read_link<const N: usize>(link: BorrowedFd<'_>) -> io::Result<[u8; N]> {
    // An empty path is the link itself (readlink(2)).
    link_at(link, c"")
}

/// What the link at `path` below `dir` says, as [`read_link`] does.
///
/// # Errors
/// The kernel's errno.
pub fn link_at<const N: usize>(dir: BorrowedFd<'_>, path: &CStr) -> io::Result<[u8; N]> {
    let mut text = [0; N];
    let place = text.as_mut_ptr().cast();
    // SAFETY: `path` is NUL-terminated, and the kernel writes at most `N` bytes.
    check(unsafe { libc::readlinkat(dir.as_raw_fd(), path.as_ptr(), place, N) } as libc::c_long)?;
    Ok(text)
}

/// How the file at `path` below `dir` begins, with zeros behind what there is.
///
/// # Errors
/// The kernel's errno.
pub fn read_at<const N: usize>(dir: BorrowedFd<'_>, path: &CStr) -> io::Result<[u8; N]> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: `path` is NUL-terminated.
    let fd = check(unsafe { libc::openat(dir.as_raw_fd(), path.as_ptr(), flags) }.into())?;
    // SAFETY: the kernel has just made this descriptor; nobody else owns it.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) });
    let mut start = [0; N];
    let _ = file.read(&mut start)?;
    Ok(start)
}

/// Whether it lies in a /proc.
///
/// # Errors
/// The kernel's errno.
pub fn is_in_proc(file: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(rustix::fs::fstatfs(file)?.f_type == rustix::fs::PROC_SUPER_MAGIC)
}
