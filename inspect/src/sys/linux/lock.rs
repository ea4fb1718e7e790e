//! Locks of open file descriptions (fcntl(2), `F_OFD_SETLK`).

use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A byte no file has: all anonymous inodes are one, and others may have locked what is more usual.
const BYTE: libc::off_t = 0x5741_5443_4846_4958;

/// Whether a lock taken by `a` is shown with `b`, as it is where both are one open file (fs/locks.c,
/// `show_fd_locks`). It is a lock for reading and goes at once.
///
/// # Errors
/// The kernel's errno.
pub fn lock_shows(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> io::Result<bool> {
    let shows = || {
        let text = std::fs::read(format!("/proc/self/fdinfo/{}", b.as_raw_fd()))?;
        let byte = format!(" {BYTE} {BYTE}");
        let is_it = |line: &[u8]| line.starts_with(b"lock:") && line.ends_with(byte.as_bytes());
        Ok(text.split(|&c| c == b'\n').any(is_it))
    };
    set(a, libc::F_RDLCK)?;
    let shown = shows();
    set(a, libc::F_UNLCK)?;
    shown
}

fn set(file: BorrowedFd<'_>, kind: libc::c_int) -> io::Result<()> {
    let lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: BYTE,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: `lock` is a struct flock, which F_OFD_SETLK reads.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Inotify;
    use std::os::fd::AsFd;

    #[test]
    fn only_a_descriptor_of_the_same_instance_shows_the_lock() {
        let (one, other) = (Inotify::new().unwrap(), Inotify::new().unwrap());
        let again = one.as_fd().try_clone_to_owned().unwrap();
        assert!(lock_shows(one.as_fd(), again.as_fd()).unwrap());
        assert!(!lock_shows(one.as_fd(), other.as_fd()).unwrap());
        assert!(!lock_shows(other.as_fd(), one.as_fd()).unwrap());
        assert!(lock_shows(one.as_fd(), one.as_fd()).unwrap());
    }
}
