//! The watches whose paths are still looked for, and the proof that a name leads to one of them.

use super::super::inotify::ReadInstance;
use super::super::mounts::Mounts;
use super::{Pending, Search};
use crate::model::{Device, ResolvedBy};
use crate::sys;
use std::collections::HashMap;
use std::os::fd::BorrowedFd;

/// Watches by inode.
pub struct Wanted<'a> {
    mounts: &'a Mounts,
    read: &'a mut [ReadInstance],
    pending: Vec<Pending>,
    found: Vec<bool>,
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
        for (at, one) in pending.iter().enumerate() {
            let watch = read
                .get(one.instance)
                .and_then(|entry| entry.instance.watches.get(one.watch));
            if let Some(watch) = watch.filter(|_| one.why.may_have_a_name()) {
                by_inode.entry(watch.inode).or_default().push(at);
                *by_device.entry(watch.device).or_insert(0) += 1;
                left += 1;
            }
        }
        Wanted {
            mounts,
            read,
            found: vec![false; pending.len()],
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

    /// Compares what `name` below `dir` leads to with all of them. `path` is the same, as the process
    /// would write it. Says whether it is a watched directory.
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
        let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
        let Ok(stat) = sys::stat_at(dir, name, flags) else {
            return false;
        };
        let Some(waiting) = self.by_inode.get(&stat.st_ino) else {
            return false;
        };
        let handle = sys::handle_at(dir, name).ok();
        let mount = match &handle {
            Some((_, id)) => self.mounts.by_id(*id),
            None => self.mounts.of_path(path),
        };
        let Some(device) = mount.map(|m| m.device) else {
            return false;
        };
        let (mut matched, mut unmatched) = (0, 0);
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
                unmatched += 1;
                continue;
            }
            watch.path = Some(path.into());
            watch.resolved_by = Some(by);
            if let Some(found) = self.found.get_mut(at) {
                *found = true;
            }
            matched += 1;
        }
        if matched == 0 {
            return false;
        }
        self.left -= matched;
        if let Some(left) = self.by_device.get_mut(&device) {
            *left -= matched;
        }
        if unmatched == 0 {
            self.by_inode.remove(&stat.st_ino);
        } else {
            let found = &self.found;
            self.by_inode.entry(stat.st_ino).and_modify(|list| {
                list.retain(|&at| found.get(at) == Some(&false));
            });
        }
        stat.st_mode & libc::S_IFMT == libc::S_IFDIR
    }

    /// Notes with every watch that is left why it has no path, and returns how the search ended for it.
    pub fn give_up(self, end: impl Fn(Device) -> Search) -> Vec<(Pending, Option<Search>)> {
        let rest = self.pending.into_iter().zip(self.found);
        let mut left = Vec::new();
        for (one, _) in rest.filter(|&(_, found)| !found) {
            let watch = self
                .read
                .get_mut(one.instance)
                .and_then(|entry| entry.instance.watches.get_mut(one.watch));
            if let Some(watch) = watch {
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
