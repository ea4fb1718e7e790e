//! What watched inodes are, looked at just before their watches are muted: what somebody changes between the two is told
//! twice and not lost.

use super::known::{Known, Snapshot};
use super::state::{Inode, State};
use crate::heal::{Change, Target};
use crate::sys::lock;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;

/// A look at the inode of a watch.
pub struct Look {
    /// The inode, held.
    pub file: Option<OwnedFd>,
    /// What it was.
    pub snapshot: Snapshot,
}

/// Looks of one pass over a process, by instance and watch descriptor.
#[derive(Default)]
pub struct Looks(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// What inodes were when they were looked at last.
    last: HashMap<Inode, State>,
    looks: HashMap<(usize, i32), Look>,
}

impl Looks {
    /// `known` are inodes that need no other look if they have not changed.
    pub fn after(known: &BTreeMap<Inode, Known>) -> Looks {
        let states = known.iter().filter_map(|(&inode, known)| {
            let last = known.snapshots.last()?;
            Some((inode, last.state))
        });
        Looks(Mutex::new(Seen {
            last: states.collect(),
            looks: HashMap::new(),
        }))
    }

    /// Looks at the inode of a watch that is about to be muted, unless it is as it was.
    pub fn look(&self, target: &Target, change: &Change, file: &OwnedFd) {
        let instance = target.handle.process().inotify.get(change.instance);
        let Some(watch) = instance.and_then(|instance| instance.watches.get(change.watch)) else {
            return;
        };
        let inode = (watch.device.0, watch.inode);
        let Ok(now) = State::of(file.as_fd()) else {
            return;
        };
        let last = lock(&self.0).last.get(&inode).copied();
        // What is in its files, their own times tell.
        if last.is_some_and(|last| last.is_untouched(&now)) {
            return;
        }
        let Some(snapshot) = Snapshot::of(file) else {
            return;
        };
        let mut seen = lock(&self.0);
        seen.last.insert(inode, snapshot.state);
        let file = file.try_clone().ok();
        let look = Look { file, snapshot };
        seen.looks.insert((change.instance, change.wd), look);
    }

    /// The look at the inode of a watch, if there was one.
    pub fn take(&self, watch: (usize, i32)) -> Option<Look> {
        lock(&self.0).looks.remove(&watch)
    }
}
