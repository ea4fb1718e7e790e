//! A watched inode as an `O_PATH` descriptor: nothing is read, no event is raised, and the inode stays
//! what it is for as long as the descriptor is held.

use super::super::inotify::Handles;
use super::super::mounts::Mounts;
use super::super::proc_dir::ProcDir;
use super::super::wakes::Wakes;
use super::resolver::Resolver;
use super::why::Why;
use crate::model::{Instance, Process, Watch};
use crate::sys;
use std::os::fd::{AsFd, OwnedFd};

/// Opens the inodes of a process's watches.
pub struct Opener<'a> {
    dir: &'a ProcDir,
    mounts: &'a Mounts,
    instances: &'a [Instance],
    handles: &'a [Handles],
    by_handle: Resolver<'a>,
}

impl<'a> Opener<'a> {
    /// For the watches of `instances`, whose handles are `handles`. What `wakes` is left alone.
    pub(in crate::gather) fn new(
        dir: &'a ProcDir,
        mounts: &'a Mounts,
        process: &Process,
        wakes: &Wakes,
        instances: &'a [Instance],
        handles: &'a [Handles],
    ) -> Opener<'a> {
        Opener {
            dir,
            mounts,
            instances,
            handles,
            by_handle: Resolver::new(dir, mounts, wakes, process, instances.iter()),
        }
    }

    /// Opens the inode of a watch: by its handle, else by its path, compared with inode and device.
    ///
    /// # Errors
    /// Why it is not found, as a clause.
    pub fn open(&self, instance: usize, watch: usize) -> Result<OwnedFd, &'static str> {
        let seen = self.instances.get(instance);
        let Some(seen) = seen.and_then(|instance| instance.watches.get(watch)) else {
            return Err(Why::Failed.text());
        };
        let handle = self
            .handles
            .get(instance)
            .and_then(|handles| handles.to_open(watch));
        let done = self
            .by_handle
            .open(seen.device, seen.inode, handle.as_ref(), |opened| {
                Ok(opened.fd)
            });
        done.or_else(|why| {
            self.by_path(seen)
                .ok_or(seen.unresolved.unwrap_or(why.text()))
        })
    }

    /// Whether a watch is on a directory; `None` where its inode is not found.
    pub fn is_directory(&self, instance: usize, watch: usize) -> Option<bool> {
        let found = self.open(instance, watch).ok()?;
        let stat = sys::stat_at(found.as_fd(), b"", libc::AT_EMPTY_PATH).ok()?;
        Some(stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
    }

    fn by_path(&self, watch: &Watch) -> Option<OwnedFd> {
        let path = watch.path.as_ref().filter(|_| !watch.deleted)?.as_bytes();
        if !self.mounts.is_safe(path) {
            return None;
        }
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let found = sys::open_at(self.dir.as_fd(), &ProcDir::inside(path), flags).ok()?;
        let stat = sys::stat_at(found.as_fd(), b"", libc::AT_EMPTY_PATH).ok()?;
        let mount = match sys::mount_id(found.as_fd()) {
            Some(id) => self.mounts.by_id(id),
            None => self.mounts.of_path(path),
        };
        let same = stat.st_ino == watch.inode && mount?.device == watch.device;
        same.then_some(found)
    }
}
