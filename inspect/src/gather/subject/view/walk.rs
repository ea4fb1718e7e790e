//! The walk along a path, mount by mount.

use crate::gather::subject::mounts::Mounts;
use crate::sys;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How many links are followed at most, as in the kernel (MAXSYMLINKS of include/linux/namei.h).
const LINKS: usize = 40;
/// How many steps are taken at most: a path has up to about 2,000 components (PATH_MAX), and each `..` starts again.
const STEPS: usize = 10_000;

/// What to do with a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalLink {
    /// It is followed.
    Follow,
    /// It is the result itself.
    Stay,
}

/// The error for a path that leads to a file system that may not answer.
pub fn unsafe_to_follow() -> io::Error {
    io::Error::from_raw_os_error(libc::EXDEV)
}

/// Follows an absolute path from `root` on. `stop` is set to the mount point that was not entered because it may not
/// answer.
///
/// # Errors
/// EXDEV for a path that leads to a mount that may not answer, else the kernel's errno.
pub fn find(
    root: BorrowedFd<'_>,
    mounts: &Mounts,
    path: &[u8],
    last: FinalLink,
    stop: &mut Vec<u8>,
) -> io::Result<OwnedFd> {
    let mut walk = Walk {
        root,
        mounts,
        at: root.try_clone_to_owned()?,
        place: Vec::new(),
        proc: false,
        rest: path.to_vec(),
        last,
        links: 0,
        stop,
    };
    for _ in 0..STEPS {
        if let Some(found) = walk.step()? {
            return Ok(found);
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// A path that is being followed.
struct Walk<'w> {
    root: BorrowedFd<'w>,
    mounts: &'w Mounts,
    /// How far it has come: a directory on a mount that answers.
    at: OwnedFd,
    /// The same as a path without links; empty for the root.
    place: Vec<u8>,
    /// Whether that mount is a /proc.
    proc: bool,
    /// The rest: empty, or with a leading `/` once a step was taken.
    rest: Vec<u8>,
    last: FinalLink,
    links: usize,
    stop: &'w mut Vec<u8>,
}

impl Walk<'_> {
    /// Continues, and returns what was found if that is the end.
    fn step(&mut self) -> io::Result<Option<OwnedFd>> {
        let slashes = self.rest.iter().take_while(|&&b| b == b'/').count();
        self.rest.drain(..slashes);
        if self.rest.is_empty() {
            return self.at.try_clone().map(Some);
        }
        // Usually the whole rest is on this mount and has no links.
        let end = match self.last {
            FinalLink::Follow => 0,
            FinalLink::Stay => libc::O_NOFOLLOW,
        };
        match sys::find_on_mount(self.at.as_fd(), &self.rest, libc::O_PATH | end) {
            Err(e)
                if matches!(
                    e.raw_os_error(),
                    Some(libc::ELOOP | libc::EXDEV | libc::EAGAIN)
                ) => {}
            done => return done.map(Some),
        }
        let end = self.rest.iter().position(|&b| b == b'/');
        let part: Vec<u8> = self.rest.drain(..end.unwrap_or(self.rest.len())).collect();
        match &part[..] {
            b"." => {}
            b".." => {
                // It starts at the root: what is above was entered on that way.
                let above = self.place.iter().rposition(|&b| b == b'/').unwrap_or(0);
                let above = self.place.get(..above).unwrap_or_default().to_vec();
                self.begin_at_root(&above)?;
            }
            _ => return self.enter(&part),
        }
        Ok(None)
    }

    fn enter(&mut self, part: &[u8]) -> io::Result<Option<OwnedFd>> {
        let path = [&self.place, &b"/"[..], part].concat();
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let found = match sys::find_on_mount(self.at.as_fd(), part, flags) {
            Err(e) if e.raw_os_error() == Some(libc::EXDEV) => {
                if !self.mounts.answers_at(&path) {
                    return Err(self.stop_before(path));
                }
                let found = sys::open_at(self.at.as_fd(), part, flags)?;
                let Some(mount) = self.mounts.answering(found.as_fd()) else {
                    return Err(self.stop_before(path));
                };
                self.proc = mount.proc;
                found
            }
            found => found?,
        };
        let mode = sys::stat_at(found.as_fd(), b"", 0)?.st_mode;
        if mode & libc::S_IFMT != libc::S_IFLNK {
            (self.at, self.place) = (found, path);
            return Ok(None);
        }
        if self.rest.is_empty() && self.last == FinalLink::Stay {
            return Ok(Some(found));
        }
        self.links += 1;
        if self.proc || self.links > LINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        let mut target = Vec::new();
        sys::read_link_at(found.as_fd(), b"", &mut target)?;
        if target.starts_with(b"/") {
            self.begin_at_root(&target)?;
        } else {
            self.rest = [&target[..], &self.rest].concat();
        }
        Ok(None)
    }

    fn stop_before(&mut self, point: Vec<u8>) -> io::Error {
        *self.stop = point;
        unsafe_to_follow()
    }

    /// Goes back to the root, with `path` before the rest.
    fn begin_at_root(&mut self, path: &[u8]) -> io::Result<()> {
        self.at = self.root.try_clone_to_owned()?;
        self.place.clear();
        self.proc = false;
        self.rest = [path, &self.rest].concat();
        Ok(())
    }
}
