//! The watches whose paths are still looked for, and the proof that a name leads to one of them.

use super::super::inotify::ReadInstance;
use super::super::mounts::Mounts;
use super::handles::Finder;
use super::{Pending, Search, Why};
use crate::model::{Device, Identity, ResolvedBy};
use crate::sys::{self, FileHandle};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::os::fd::BorrowedFd;

/// Watches by inode.
pub struct Wanted<'a> {
    mounts: &'a Mounts,
    read: &'a mut [ReadInstance],
    pending: Vec<Pending>,
    /// Which of them are left.
    waits: Vec<bool>,
    /// Indices into `pending`.
    by_inode: HashMap<u64, Vec<usize>>,
    left: usize,
    by_device: HashMap<Device, usize>,
}

impl<'a> Wanted<'a> {
    /// Those of `pending` that a name can still be found for.
    pub fn new(
        mounts: &'a Mounts,
        read: &'a mut [ReadInstance],
        pending: Vec<Pending>,
    ) -> Wanted<'a> {
        let mut by_inode: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut by_device = HashMap::new();
        let mut left = 0;
        let mut waits = vec![false; pending.len()];
        for ((at, one), waits) in pending.iter().enumerate().zip(&mut waits) {
            let watch = read
                .get(one.instance)
                .and_then(|entry| entry.instance.watches.get(one.watch));
            if let Some(watch) = watch.filter(|_| one.why.may_have_a_name()) {
                by_inode.entry(watch.inode).or_default().push(at);
                *by_device.entry(watch.device).or_insert(0) += 1;
                left += 1;
                *waits = true;
            }
        }
        Wanted {
            mounts,
            read,
            waits,
            pending,
            by_inode,
            left,
            by_device,
        }
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The devices they lie on.
    pub fn devices(&self) -> Vec<Device> {
        let left = self.by_device.iter().filter(|&(_, &left)| left > 0);
        let mut devices: Vec<Device> = left.map(|(&device, _)| device).collect();
        devices.sort_unstable();
        devices
    }

    /// Whether one of them lies on this device.
    pub fn on(&self, device: Device) -> bool {
        self.by_device.get(&device).is_some_and(|&left| left > 0)
    }

    /// Whether one of them has this inode number, on whichever device.
    pub fn has_inode(&self, inode: u64) -> bool {
        self.by_inode.contains_key(&inode)
    }

    /// Those whose handles were not opened because the kernel's caches are cold, oldest first.
    pub fn cold(&self) -> Vec<usize> {
        let all = self.pending.iter().enumerate();
        all.filter(|(_, one)| one.why == Why::Cold)
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether one of [`Wanted::cold`] is still left.
    pub fn waits(&self, at: usize) -> bool {
        self.waits.get(at) == Some(&true)
    }

    /// The handles of those of [`Wanted::cold`] that are still left.
    pub fn handles(&self, cold: &[usize]) -> Vec<(Identity, FileHandle)> {
        let left = cold.iter().filter(|&&at| self.waits(at));
        left.filter_map(|&at| {
            let one = self.pending.get(at)?;
            let entry = self.read.get(one.instance)?;
            let watch = entry.instance.watches.get(one.watch)?;
            let (device, inode) = (watch.device, watch.inode);
            let handle = entry.handles.to_open(one.watch)?;
            Some((Identity { device, inode }, handle))
        })
        .collect()
    }

    /// Opens the handle of one of [`Wanted::cold`] that is still left. Says where its directory lies, if
    /// the kernel had to look for that.
    pub fn open(&mut self, at: usize, finder: &mut Finder<'_>) -> Option<Vec<u8>> {
        let waits = self.waits.get_mut(at).filter(|waits| **waits)?;
        let one = self.pending.get_mut(at)?;
        let entry = self.read.get_mut(one.instance)?;
        let watch = entry.instance.watches.get_mut(one.watch)?;
        let (inode, device) = (watch.inode, watch.device);
        let mut parent = None;
        match finder.open(watch, entry.handles.to_open(one.watch).as_ref()) {
            Ok(place) => {
                if place.slow {
                    parent = place.path.parent().map(<[u8]>::to_vec);
                }
                place.note_in(watch);
                *waits = false;
            }
            Err(why) => {
                one.why = why;
                *waits = why.may_have_a_name();
            }
        }
        if !*waits {
            self.settle(inode, device, 1);
        }
        parent
    }

    /// Takes `count` watches of an inode that wait no longer off what is left.
    fn settle(&mut self, inode: u64, device: Device, count: usize) {
        self.left -= count;
        if let Some(left) = self.by_device.get_mut(&device) {
            *left -= count;
        }
        if let Entry::Occupied(mut waiting) = self.by_inode.entry(inode) {
            let waits = &self.waits;
            waiting.get_mut().retain(|&at| waits.get(at) == Some(&true));
            if waiting.get().is_empty() {
                waiting.remove();
            }
        }
    }

    /// Compares what `name` below `dir` leads to with all of them. `path` is the same, as the process
    /// would write it. Says whether it is watched.
    ///
    /// name_to_handle_at(2) needs no privilege and gives the bytes fdinfo prints, generation included:
    /// that is the proof. Where there are no handles, inode and device must do.
    pub fn compare(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        by: ResolvedBy,
    ) -> bool {
        // Even stat(2) may wait for a dead server.
        if self.mounts.may_hang_at(path) {
            return false;
        }
        let handle = sys::handle_at(dir, name).ok();
        let named = handle.as_ref().and_then(|(handle, _)| handle.inode());
        let named = named.filter(|&inode| self.has_inode(inode));
        let Some(inode) = named.or_else(|| inode_at(dir, name)) else {
            return false;
        };
        let Some(waiting) = self.by_inode.get(&inode) else {
            return false;
        };
        let mount = match &handle {
            Some((_, id)) => self.mounts.by_id(*id),
            None => self.mounts.of_path(path),
        };
        let Some(device) = mount.map(|m| m.device) else {
            return false;
        };
        let mut matched = 0;
        for &at in waiting {
            let Some(one) = self.pending.get(at) else {
                continue;
            };
            let Some(entry) = self.read.get_mut(one.instance) else {
                continue;
            };
            let same_handle = match (entry.handles.get(one.watch), &handle) {
                (Some((kind, bytes)), Some((seen, _))) => {
                    kind == seen.kind() && bytes == seen.bytes()
                }
                _ => true,
            };
            let Some(watch) = entry.instance.watches.get_mut(one.watch) else {
                continue;
            };
            if watch.device != device || !same_handle {
                continue;
            }
            watch.path = Some(path.into());
            watch.resolved_by = Some(by);
            if let Some(waits) = self.waits.get_mut(at) {
                *waits = false;
            }
            matched += 1;
        }
        if matched == 0 {
            return false;
        }
        self.settle(inode, device, matched);
        true
    }

    /// Notes with every watch that is left why it has no path, and returns how the search ended for it.
    pub fn give_up(self, end: impl Fn(Device) -> Search) -> Vec<(Pending, Option<Search>)> {
        let mut left = Vec::new();
        for one in self.pending {
            let watch = self
                .read
                .get_mut(one.instance)
                .and_then(|entry| entry.instance.watches.get_mut(one.watch));
            if let Some(watch) = watch.filter(|watch| watch.path.is_none()) {
                let searched = one.why.may_have_a_name().then(|| end(watch.device));
                watch.unresolved = Some(match searched {
                    Some(search) => search.text(),
                    None => one.why.text(),
                });
                left.push((one, searched));
            }
        }
        left
    }
}

fn inode_at(dir: BorrowedFd<'_>, name: &[u8]) -> Option<u64> {
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
    Some(sys::stat_at(dir, name, flags).ok()?.st_ino)
}
