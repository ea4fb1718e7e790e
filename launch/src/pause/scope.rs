//! What a pause covers: its trees, and what is watched there.

use super::masks::{fires, reports_looks};
use super::state::{Inode, inode_of};
use super::trees::{Listed, Trees};
use inspect::gather::without_paths;
use inspect::model::{Device, PauseRecord, Watch};
use std::collections::HashSet;

/// What a pause covers.
pub struct Scope {
    trees: Trees,
    /// The file systems of the trees.
    devices: HashSet<Device>,
    /// What lies in the trees, for processes that see it by other paths.
    listed: Listed,
}

impl Scope {
    /// Of a pause.
    pub fn of(record: &PauseRecord) -> Scope {
        let trees = Trees::of(record);
        Scope {
            devices: trees.devices(),
            trees,
            listed: Listed::default(),
        }
    }

    /// Whether a watch on the file systems of the trees reports anything.
    pub fn fires(&self, watch: &Watch) -> bool {
        fires(watch.mask.0) && self.devices.contains(&watch.device)
    }

    /// Whether it reports a look.
    pub fn reports_looks(&self, watch: &Watch) -> bool {
        reports_looks(watch.mask.0) && self.devices.contains(&watch.device)
    }

    /// The path of a watch in one of the trees: by its own path, or without one if the process sees other paths.
    pub fn place(&self, watch: &Watch, has_paths: bool) -> Option<Vec<u8>> {
        match has_paths {
            true => self.trees.place(watch.path.as_ref()?.as_bytes()),
            false => self.trees.place(self.listed.place(inode_of(watch))?),
        }
    }

    /// Looks for what a process watches that sees it by other paths; `again` as of [`Listed::seek`].
    pub fn seek(&mut self, pid: u32, again: bool) {
        let seen = without_paths(pid).unwrap_or_default().into_iter();
        let heard = seen.filter(|watch| self.fires(watch));
        let inodes: Vec<Inode> = heard.map(|watch| inode_of(&watch)).collect();
        self.listed.seek(&self.trees, &inodes, again);
    }
}
