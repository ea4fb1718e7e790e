//! The watched trees that are known, for processes that listing would wake: the remaining watches are most likely below
//! them.

use crate::gather::inotify::side_effects::LOOKS;
use crate::gather::inotify::watches::ReadInstance;
use crate::gather::subject::mounts::is_below;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Device, Name, WatchTree};
use crate::sys;
use std::collections::{BTreeMap, HashSet};
use std::os::fd::AsFd;

/// How many tops of trees are reported.
const MOST: usize = 10;

/// Where the walk may list directories: on a device with such trees, only below their tops.
#[derive(Default)]
pub struct WalkScope {
    tops: BTreeMap<Device, TreeRoots>,
}

/// The tops of the trees on one device, none below another.
#[derive(Default)]
struct TreeRoots {
    sorted: Vec<Vec<u8>>,
    all: HashSet<Vec<u8>>,
}

impl WalkScope {
    /// From the watches in `read` whose paths are known.
    pub fn of(view: &View<'_>, read: &[ReadInstance]) -> WalkScope {
        let mut tops: BTreeMap<Device, Vec<Vec<u8>>> = BTreeMap::new();
        for watch in read.iter().flat_map(|entry| &entry.instance.watches) {
            if let Some(path) = watch.path.as_ref()
                && watch.mask.has(LOOKS)
                && !watch.deleted
            {
                let paths = tops.entry(watch.device).or_default();
                paths.push(path.as_bytes().to_vec());
            }
        }
        let is_directory = |path: &[u8]| {
            let found = view.find(path, FinalLink::Stay);
            found.is_ok_and(|found| sys::is_directory(found.as_fd()))
        };
        // Nothing is below a file.
        tops.retain(|_, paths| paths.iter().any(|path| is_directory(path)));
        let tops = tops.into_iter().map(|(device, mut sorted)| {
            // Sorted by component, so that a path is followed by what is below it: `/a`, `/a/b`, `/a-b`.
            sorted.sort_by(|a, b| parts(a).cmp(parts(b)));
            sorted.dedup_by(|below, top| is_below(below, top));
            let all = sorted.iter().cloned().collect();
            (device, TreeRoots { sorted, all })
        });
        WalkScope {
            tops: tops.collect(),
        }
    }

    /// Whether there is no such tree.
    pub fn is_empty(&self) -> bool {
        self.tops.is_empty()
    }

    /// The devices that have such trees.
    pub fn devices(&self) -> impl Iterator<Item = Device> {
        self.tops.keys().copied()
    }

    /// Whether these trees allow a path of a device to be listed.
    pub fn has(&self, device: Device, path: &[u8]) -> bool {
        let Some(tops) = self.tops.get(&device) else {
            return true;
        };
        let mut above = Some(path);
        while let Some(here) = above {
            if tops.all.contains(here) {
                return true;
            }
            let end = here.iter().rposition(|&byte| byte == b'/');
            above = match end {
                Some(0) if here.len() > 1 => Some(b"/"),
                Some(end) if end > 0 => here.get(..end),
                _ => None,
            };
        }
        false
    }

    /// The trees with watches whose paths are not known, and how many watches are at and below their tops, proved or
    /// most likely.
    pub fn trees(&self, read: &[ReadInstance]) -> Vec<WatchTree> {
        let mut counts: BTreeMap<Device, (usize, usize)> = BTreeMap::new();
        for watch in read.iter().flat_map(|entry| &entry.instance.watches) {
            let (watches, found) = counts.entry(watch.device).or_default();
            *watches += 1;
            *found += usize::from(watch.path.is_some());
        }
        let trees = self
            .tops
            .iter()
            .filter_map(|(device, TreeRoots { sorted, .. })| {
                let &(watches, found) = counts.get(device)?;
                (found < watches).then(|| WatchTree {
                    tops: sorted
                        .iter()
                        .take(MOST)
                        .map(|top| Name::from(&top[..]))
                        .collect(),
                    more_tops: sorted.len().saturating_sub(MOST),
                    watches,
                    found,
                })
            });
        trees.collect()
    }
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_top_and_what_is_below_it_may_be_listed_and_a_whole_device_without_tops() {
        let device = Device::parse("8:1").unwrap();
        let all: HashSet<Vec<u8>> = [b"/a/b".to_vec()].into();
        let tops = TreeRoots {
            sorted: all.iter().cloned().collect(),
            all,
        };
        let scope = WalkScope {
            tops: [(device, tops)].into(),
        };
        let has = |path: &str| scope.has(device, path.as_bytes());
        assert!(has("/a/b") && has("/a/b/c/d"));
        assert!(!has("/a") && !has("/a/bc") && !has("/") && !has("/c/a/b"));
        assert!(scope.has(Device::parse("8:2").unwrap(), b"/a"));
    }
}
