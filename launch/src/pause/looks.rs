//! What watched inodes are, looked at just before their watches are muted and just after: what somebody changes in between
//! is told twice and not lost.

use super::known::{Known, Snapshot};
use super::state::{Inode, State, inode_of};
use crate::heal::{Change, Outcome, Target};
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

    /// Mutes a watch between two looks at the inode it is on.
    pub fn around(
        &self,
        target: &Target,
        change: &Change,
        file: &OwnedFd,
        mute: &mut dyn FnMut() -> Outcome,
    ) -> Outcome {
        let snapshot = self.before(target, change, file);
        let muted = mute();
        if let Some((inode, mut snapshot)) = snapshot {
            snapshot.add_what_came(file);
            let look = Look {
                file: file.try_clone().ok(),
                snapshot,
            };
            let mut seen = lock(&self.0);
            seen.last.insert(inode, look.snapshot.state);
            seen.looks.insert((change.instance, change.wd), look);
        }
        muted
    }

    /// What the inode of a watch is; `None` if that is known.
    fn before(
        &self,
        target: &Target,
        change: &Change,
        file: &OwnedFd,
    ) -> Option<(Inode, Snapshot)> {
        let (_, watch) = change.watched(target.handle.process())?;
        let inode = inode_of(watch);
        let now = State::of(file.as_fd()).ok()?;
        // What is in its files, their own times tell.
        let last = lock(&self.0).last.get(&inode).copied();
        if last.is_some_and(|last| last.is_untouched(&now)) {
            return None;
        }
        Some((inode, Snapshot::of(file)?))
    }

    /// The look at the inode of a watch, if there was one.
    pub fn take(&self, watch: (usize, i32)) -> Option<Look> {
        lock(&self.0).looks.remove(&watch)
    }
}
