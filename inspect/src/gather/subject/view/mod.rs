//! The file system as a process sees it, wherever examining it cannot hang.
//!
//! Paths come from the examined process: arguments, links, names of sockets. A path that leads to a dead network or
//! FUSE file system, perhaps through a symbolic link, would block forever, even against SIGKILL. So a path is followed
//! mount by mount. Within one mount the kernel walks the path and must not leave the mount (`RESOLVE_NO_XDEV` of
//! openat2(2)). At a mount point, the process's table of mounts says what is there before it is entered, and the kernel
//! says afterwards what was entered. A link is read and followed in the same way.
//!
//! One risk remains: something may be mounted between the check of the table and the step. FUSE does not ask its server
//! for such a step (`O_PATH`), and only root can mount anything else.

mod unanswered;
mod walk;

pub use crate::gather::subject::view::walk::FinalLink;
use crate::gather::subject::view::walk::unsafe_to_follow;

use crate::gather::subject::mountinfo::Mount;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::Identity;
use crate::sys;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::time::Duration;

/// How a process sees the file system.
pub struct View<'a> {
    dir: &'a ProcDir,
    mounts: &'a Mounts,
    root: OnceLock<Option<OwnedFd>>,
}

/// Whether a path was not followed because it leads to a file system that may not answer.
pub fn is_unsafe(error: &io::Error) -> bool {
    left_out(error).is_some()
}

/// Why a path was not followed, if that is because it leads to a file system that may not answer.
pub fn left_out(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error() {
        Some(libc::EXDEV) => Some(MAY_HANG),
        Some(libc::ETIMEDOUT) => Some(NO_ANSWER),
        _ => None,
    }
}

/// An entry of a directory.
pub fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let dir = dir.strip_suffix(b"/").unwrap_or(dir);
    [dir, b"/", name].concat()
}

/// The file at a path that the user of this program named, as `O_PATH`. If it is on a file system that may not answer,
/// that is tried first.
///
/// # Errors
/// One that [`is_unsafe`] if the file system did not answer, else the kernel's errno.
pub fn named(own: &View<'_>, path: &[u8], last: FinalLink) -> io::Result<OwnedFd> {
    let absolute = || {
        let cwd = own.working_directory().unwrap_or_default();
        match path.first() {
            Some(b'/') => path.to_vec(),
            _ => [&cwd, &b"/"[..], path].concat(),
        }
    };
    let mut stop = Vec::new();
    match own.find_or_stop(path, last, &mut stop) {
        Err(e) if is_unsafe(&e) => {
            if !unanswered::answers(&stop, path) {
                return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
            }
            let end = match last {
                FinalLink::Follow => 0,
                FinalLink::Stay => libc::O_NOFOLLOW,
            };
            // An absolute path does not need a directory.
            sys::open_at(own.dir().as_fd(), &absolute(), libc::O_PATH | end)
        }
        found => found,
    }
}

/// The path of a file that was found, without links, as this program would write it.
///
/// # Errors
/// The kernel's errno.
pub fn real_path(found: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut path = Vec::new();
    let own = format!("/proc/self/fd/{}", found.as_raw_fd());
    sys::read_link_at(found, own.as_bytes(), &mut path)?;
    Ok(path)
}

/// The reason why something was not found on a file system that may hang.
pub const NO_ANSWER: &str = "on a network or user-space file system that did not answer in time";

/// The reason why something is left out.
pub const MAY_HANG: &str = "on a network, user-space or unknown file system, which is not touched: \
     a dead server would hang the scan";

impl<'a> View<'a> {
    /// The view of the process with this directory and these mounts.
    pub fn of(dir: &'a ProcDir, mounts: &'a Mounts) -> View<'a> {
        View {
            dir,
            mounts,
            root: OnceLock::new(),
        }
    }

    /// The process.
    pub fn dir(&self) -> &'a ProcDir {
        self.dir
    }

    /// Its mounts.
    pub fn mounts(&self) -> &'a Mounts {
        self.mounts
    }

    /// Whether a file system that may hang answers just now. It is asked by a child process, and if it did not answer it
    /// is not asked again for a minute.
    pub fn answers(&self, mount: &Mount) -> bool {
        let path = self.place_of(mount);
        unanswered::answers(&path, &path)
    }

    /// Notes that it stopped answering after `time`.
    pub fn gave_up(&self, mount: &Mount, time: Duration) {
        unanswered::note(&self.place_of(mount), time);
    }

    fn place_of(&self, mount: &Mount) -> Vec<u8> {
        let mut path = format!("/proc/{}/root", self.dir.pid).into_bytes();
        path.extend_from_slice(mount.point.as_bytes());
        path
    }

    /// Its working directory, as it would write it itself; `None` if that cannot be read.
    pub fn working_directory(&self) -> Option<Vec<u8>> {
        Some(self.dir.inside_root(self.dir.read_link("cwd").ok()?))
    }

    /// The file that a path leads to for the process, as `O_PATH`: nothing is opened, and no watch sees it. A relative
    /// path begins at the current working directory of the process.
    ///
    /// # Errors
    /// One that [`is_unsafe`]; else the kernel's errno.
    pub fn find(&self, path: &[u8], last: FinalLink) -> io::Result<OwnedFd> {
        self.find_or_stop(path, last, &mut Vec::new())
    }

    /// The same. `stop` is set to the mount point that was not entered because it may not answer.
    fn find_or_stop(
        &self,
        path: &[u8],
        last: FinalLink,
        stop: &mut Vec<u8>,
    ) -> io::Result<OwnedFd> {
        let root = self.root().ok_or_else(unsafe_to_follow)?;
        let whole;
        let path = match path.first() {
            Some(b'/') => path,
            _ => {
                let gone = || io::Error::from_raw_os_error(libc::ENOENT);
                let cwd = self.working_directory().ok_or_else(gone)?;
                whole = [&cwd, &b"/"[..], path].concat();
                &whole
            }
        };
        walk::find(root, self.mounts, path, last, stop)
    }

    /// stat(2) of the file that a path leads to for the process.
    ///
    /// # Errors
    /// As [`View::find`].
    pub fn stat(&self, path: &[u8], last: FinalLink) -> io::Result<libc::stat> {
        sys::stat_at(self.find(path, last)?.as_fd(), b"", 0)
    }

    /// The identity of the file that a path leads to for the process.
    pub fn identity(&self, path: &[u8], last: FinalLink) -> Option<Identity> {
        let found = self.find(path, last).ok()?;
        let mount = self.mounts.answering(found.as_fd())?;
        self.mounts.identity_at(mount, (found.as_fd(), b"", false))
    }

    /// Opens a regular file of the process for reading; `flags` are added.
    ///
    /// # Errors
    /// As [`View::find`]; EINVAL if it is not a regular file.
    pub fn open(&self, path: &[u8], last: FinalLink, flags: libc::c_int) -> io::Result<File> {
        open_regular(self.find(path, last)?.as_fd(), flags)
    }

    /// Opens a directory of the process for listing.
    ///
    /// # Errors
    /// As [`View::find`].
    pub fn list(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let found = self.find(path, FinalLink::Follow)?;
        sys::open_at(found.as_fd(), b".", libc::O_RDONLY | libc::O_DIRECTORY)
    }

    /// A file that the process has open, as `O_PATH`.
    ///
    /// # Errors
    /// One that [`is_unsafe`]; else the kernel's errno.
    pub fn descriptor(&self, fd: i32) -> io::Result<OwnedFd> {
        let path = format!("fd/{fd}");
        let found = sys::open_at(self.dir.as_fd(), path.as_bytes(), libc::O_PATH)?;
        match self.mounts.answering(found.as_fd()) {
            Some(_) => Ok(found),
            None => Err(unsafe_to_follow()),
        }
    }

    /// The process's root, if it answers.
    fn root(&self) -> Option<BorrowedFd<'_>> {
        let open = || {
            if !self.mounts.answers_at(b"/") {
                return None;
            }
            let flags = libc::O_PATH | libc::O_DIRECTORY;
            let root = self.dir.open_file(b"root", flags).ok()?;
            self.mounts.answering(root.as_fd())?;
            Some(root.into())
        };
        self.root.get_or_init(open).as_ref().map(AsFd::as_fd)
    }
}

/// Opens a regular file that was found, for reading; `flags` are added. A FIFO or device is not opened, because that
/// can block or have effects.
///
/// # Errors
/// EINVAL if it is not a regular file, else the kernel's errno.
pub fn open_regular(found: BorrowedFd<'_>, flags: libc::c_int) -> io::Result<File> {
    let stat = sys::stat_at(found, b"", 0)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // O_NONBLOCK: an open must not wait for the holder of a lease (fcntl(2), F_SETLEASE).
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | flags;
    sys::open_again(found, flags).map(File::from)
}

/// The same, without changing its access time if the kernel allows that.
///
/// # Errors
/// The same.
pub fn open_unnoticed(found: BorrowedFd<'_>) -> io::Result<File> {
    // Only the owner of the file may use O_NOATIME (open(2)). EPERM is not EACCES, but std has one name for both.
    open_regular(found, libc::O_NOATIME).or_else(|e| match e.raw_os_error() {
        Some(libc::EPERM) => open_regular(found, 0),
        _ => Err(e),
    })
}

#[cfg(test)]
mod tests;
