//! What /proc says of another process's descriptors, for a caller that may not copy them.

use crate::sys::inotify::{is_asynchronous, set_asynchronous};
use crate::sys::path::{Walk, find_absolute, link_at, read_at};
use inspect::gather::Processes;
use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// The directory of a process in /proc.
///
/// # Errors
/// It has ended.
pub fn directory(process: u32) -> io::Result<OwnedFd> {
    find_absolute(&CString::new(format!("/proc/{process}"))?, true, Walk::Free)
}

/// Whether descriptor `fd` of the process, or thread, whose directory this is, is an inotify instance.
pub fn is_instance(dir: BorrowedFd<'_>, fd: i32) -> bool {
    let link = CString::new(format!("fd/{fd}")).map(|path| link_at::<32>(dir, &path));
    link.is_ok_and(|link| link.is_ok_and(|text| text.starts_with(b"anon_inode:inotify\0")))
}

/// The numbers under which the process has inotify instances.
pub fn instances(process: u32) -> Vec<i32> {
    let fds = Processes::open().and_then(|mut all| all.inotify_fds(process, None));
    fds.unwrap_or_default()
}

/// Which of `candidates` the descriptor `fd` is.
///
/// The open file is the same if what is changed by one descriptor is seen by the other: for a moment the candidate asks for
/// signals (O_ASYNC) that nobody is to receive (fcntl(2), F_SETOWN). kcmp(2), which says it at once, is refused where
/// pidfd_getfd is.
pub fn find<'a, T>(
    dir: BorrowedFd<'_>,
    fd: i32,
    candidates: impl Iterator<Item = (T, BorrowedFd<'a>)>,
) -> Option<T> {
    let path = CString::new(format!("fdinfo/{fd}")).ok()?;
    let is_set = || flags(dir, &path).map(|flags| flags & libc::O_ASYNC != 0);
    // A program that asks for signals itself must not lose one.
    if !is_instance(dir, fd) || is_set()? {
        return None;
    }
    for (which, candidate) in candidates {
        if is_asynchronous(candidate) || set_asynchronous(candidate, true).is_err() {
            continue;
        }
        let found = is_set();
        // It was set just now: it can be taken back.
        let _ = set_asynchronous(candidate, false);
        if found? {
            return Some(which);
        }
    }
    None
}

/// The flags of an open file (proc_pid_fdinfo(5)). The kernel writes all of the file for it, with a line for each watch.
fn flags(dir: BorrowedFd<'_>, path: &CString) -> Option<i32> {
    let start = read_at::<64>(dir, path.as_c_str()).ok()?;
    let mut lines = start.split(|&c| c == b'\n');
    let text = lines.find_map(|line| line.strip_prefix(b"flags:"))?;
    i32::from_str_radix(str::from_utf8(text).ok()?.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::inotify;
    use std::os::fd::{AsFd, AsRawFd};

    #[test]
    fn an_instance_is_told_from_others_under_every_number_it_has() {
        let all: Vec<_> = (0..3).map(|_| inotify::new(true).unwrap()).collect();
        let copy = all[1].try_clone().unwrap();
        let own = directory(std::process::id()).unwrap();
        let which = |fd: &OwnedFd| {
            let candidates = all.iter().map(AsFd::as_fd).enumerate();
            find(own.as_fd(), fd.as_raw_fd(), candidates)
        };
        assert_eq!(which(&copy), Some(1));
        assert_eq!(which(&all[2]), Some(2));
        assert_eq!(which(&inotify::new(true).unwrap()), None);
        assert_eq!(which(&own), None);
        assert!(!all.iter().any(|one| is_asynchronous(one.as_fd())));
        // Asked for by its program, it stays.
        set_asynchronous(copy.as_fd(), true).unwrap();
        assert_eq!(which(&copy), None);
        assert!(is_asynchronous(all[1].as_fd()));
    }
}
