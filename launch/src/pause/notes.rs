//! The watches that a pause mutes, noted in its record.

use super::scope::Scope;
use super::state::{Inode, inode_of};
use crate::heal::{Change, Target};
use inspect::model::{PauseRecord, PausedWatch, Started, Watch};
use std::collections::{HashMap, HashSet};

/// What tells one watch on record from another.
pub type PausedKey = (Started, i32, i32, Inode);

/// Notes about one process.
pub struct Notes<'a> {
    pub process: Started,
    pub scope: &'a Scope,
    /// It sees paths as this program does.
    pub has_paths: bool,
    pub record: &'a mut PauseRecord,
    /// Where the watches are in the record.
    pub places: &'a mut HashMap<PausedKey, usize>,
}

impl Notes<'_> {
    /// Their masks are about to change.
    pub fn add_changed(&mut self, target: &Target, changes: &[Change]) {
        for change in changes {
            if let Some((instance, watch)) = change.watched(target.handle.process()) {
                self.add(instance.fd, watch, false);
            }
        }
    }

    /// What they report is withheld.
    pub fn add_withheld(&mut self, target: &Target, withheld: &HashSet<(usize, i32)>) {
        for (at, instance) in target.handle.process().inotify.iter().enumerate() {
            let watches = instance.watches.iter();
            for watch in watches.filter(|watch| withheld.contains(&(at, watch.wd))) {
                self.add(instance.fd, watch, true);
            }
        }
    }

    fn add(&mut self, fd: i32, watch: &Watch, held: bool) {
        let key = (self.process, fd, watch.wd, inode_of(watch));
        let at = self.places.get(&key);
        match at.and_then(|&at| self.record.watches.get_mut(at)) {
            Some(noted) => {
                // The program has placed it again meanwhile, perhaps to add to it.
                noted.mask |= watch.mask.0;
                noted.held = held;
            }
            None => {
                let place = self.scope.place(watch, self.has_paths);
                self.places.insert(key, self.record.watches.len());
                self.record.watches.push(PausedWatch {
                    process: self.process,
                    fd,
                    wd: watch.wd,
                    device: watch.device.0,
                    inode: watch.inode,
                    mask: watch.mask.0,
                    path: place.unwrap_or_default().into(),
                    held,
                });
            }
        }
    }
}
