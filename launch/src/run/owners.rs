//! The thread that made a call, its process, and what a path means to them.

use crate::sys::path::{self, Known, Walk, find, find_absolute, is_in_proc, place};
use crate::sys::pidfd;
use inspect::gather::identity_of;
use inspect::model::{Device, Identity};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

/// How many threads are remembered: enough for one program that is placing its watches.
const KEPT: usize = 16;

/// The threads whose calls were judged last.
#[derive(Default)]
pub struct Owners(VecDeque<Owner>);

impl Owners {
    /// The thread `tid`, with its process.
    ///
    /// # Errors
    /// ESRCH if it has ended, or its process cannot be told.
    pub fn of(&mut self, tid: u32) -> io::Result<&mut Owner> {
        let known = self.0.iter().position(|owner| owner.tid == tid);
        let known = known.and_then(|at| self.0.remove(at));
        // Its directory goes with the thread, even if another thread gets the number.
        let alive = known.and_then(|mut owner| owner.look_at_root().ok().map(|()| owner));
        let owner = match alive {
            Some(owner) => owner,
            None => {
                // Descriptors of threads that have ended are closed.
                self.0.retain_mut(|owner| owner.look_at_root().is_ok());
                Owner::of(tid)?
            }
        };
        self.0.push_front(owner);
        self.0.truncate(KEPT);
        self.0
            .front_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The same for a call on a descriptor: the thread's root may have changed since its last call.
    ///
    /// # Errors
    /// The same.
    pub fn reader(&mut self, tid: u32) -> io::Result<&mut Owner> {
        // Without a pidfd of its own, its number may have become another thread's.
        match self.0.front() {
            Some(last)
                if last.tid == tid && last.is_thread && !pidfd::has_ended(last.pidfd.as_fd()) =>
            {
                let last = self.0.front_mut();
                last.ok_or_else(|| io::ErrorKind::NotFound.into())
            }
            _ => self.of(tid),
        }
    }
}

/// The process a thread belongs to, where its descriptors are, and where its paths begin.
pub struct Owner {
    tid: u32,
    /// The process.
    pub process: u32,
    /// `/proc/TID`, which is this very thread's: see fdscan's `ProcDir`.
    dir: OwnedFd,
    /// Its root directory; `None` before Linux 5.8.
    root: Option<(u64, u64)>,
    /// The thread, or before Linux 6.9 its process.
    pidfd: OwnedFd,
    is_thread: bool,
    /// The link that names its user namespace, once it was needed.
    user_namespace: RefCell<Option<OwnedFd>>,
}

/// The name of a user namespace, which identifies it: `user:[4026531837]` (namespaces(7)).
pub type Namespace = [u8; 24];

/// A file that was found, and what is known of it.
pub struct Found {
    /// It, opened by O_PATH.
    pub file: OwnedFd,
    /// What is known of it.
    pub known: Known,
}

impl Found {
    /// Its device as the kernel numbers it inside: include/linux/kdev_t.h.
    pub fn device(&self) -> Device {
        let (major, minor) = self.known.device;
        Device(major << 20 | minor)
    }

    /// Its path, as this program sees it.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn path(&self) -> io::Result<Vec<u8>> {
        let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(std::fs::read_link(link)?.into_os_string().into_vec())
    }
}

impl Owner {
    fn of(tid: u32) -> io::Result<Owner> {
        let dir = find_absolute(&CString::new(format!("/proc/{tid}"))?, true, Walk::Free)?;
        let process = inspect::thread(tid)?.process;
        let (pidfd, is_thread) = match pidfd::open_thread(tid) {
            // Before Linux 6.9.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => (pidfd::open(process)?, false),
            found => (found?, true),
        };
        let mut owner = Owner {
            tid,
            process,
            dir,
            root: None,
            pidfd,
            is_thread,
            user_namespace: RefCell::default(),
        };
        owner.look_at_root()?;
        Ok(owner)
    }

    fn look_at_root(&mut self) -> io::Result<()> {
        self.root = place(self.dir.as_fd(), c"root")?;
        Ok(())
    }

    /// Its user namespace.
    ///
    /// # Errors
    /// ESRCH or EACCES if it has ended.
    pub fn user_namespace(&self) -> io::Result<Namespace> {
        let mut known = self.user_namespace.borrow_mut();
        let link = match known.take() {
            // The file of a link in /proc is the thread's, and says what is so now: that is half the way.
            Some(link) => link,
            None => find(self.dir.as_fd(), c"ns/user", false, Walk::Free)?,
        };
        let link = known.insert(link);
        path::read_link(link.as_fd())
    }

    /// Its directory in /proc.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The thread.
    pub fn thread(&self) -> u32 {
        self.tid
    }

    /// A copy of the thread's descriptor `fd`.
    ///
    /// # Errors
    /// Those of pidfd_getfd(2); before Linux 6.9 also where the thread has descriptors of its own (clone(2),
    /// CLONE_FILES).
    pub fn descriptor(&self, fd: i32) -> io::Result<OwnedFd> {
        let (tid, process) = (self.tid, self.process);
        if !self.is_thread && tid != process && !pidfd::share_descriptors(tid, process)? {
            return Err(io::ErrorKind::Unsupported.into());
        }
        pidfd::get_fd(self.pidfd.as_fd(), fd)
    }

    /// Whether the thread has a descriptor of this number. In doubt the number is not free.
    pub fn has_descriptor(&self, fd: i32) -> bool {
        let Ok(path) = CString::new(format!("fd/{fd}")) else {
            return true;
        };
        let link = path::link_at::<1>(self.dir.as_fd(), &path);
        !link.is_err_and(|e| e.raw_os_error() == Some(libc::ENOENT))
    }

    /// Finds what `path` names for the thread: below its root, from its current directory, with its own /proc/self.
    ///
    /// # Errors
    /// The kernel's errno; ELOOP or EXDEV where its meaning cannot be found out from outside.
    pub fn find(
        &self,
        path: &CStr,
        follow: bool,
        own_root: Option<(u64, u64)>,
    ) -> io::Result<Found> {
        let bytes = path.to_bytes();
        if bytes.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        let same_root = own_root.is_some() && self.root == own_root;
        if !bytes.starts_with(b"/") {
            let directory = find(self.dir.as_fd(), c"cwd", true, Walk::Free)?;
            let walk = if same_root {
                Walk::NoMagic
            } else {
                Walk::Beneath
            };
            return elsewhere(find(directory.as_fd(), path, follow, walk)?);
        }
        if !same_root {
            let root = find(self.dir.as_fd(), c"root", true, Walk::Free)?;
            return elsewhere(find(root.as_fd(), path, follow, Walk::InRoot)?);
        }
        match self.own_names(bytes) {
            Some(own) => self.find_own(own, follow),
            None => elsewhere(find_absolute(path, follow, Walk::NoMagic)?),
        }
    }

    /// Finds what a name for oneself leads to. Only the link it names means the thread; behind it the way is anybody's.
    fn find_own(&self, path: Vec<u8>, follow: bool) -> io::Result<Found> {
        let Some(end) = end_of_link(&path) else {
            // In /proc itself: no link is followed there.
            return found(find_absolute(&CString::new(path)?, follow, Walk::NoMagic)?);
        };
        let (link, rest) = path.split_at(end);
        let link = CString::new(link)?;
        if rest.is_empty() {
            return found(find_absolute(&link, follow, Walk::Free)?);
        }
        let from = find_absolute(&link, true, Walk::Free)?;
        let rest = CString::new([b".", rest].concat())?;
        elsewhere(find(from.as_fd(), &rest, follow, Walk::NoMagic)?)
    }

    /// A path that begins with a name for the caller (`/proc/self`), with the thread's own in its place.
    fn own_names(&self, path: &[u8]) -> Option<Vec<u8>> {
        // Nearly every path is of another kind, and costs nothing here.
        if !path.starts_with(b"/proc/") && !path.starts_with(b"/dev/") {
            return None;
        }
        let (tid, process) = (self.tid, self.process);
        let names = [
            ("/proc/self", format!("/proc/{process}")),
            ("/proc/thread-self", format!("/proc/{process}/task/{tid}")),
            ("/dev/fd", format!("/proc/{process}/fd")),
            ("/dev/stdin", format!("/proc/{process}/fd/0")),
            ("/dev/stdout", format!("/proc/{process}/fd/1")),
            ("/dev/stderr", format!("/proc/{process}/fd/2")),
        ];
        names.into_iter().find_map(|(name, own)| {
            let rest = path.strip_prefix(name.as_bytes())?;
            matches!(rest, [] | [b'/', ..]).then(|| [own.as_bytes(), rest].concat())
        })
    }
}

fn found(file: OwnedFd) -> io::Result<Found> {
    let known = path::known(file.as_fd())?;
    Ok(Found { file, known })
}

/// What lies in /proc may have been found through a link that means who follows it.
fn elsewhere(file: OwnedFd) -> io::Result<Found> {
    let found = found(file)?;
    // What has no disk and blocks of 1024 bytes (fs/proc/root.c). To ask others what they are asks a server.
    let may_be = found.known.device.0 == 0 && found.known.block_size == 1024;
    if may_be && is_in_proc(found.file.as_fd())? {
        return Err(io::Error::from_raw_os_error(libc::ELOOP));
    }
    Ok(found)
}

/// Where the link of a path below /proc/PID ends that leads out of /proc (proc(5): `cwd`, `root`, `exe`, `fd/N`).
fn end_of_link(path: &[u8]) -> Option<usize> {
    let mut end = 0;
    let mut before: &[u8] = b"";
    for part in path.split_inclusive(|&c| c == b'/') {
        let name = part.strip_suffix(b"/").unwrap_or(part);
        end += name.len();
        if matches!(name, b"cwd" | b"root" | b"exe") || before == b"fd" {
            return Some(end);
        }
        before = name;
        end += part.len() - name.len();
    }
    None
}

/// A file of `process` as fdscan's library names it.
pub fn identity(process: u32, found: &Found) -> Option<Identity> {
    match found.known.device {
        // What has no disk of its own may have a device for every subvolume (btrfs), or another file system's.
        (0, _) => identity_of(process, found.file.as_fd()),
        _ => Some(Identity::plain(found.device(), found.known.inode)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_that_leads_out_of_proc_is_found() {
        let link = |path: &'static str| end_of_link(path.as_bytes()).map(|end| &path[..end]);
        assert_eq!(link("/proc/7/fd/3"), Some("/proc/7/fd/3"));
        assert_eq!(link("/proc/7/fd/3/x/fd"), Some("/proc/7/fd/3"));
        assert_eq!(link("/proc/7/task/8/cwd/root"), Some("/proc/7/task/8/cwd"));
        assert_eq!(link("/proc/7/fd"), None);
    }

    #[test]
    fn names_for_oneself_mean_the_thread() {
        let pidfd = pidfd::open(std::process::id()).unwrap();
        let owner = Owner {
            tid: 8,
            process: 7,
            dir: pidfd.try_clone().unwrap(),
            root: None,
            pidfd,
            is_thread: true,
            user_namespace: RefCell::default(),
        };
        let own = |path: &[u8]| owner.own_names(path);
        assert_eq!(own(b"/proc/self/cwd").unwrap(), b"/proc/7/cwd");
        assert_eq!(own(b"/proc/thread-self").unwrap(), b"/proc/7/task/8");
        assert_eq!(own(b"/dev/fd/3").unwrap(), b"/proc/7/fd/3");
        assert_eq!(own(b"/proc/selfish"), None);
    }
}
