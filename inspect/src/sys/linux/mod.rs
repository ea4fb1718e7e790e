//! System calls that only Linux has.

mod answers;
mod children;
mod copies;
mod directory;
mod disk;
mod find;
mod handle;
mod keys;
mod listen;
mod lock;
mod namespace;
mod poll;
mod process;
mod signals;
mod sock_diag;
mod spare_child;
mod working_directory;

pub use answers::answers;
pub use children::{adopt_orphans, reap, shell_status, signal_child};
pub use copies::{copies_descriptors, has_supervisors, lets_supervisors_read};
pub use directory::{each_entry, keep_access_time, open_directory_on_mount};
pub use disk::free_bytes;
pub use find::{find_on_mount, open_again};
pub use handle::{FileHandle, handle_at, handle_of, may_open_handles, open_by_handle};
pub use keys::Settings;
pub use listen::{Fanotify, Inotify, split_caused};
pub use lock::lock_shows;
pub use namespace::{namespace_owner, parent_namespace, read_in_namespace};
pub use poll::{becomes_ready, has_hung_up, is_ready};
pub use process::{end_by, process_end, process_exists, stop_here, wait_status};
pub use signals::{Signal, Signals};
pub use sock_diag::bound_sockets;
pub use spare_child::in_spare_child;
pub use working_directory::OwnWorkingDirectory;

use super::check;
use std::cmp::Ordering;
use std::ffi::{CStr, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// The longest path the kernel takes (`PATH_MAX`), with its NUL.
const PATH_MAX: usize = 4096;

/// Hands `path` to `call` as a C string without an allocation: it is done once or more per descriptor.
fn with_c_path<T>(path: &[u8], call: impl FnOnce(&CStr) -> io::Result<T>) -> io::Result<T> {
    // Most paths are as short as `fd/123`: zeroing 4 KiB for each would cost more than the call.
    const SHORT: usize = 64;
    if path.len() < SHORT {
        with_buffer::<SHORT, T>(path, call)
    } else {
        with_buffer::<PATH_MAX, T>(path, call)
    }
}

fn with_buffer<const ROOM: usize, T>(
    path: &[u8],
    call: impl FnOnce(&CStr) -> io::Result<T>,
) -> io::Result<T> {
    let mut buffer = [0u8; ROOM];
    let too_long = || io::Error::from_raw_os_error(libc::ENAMETOOLONG);
    let place = buffer.get_mut(..path.len()).ok_or_else(too_long)?;
    place.copy_from_slice(path);
    let text = buffer.get(..=path.len()).ok_or_else(too_long)?;
    let text =
        CStr::from_bytes_with_nul(text).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    call(text)
}

/// `openat(2)`, always with `O_CLOEXEC`.
///
/// # Errors
/// The kernel's errno.
pub fn open_at(dir: BorrowedFd<'_>, path: &[u8], flags: c_int) -> io::Result<OwnedFd> {
    with_c_path(path, |path| {
        // SAFETY: `path` is NUL-terminated and lives through the call; no O_CREAT, so no mode is read.
        let fd = check(unsafe {
            libc::openat(dir.as_raw_fd(), path.as_ptr(), flags | libc::O_CLOEXEC)
        })?;
        // SAFETY: openat returned a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    })
}

/// `readlinkat(2)` into `buffer`, which is grown until the whole target fits.
///
/// # Errors
/// The kernel's errno.
pub fn read_link_at(dir: BorrowedFd<'_>, path: &[u8], buffer: &mut Vec<u8>) -> io::Result<()> {
    with_c_path(path, |path| {
        if buffer.capacity() == 0 {
            buffer.reserve(256);
        }
        loop {
            buffer.clear();
            let room = buffer.capacity();
            // SAFETY: the kernel writes at most `room` bytes, and that much is allocated.
            let length = unsafe {
                libc::readlinkat(
                    dir.as_raw_fd(),
                    path.as_ptr(),
                    buffer.as_mut_ptr().cast(),
                    room,
                )
            };
            let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
            if length < room {
                // SAFETY: the kernel has initialised the first `length` bytes, and length < capacity.
                unsafe { buffer.set_len(length) };
                return Ok(());
            }
            buffer.reserve(room * 2);
        }
    })
}

/// What `path` below `dir` is. An empty path means `dir` itself.
///
/// It is statx(2) with `AT_STATX_DONT_SYNC`: of a file on a network or user-space file system it says what the
/// kernel knows, and no server is asked. Of others that is all there is. The way to the file is followed as ever.
///
/// # Errors
/// The kernel's errno.
pub fn stat_at(dir: BorrowedFd<'_>, path: &[u8], flags: c_int) -> io::Result<libc::stat> {
    stat_and_mount(dir, path, flags).map(|(stat, _)| stat)
}

/// The same, and the ID of the mount it lies on, as in mountinfo: the kernel says it from Linux 5.8 on.
///
/// # Errors
/// The kernel's errno.
pub fn stat_and_mount(
    dir: BorrowedFd<'_>,
    path: &[u8],
    flags: c_int,
) -> io::Result<(libc::stat, Option<i32>)> {
    let empty = match path {
        b"" => libc::AT_EMPTY_PATH,
        _ => 0,
    };
    with_c_path(path, |path| {
        let mut answer = std::mem::MaybeUninit::<libc::statx>::zeroed();
        // SAFETY: `path` is NUL-terminated and `answer` has room for one struct statx.
        let done = check(unsafe {
            libc::statx(
                dir.as_raw_fd(),
                path.as_ptr(),
                flags | empty | libc::AT_NO_AUTOMOUNT | libc::AT_STATX_DONT_SYNC,
                libc::STATX_BASIC_STATS | libc::STATX_MNT_ID,
                answer.as_mut_ptr(),
            )
        });
        match done {
            Ok(_) => {}
            // A container's filter that does not know it.
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                return Ok((old_stat(dir, path, flags | empty)?, None));
            }
            Err(e) => return Err(e),
        }
        // SAFETY: zeroed above and filled by the kernel; every bit pattern is a valid statx.
        let answer = unsafe { answer.assume_init() };
        // SAFETY: a struct of integers, for which 0 is a value.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        stat.st_dev = libc::makedev(answer.stx_dev_major, answer.stx_dev_minor);
        stat.st_ino = answer.stx_ino;
        stat.st_mode = answer.stx_mode.into();
        stat.st_nlink = answer.stx_nlink.into();
        stat.st_uid = answer.stx_uid;
        stat.st_gid = answer.stx_gid;
        stat.st_rdev = libc::makedev(answer.stx_rdev_major, answer.stx_rdev_minor);
        stat.st_blksize = answer.stx_blksize as libc::blksize_t;
        stat.st_size = answer.stx_size.cast_signed();
        stat.st_blocks = answer.stx_blocks.cast_signed();
        stat.st_atime = answer.stx_atime.tv_sec;
        stat.st_atime_nsec = answer.stx_atime.tv_nsec.into();
        stat.st_mtime = answer.stx_mtime.tv_sec;
        stat.st_mtime_nsec = answer.stx_mtime.tv_nsec.into();
        stat.st_ctime = answer.stx_ctime.tv_sec;
        stat.st_ctime_nsec = answer.stx_ctime.tv_nsec.into();
        let told = answer.stx_mask & libc::STATX_MNT_ID != 0;
        let mount = told.then(|| i32::try_from(answer.stx_mnt_id).ok());
        Ok((stat, mount.flatten()))
    })
}

fn old_stat(dir: BorrowedFd<'_>, path: &CStr, flags: c_int) -> io::Result<libc::stat> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `path` is NUL-terminated and `stat` has room for one struct stat.
    check(unsafe { libc::fstatat(dir.as_raw_fd(), path.as_ptr(), stat.as_mut_ptr(), flags) })?;
    // SAFETY: fstatat succeeded, so it filled the whole struct.
    Ok(unsafe { stat.assume_init() })
}

/// Whether an open file is a directory; `false` where it cannot be told.
pub fn is_directory(fd: BorrowedFd<'_>) -> bool {
    let stat = stat_at(fd, b"", 0);
    stat.is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

/// Whether this user may make files in a directory.
pub fn may_write(directory: BorrowedFd<'_>) -> bool {
    let may = libc::W_OK | libc::X_OK;
    // SAFETY: the path is a C string, and nothing is written.
    let answer =
        unsafe { libc::faccessat(directory.as_raw_fd(), c".".as_ptr(), may, libc::AT_EACCESS) };
    answer == 0
}

/// The ID of the mount `fd` lies on, as in mountinfo. Before Linux 5.8 the descriptor's own fdinfo tells it
/// (proc_pid_fdinfo(5)).
pub fn mount_id(fd: BorrowedFd<'_>) -> Option<i32> {
    if let Ok((_, Some(id))) = stat_and_mount(fd, b"", 0) {
        return Some(id);
    }
    let text = std::fs::read(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    let mut lines = text.split(|&b| b == b'\n');
    let id = lines.find_map(|line| line.strip_prefix(b"mnt_id:"))?;
    std::str::from_utf8(id).ok()?.trim().parse().ok()
}

/// Compares two open files of two processes (`kcmp(2)`, `KCMP_FILE`): equal means the same open file
/// description. Otherwise the kernel's own stable order, so that many can be sorted.
///
/// # Errors
/// EPERM without ptrace access to both, ENOSYS without `CONFIG_KCMP`, EBADF when one has gone.
pub fn compare_files(a: (u32, i32), b: (u32, i32)) -> io::Result<Ordering> {
    // include/uapi/linux/kcmp.h; libc has no name for it.
    const KCMP_FILE: c_int = 0;
    // SAFETY: kcmp takes five integers and touches no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_kcmp, a.0, b.0, KCMP_FILE, a.1, b.1) };
    match answer {
        0 => Ok(Ordering::Equal),
        1 => Ok(Ordering::Less),
        2 => Ok(Ordering::Greater),
        3 => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether two threads have one table of descriptors (`kcmp(2)`, `KCMP_FILES`).
///
/// # Errors
/// EPERM without ptrace access to both, ENOSYS without `CONFIG_KCMP`, ESRCH when one has ended.
pub fn share_descriptors(a: u32, b: u32) -> io::Result<bool> {
    // include/uapi/linux/kcmp.h; libc has no name for it.
    const KCMP_FILES: c_int = 2;
    // SAFETY: kcmp takes five integers and touches no memory of ours.
    match unsafe { libc::syscall(libc::SYS_kcmp, a, b, KCMP_FILES, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        order => Ok(order == 0),
    }
}

/// How long the machine runs, suspended or not: what the start of a process counts from. Not read from
/// /proc/uptime, in whose place LXC shows a container's own.
pub fn since_boot() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec. The clock is there since Linux 2.6.39, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut now) };
    Duration::new(
        now.tv_sec.try_into().unwrap_or_default(),
        now.tv_nsec.try_into().unwrap_or_default(),
    )
}

/// Where `byte` first stands in `text`. libc looks at 32 and more bytes at a time; Rust's `position` at one.
pub fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    let start = text.as_ptr();
    // SAFETY: memchr reads at most the `text.len()` bytes that begin at `start`.
    let found = unsafe { libc::memchr(start.cast(), byte.into(), text.len()) };
    (!found.is_null()).then(|| found.addr() - start.addr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn statx_tells_all_that_stat_tells() {
        // A device, a directory, a file, and one whose group is another one on most systems.
        for path in ["/dev/null", "/proc/self", "/proc/self/exe", "/etc/shadow"] {
            let mut options = std::fs::OpenOptions::new();
            options.read(true).custom_flags(libc::O_PATH);
            let Ok(file) = options.open(path) else {
                continue;
            };
            let (new, _) = stat_and_mount(file.as_fd(), b"", 0).unwrap();
            let old = old_stat(file.as_fd(), c"", libc::AT_EMPTY_PATH).unwrap();
            assert_eq!(format!("{new:?}"), format!("{old:?}"), "{path}");
        }
    }
}
