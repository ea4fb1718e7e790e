//! The watches whose paths are still unknown, and the proof that a name leads to one of them.

use crate::gather::inotify::paths::handles::Finder;
use crate::gather::inotify::paths::proof::Candidate;
use crate::gather::inotify::paths::{HandleFailure, Pending, Search};
use crate::gather::inotify::watches::{Guess, ReadInstance};
use crate::gather::subject::mounts::Mounts;
use crate::model::{Device, Name, ResolvedBy};
use crate::sys::FileHandle;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;

/// Watches by inode.
pub struct Wanted<'a> {
    mounts: &'a Mounts,
    read: &'a mut [ReadInstance],
    pending: Vec<Pending>,
    /// Which of them are still unknown.
    waits: Vec<bool>,
    /// Indices into `pending`.
    by_inode: HashMap<u64, Vec<usize>>,
    left: usize,
    by_device: HashMap<Device, usize>,
    /// Files that may be watched, by the index in `pending`.
    guesses: HashMap<usize, NumberMatch>,
    /// Overlayfs mounts whose files are known to have unique numbers.
    numbered: HashSet<Device>,
}

/// A file with the number of a watch, without proof that it is the watched one.
#[derive(Default)]
struct NumberMatch {
    directory: Option<(Name, ResolvedBy)>,
    files: bool,
    /// A file that the process names.
    files_by_name: bool,
}

impl NumberMatch {
    /// Whether the watch is equally likely on a file. A directory that the process names is likelier than any file.
    fn is_contested(&self) -> bool {
        match self.directory {
            Some((_, ResolvedBy::Candidate)) => self.files_by_name,
            _ => self.files,
        }
    }
}

impl<'a> Wanted<'a> {
    /// Those of `pending` for which a name can still be found.
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
            guesses: HashMap::new(),
            numbered: HashSet::new(),
        }
    }

    /// All watches, as far as they are known so far.
    pub fn read(&self) -> &[ReadInstance] {
        self.read
    }

    /// How many are still unknown.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The devices they are on.
    pub fn devices(&self) -> Vec<Device> {
        let left = self.by_device.iter().filter(|&(_, &left)| left > 0);
        let mut devices: Vec<Device> = left.map(|(&device, _)| device).collect();
        devices.sort_unstable();
        devices
    }

    /// Whether one of them is on this device.
    pub fn on(&self, device: Device) -> bool {
        self.by_device.get(&device).is_some_and(|&left| left > 0)
    }

    /// Whether one of them has this inode number, on any device.
    pub fn has_inode(&self, inode: u64) -> bool {
        self.by_inode.contains_key(&inode)
    }

    /// Watches whose handles were not opened because the kernel's caches are cold, oldest first.
    pub fn cold(&self) -> Vec<usize> {
        let all = self.pending.iter().enumerate();
        all.filter(|(_, one)| one.why == HandleFailure::Cold)
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether one of [`Wanted::cold`] is still unknown.
    pub fn waits(&self, at: usize) -> bool {
        self.waits.get(at) == Some(&true)
    }

    /// The handles of those of [`Wanted::cold`] that are still unknown.
    pub fn handles(&self, cold: &[usize]) -> Vec<(Device, u64, FileHandle)> {
        let left = cold.iter().filter(|&&at| self.waits(at));
        left.filter_map(|&at| {
            let one = self.pending.get(at)?;
            let entry = self.read.get(one.instance)?;
            let watch = entry.instance.watches.get(one.watch)?;
            let handle = entry.handles.to_open(one.watch)?;
            Some((watch.device, watch.inode, handle))
        })
        .collect()
    }

    /// Opens the handle of one of [`Wanted::cold`] that is still unknown. Returns where its directory is, if the kernel
    /// had to search for it.
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

    /// Removes `count` watches of an inode that are not waiting any more.
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

    /// Compares what `name` below `dir` leads to with all of them. `path` is the same, as the process would write it.
    /// Returns whether it is watched.
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
        let Some(seen) = Candidate::new(self.mounts, dir, name, path) else {
            return false;
        };
        let Some(inode) = seen.inode(|inode| self.has_inode(inode)) else {
            return false;
        };
        let Some(waiting) = self.by_inode.get(&inode) else {
            return false;
        };
        let mut matched = 0;
        let mut device = None;
        for &at in waiting {
            let Some(one) = self.pending.get(at) else {
                continue;
            };
            let Some(entry) = self.read.get_mut(one.instance) else {
                continue;
            };
            let known = entry.handles.get(one.watch);
            let Some(watch) = entry.instance.watches.get_mut(one.watch) else {
                continue;
            };
            if !seen.is(watch, known) {
                match seen.may_be(watch) {
                    Some(true) => {
                        let guess = self.guesses.entry(at).or_default();
                        guess.directory.get_or_insert_with(|| (path.into(), by));
                    }
                    // This file is possible as well.
                    Some(false) => {
                        let met = self.guesses.entry(at).or_default();
                        met.files_by_name |= by == ResolvedBy::Candidate;
                        met.files = true;
                    }
                    None => {}
                }
                continue;
            }
            device = Some(watch.device);
            watch.path = Some(path.into());
            watch.resolved_by = Some(by);
            if let Some(waits) = self.waits.get_mut(at) {
                *waits = false;
            }
            matched += 1;
        }
        let Some(device) = device else {
            return false;
        };
        self.settle(inode, device, matched);
        true
    }

    /// Once a file has shown that numbers are unique on its overlayfs, a guess is proved.
    pub fn prove_guesses(&mut self) {
        let devices = self.devices();
        let new = devices
            .into_iter()
            .filter(|&device| self.mounts.is_numbered(device));
        let new: Vec<_> = new
            .filter(|device| !self.numbered.contains(device))
            .collect();
        if new.is_empty() {
            return;
        }
        self.numbered.extend(new);
        for (at, guess) in std::mem::take(&mut self.guesses) {
            let waits = self.waits.get_mut(at).filter(|waits| **waits);
            let one = self.pending.get(at);
            let watch = one.and_then(|one| {
                let entry = self.read.get_mut(one.instance)?;
                entry.instance.watches.get_mut(one.watch)
            });
            let (Some(waits), Some(watch), Some((path, by))) = (waits, watch, guess.directory)
            else {
                continue;
            };
            if self.numbered.contains(&watch.device) {
                watch.path = Some(path);
                watch.resolved_by = Some(by);
                *waits = false;
                let (inode, device) = (watch.inode, watch.device);
                self.settle(inode, device, 1);
            }
        }
    }

    /// Records for every remaining watch why it has no path, and returns how the search ended for it.
    pub fn give_up(mut self, end: impl Fn(Device) -> Search) -> Vec<(Pending, Option<Search>)> {
        let mut left = Vec::new();
        for (at, one) in self.pending.into_iter().enumerate() {
            let Some(entry) = self.read.get_mut(one.instance) else {
                continue;
            };
            if let Some(met) = self.guesses.remove(&at)
                && let contested = met.is_contested()
                && let Some((path, _)) = met.directory
            {
                entry.guesses.insert(one.watch, Guess { path, contested });
            }
            let watch = entry.instance.watches.get_mut(one.watch);
            if let Some(watch) = watch.filter(|watch| watch.path.is_none()) {
                let searched = one.why.may_have_a_name().then(|| match watch.handle {
                    // What was found could not be distinguished from others.
                    None if !self.mounts.is_numbered(watch.device) => Search::Ambiguous,
                    _ => end(watch.device),
                });
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
