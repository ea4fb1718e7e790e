//! A watched inode as an `O_PATH` descriptor: nothing is read, no event is raised, and the inode cannot be reused while
//! the descriptor is held.

use crate::gather::inotify::paths::proof::Candidate;
use crate::gather::inotify::paths::reasons::{HandleFailure, without_option};
use crate::gather::inotify::paths::resolver::Resolver;
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::inotify::watches::{Guess, Handles};
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Device, Instance, Process, Watch};
use crate::sys;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

/// Opens the inodes of a process's watches.
pub struct Opener<'a> {
    /// The mounts as the process's list has them.
    listed: View<'a>,
    view: View<'a>,
    instances: &'a [Instance],
    handles: &'a [Handles],
    guesses: &'a [HashMap<usize, Guess>],
    by_handle: Resolver<'a>,
}

impl<'a> Opener<'a> {
    /// For the watches of `instances`, whose handles are `handles`. What has `side_effects` is left alone. File systems
    /// that only `mounts` treats as safe are asked first each time.
    pub(in crate::gather) fn new(
        listed: View<'a>,
        mounts: &'a Mounts,
        process: &Process,
        side_effects: &SideEffects,
        instances: &'a [Instance],
        handles: &'a [Handles],
        guesses: &'a [HashMap<usize, Guess>],
    ) -> Opener<'a> {
        let dir = listed.dir();
        Opener {
            listed,
            view: View::of(dir, mounts),
            instances,
            handles,
            guesses,
            by_handle: Resolver::new(dir, mounts, side_effects, process, instances.iter()),
        }
    }

    /// Opens the inode of a watch: by its handle, else by its path, which is proved again.
    ///
    /// # Errors
    /// Why it is not found, as a clause.
    pub fn open(&self, instance: usize, watch: usize) -> Result<OwnedFd, &'static str> {
        let seen = self.instances.get(instance);
        let Some(seen) = seen.and_then(|instance| instance.watches.get(watch)) else {
            return Err(HandleFailure::Failed.text());
        };
        let mut mounts = self.listed.mounts().of_device(seen.device);
        if mounts.any(|mount| mount.may_hang && !self.listed.answers(mount)) {
            return Err(HandleFailure::NoAnswer.text());
        }
        let handles = self.handles.get(instance);
        let handle = handles.and_then(|handles| handles.to_open(watch));
        let known = handles.and_then(|handles| handles.get(watch));
        let done = self
            .by_handle
            .open(seen.device, seen.inode, handle.as_ref(), |opened| {
                Ok(opened.fd)
            });
        done.or_else(|why| {
            self.by_path(seen, known)
                .ok_or(without_option(seen.unresolved.unwrap_or(why.text())))
        })
    }

    /// The device of a watch whose file system has a server. Such a file system may make an inode of its own for each open.
    pub fn served(&self, instance: usize, watch: usize) -> Option<Device> {
        let device = self.instances.get(instance)?.watches.get(watch)?.device;
        let mut mounts = self.listed.mounts().of_device(device);
        mounts.any(|mount| mount.may_hang).then_some(device)
    }

    /// Opens the inode a watch may be on if several inodes share its number, and returns whether it may be on another
    /// one. Only the kernel can tell: it returns the same wd for the inode that is watched.
    pub fn guess(&self, instance: usize, watch: usize) -> Option<(OwnedFd, bool)> {
        let seen = self.instances.get(instance)?.watches.get(watch)?;
        let guess = self.guesses.get(instance)?.get(&watch)?;
        let path = guess.path.as_bytes();
        let found = self.find(path)?;
        let may_be = Candidate::new(self.view.mounts(), found.as_fd(), b"", path)?.may_be(seen);
        (may_be == Some(true)).then_some((found, guess.contested))
    }

    /// Whether a watch is on a directory. `None` if its inode is not found.
    pub fn is_directory(&self, instance: usize, watch: usize) -> Option<bool> {
        let found = self.open(instance, watch).ok()?;
        let stat = sys::stat_at(found.as_fd(), b"", 0).ok()?;
        Some(stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
    }

    fn by_path(&self, watch: &Watch, known: Option<(i32, &[u8])>) -> Option<OwnedFd> {
        let path = watch.path.as_ref().filter(|_| !watch.deleted)?.as_bytes();
        let found = self.find(path)?;
        let mounts = self.view.mounts();
        let same = Candidate::new(mounts, found.as_fd(), b"", path)?.is(watch, known);
        same.then_some(found)
    }

    fn find(&self, path: &[u8]) -> Option<OwnedFd> {
        self.view.find(path, FinalLink::Stay).ok()
    }
}
