//! Finding a file on one mount: openat2(2), or step by step where there is none.

use super::{check, mount_id, open_at, stat_at, with_c_path};
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `struct open_how` of openat2(2).
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Opens `path` below `dir`, if the way leads over no symbolic link and to no other mount. With `O_PATH` and
/// `O_NOFOLLOW` a link at its end is what is opened.
///
/// # Errors
/// EXDEV if another mount lies there or in between, or `..` leads above `dir`; ELOOP for a symbolic link; else the
/// kernel's errno.
pub fn find_on_mount(dir: BorrowedFd<'_>, path: &[u8], flags: c_int) -> io::Result<OwnedFd> {
    match openat2(dir, path, flags) {
        Err(e) if refuses_openat2(&e) => step_by_step(dir, path, flags).map_err(|found| {
            // The refusal may have been about the file: EPERM is also what O_NOATIME gets.
            match found.raw_os_error() {
                Some(libc::EPERM) => e,
                _ => found,
            }
        }),
        done => done,
    }
}

/// Whether there is no openat2(2): before Linux 5.6, or where a container's filter does not know it.
fn refuses_openat2(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

fn openat2(dir: BorrowedFd<'_>, path: &[u8], flags: c_int) -> io::Result<OwnedFd> {
    let how = OpenHow {
        flags: u64::from((flags | libc::O_CLOEXEC).unsigned_abs()),
        mode: 0,
        resolve: libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_BENEATH,
    };
    with_c_path(path, |path| {
        // SAFETY: `path` is NUL-terminated, and `how` is a struct open_how of the size that is given.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                dir.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<OpenHow>(),
            )
        };
        let fd = check(fd as c_int)?;
        // SAFETY: the kernel returned a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    })
}

/// Each step is an `O_PATH`, which asks nothing of the file it leads to, and is looked at before the next one is
/// taken from there: so a mount that hangs is noticed before anything in it is looked for.
fn step_by_step(dir: BorrowedFd<'_>, path: &[u8], flags: c_int) -> io::Result<OwnedFd> {
    let errno = io::Error::from_raw_os_error;
    let mount = mount_id(dir);
    let mut at = open_at(dir, b".", libc::O_PATH)?;
    for part in path.split(|&b| b == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return Err(errno(libc::EXDEV)),
            _ => {}
        }
        // A link whose way goes on.
        if is_link(at.as_fd())? {
            return Err(errno(libc::ELOOP));
        }
        at = open_at(at.as_fd(), part, libc::O_PATH | libc::O_NOFOLLOW)?;
        if mount.is_none() || mount_id(at.as_fd()) != mount {
            return Err(errno(libc::EXDEV));
        }
    }
    let whole = flags & (libc::O_PATH | libc::O_NOFOLLOW) == libc::O_PATH | libc::O_NOFOLLOW;
    if !whole && is_link(at.as_fd())? {
        return Err(errno(libc::ELOOP));
    }
    if flags & libc::O_PATH != 0 {
        return Ok(at);
    }
    open_again(at.as_fd(), flags & !libc::O_NOFOLLOW)
}

fn is_link(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let stat = stat_at(fd, b"", 0)?;
    Ok(stat.st_mode & libc::S_IFMT == libc::S_IFLNK)
}

/// Opens the very file `fd` was opened on once more, with other flags: what was found with `O_PATH` and looked at,
/// to be read.
///
/// # Errors
/// The kernel's errno.
pub fn open_again(fd: BorrowedFd<'_>, flags: c_int) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    with_c_path(path.as_bytes(), |path| {
        // SAFETY: `path` is NUL-terminated and lives through the call; no O_CREAT, so no mode is read.
        let fd = check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) })?;
        // SAFETY: open returned a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    type Find = fn(BorrowedFd<'_>, &[u8], c_int) -> io::Result<OwnedFd>;

    #[test]
    fn a_file_is_found_on_its_mount_and_over_no_link_by_either_way() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/f"), "text").unwrap();
        symlink("a", dir.path().join("l")).unwrap();
        symlink("b/f", dir.path().join("a/end")).unwrap();
        let open = File::open(dir.path()).unwrap();
        for (name, find) in [("openat2", openat2 as Find), ("steps", step_by_step)] {
            let errno = |path: &str, flags| {
                let found = find(open.as_fd(), path.as_bytes(), flags);
                found.err().and_then(|e| e.raw_os_error())
            };
            for (path, flags, wanted) in [
                ("a/b/f", libc::O_RDONLY, None),
                ("a/b/f", libc::O_PATH, None),
                ("a/./b", libc::O_RDONLY | libc::O_DIRECTORY, None),
                ("a/end", libc::O_PATH | libc::O_NOFOLLOW, None),
                ("a/end", libc::O_PATH, Some(libc::ELOOP)),
                (
                    "a/end",
                    libc::O_RDONLY | libc::O_NOFOLLOW,
                    Some(libc::ELOOP),
                ),
                ("l/b/f", libc::O_PATH, Some(libc::ELOOP)),
                ("a/none", libc::O_PATH, Some(libc::ENOENT)),
                ("a/b/f/x", libc::O_PATH, Some(libc::ENOTDIR)),
                ("..", libc::O_PATH, Some(libc::EXDEV)),
            ] {
                assert_eq!(errno(path, flags), wanted, "{name}: {path}");
            }
            let root = File::open("/").unwrap();
            let proc = find(root.as_fd(), b"proc/stat", libc::O_PATH);
            assert_eq!(
                proc.unwrap_err().raw_os_error(),
                Some(libc::EXDEV),
                "{name}"
            );
        }
    }

    #[test]
    fn what_was_found_is_opened_again_to_be_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), "text").unwrap();
        let open = File::open(dir.path()).unwrap();
        let found = find_on_mount(open.as_fd(), b"f", libc::O_PATH).unwrap();
        fs::remove_file(dir.path().join("f")).unwrap();
        let again = File::from(open_again(found.as_fd(), libc::O_RDONLY).unwrap());
        assert_eq!(io::read_to_string(again).unwrap(), "text");
    }
}
