//! The file system as a process sees it, as far as a look at it cannot hang.
//!
//! Paths come from whoever is looked at: arguments, links, names of sockets. One that leads to a dead network or
//! FUSE file system, over a symbolic link perhaps, would hold up who follows it for ever, SIGKILL or not. So a path
//! is followed mount by mount. Within one mount the kernel walks, and is told to leave it for nothing
//! (`RESOLVE_NO_XDEV` of openat2(2)). At a mount point the process's table of mounts says what lies there before it
//! is entered, and afterwards the kernel says what was entered. A link is read, and followed in the same way.
//!
//! What is left to chance is a mount that comes between the look at the table and the step: FUSE asks nothing of
//! its server for such a step (`O_PATH`), and to mount anything else takes root.

mod unanswered;
mod walk;

pub use crate::gather::subject::view::walk::FinalLink;
use crate::gather::subject::view::walk::unsafe_to_follow;

use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::Identity;
use crate::sys;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

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

/// What a path means that the user of this program named, as `O_PATH`. Where it leads to a file system that may
/// not answer, that is tried first.
///
/// # Errors
/// One that [`is_unsafe`] where nobody answered; else the kernel's errno.
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
            // An absolute path needs no directory.
            sys::open_at(own.dir().as_fd(), &absolute(), libc::O_PATH | end)
        }
        found => found,
    }
}

/// Where a file that was found is, without links, as this program would write it.
///
/// # Errors
/// The kernel's errno.
pub fn real_path(found: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut path = Vec::new();
    let own = format!("/proc/self/fd/{}", found.as_raw_fd());
    sys::read_link_at(found, own.as_bytes(), &mut path)?;
    Ok(path)
}

const NO_ANSWER: &str = "on a network or user-space file system that did not answer in time";

/// Why something is left out.
pub const MAY_HANG: &str = "on a network, user-space or unknown file system, which is not touched: \
     a dead server would hang the scan";

impl<'a> View<'a> {
    /// Of the process whose directory and mounts these are.
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

    /// Where it works, as it would write it itself; `None` where that may not be seen.
    pub fn working_directory(&self) -> Option<Vec<u8>> {
        Some(self.dir.inside_root(self.dir.read_link("cwd").ok()?))
    }

    /// What a path means to the process, as `O_PATH`: nothing is opened, and no watch sees it. A relative one is
    /// taken from where the process works now.
    ///
    /// # Errors
    /// One that [`is_unsafe`]; else the kernel's errno.
    pub fn find(&self, path: &[u8], last: FinalLink) -> io::Result<OwnedFd> {
        self.find_or_stop(path, last, &mut Vec::new())
    }

    /// The same. `stop` becomes the mount point that was not entered because it may not answer.
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

    /// stat(2) of what a path means to the process.
    ///
    /// # Errors
    /// As [`View::find`].
    pub fn stat(&self, path: &[u8], last: FinalLink) -> io::Result<libc::stat> {
        sys::stat_at(self.find(path, last)?.as_fd(), b"", 0)
    }

    /// What a path means to the process, as the kernel knows files.
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

    /// Opens a directory of the process to list it.
    ///
    /// # Errors
    /// As [`View::find`].
    pub fn list(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let found = self.find(path, FinalLink::Follow)?;
        sys::open_at(found.as_fd(), b".", libc::O_RDONLY | libc::O_DIRECTORY)
    }

    /// A file the process has open, as `O_PATH`.
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

/// Opens a regular file that was found, for reading; `flags` are added. A FIFO or device is not opened: to open
/// one can wait, or do something.
///
/// # Errors
/// EINVAL if it is none; else the kernel's errno.
pub fn open_regular(found: BorrowedFd<'_>, flags: libc::c_int) -> io::Result<File> {
    let stat = sys::stat_at(found, b"", 0)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // O_NONBLOCK: an open must not wait for the holder of a lease (fcntl(2), F_SETLEASE).
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | flags;
    sys::open_again(found, flags).map(File::from)
}

/// The same, without leaving a trace in its time of access where the kernel allows that.
///
/// # Errors
/// The same.
pub fn open_unnoticed(found: BorrowedFd<'_>) -> io::Result<File> {
    // O_NOATIME is for the owner of the file only (open(2)); EPERM is not EACCES, but std calls both so.
    open_regular(found, libc::O_NOATIME).or_else(|e| match e.raw_os_error() {
        Some(libc::EPERM) => open_regular(found, 0),
        _ => Err(e),
    })
}

#[cfg(test)]
mod tests;
