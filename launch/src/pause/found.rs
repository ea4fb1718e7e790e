//! The watches of a pause, found again: in the processes that have them now.

use super::known::WatchId;
use super::masks::{muted, without_reads};
use super::processes::watching;
use super::state::{Inode, inode_of};
use crate::heal::{SHOWN, Target};
use inspect::gather::{own_watches, without_paths};
use inspect::model::{PauseRecord, Watch};
use rules::event::ALL_EVENTS;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A watch that is to have its mask again.
pub struct Muted {
    /// The place of its process.
    pub target: usize,
    /// The place of its instance there.
    pub instance: usize,
    /// The watch descriptor.
    pub wd: i32,
    /// By what it was noted, in the process that has it.
    pub id: WatchId,
    /// The mask it had.
    pub mask: u32,
    /// What it is on.
    pub inode: Inode,
}

/// Processes, with copies of their instances, and the watches in them that are muted still.
#[derive(Default)]
pub struct Found {
    /// The processes.
    pub targets: Vec<Target>,
    /// The watches.
    pub watches: Vec<Muted>,
}

impl Found {
    /// The watches of a record. If it is `half_told`, one kind of event may be let through to them.
    pub fn of(record: &PauseRecord, half_told: bool) -> Found {
        let wanted = Wanted::of(record, half_told);
        let muted = record.watches.iter().filter(|watch| !watch.held);
        let pids: BTreeSet<u32> = muted.map(|w| w.process.pid).collect();
        let mut found = Found::default();
        for &pid in &pids {
            found.look_at(pid, &wanted);
        }
        // An instance may be another process's by now: that of a child of the one that has ended.
        let seen: HashSet<_> = found.watches.iter().map(|w| (w.wd, w.inode)).collect();
        if wanted.anywhere.keys().any(|key| !seen.contains(key)) {
            for pid in watching().into_iter().filter(|pid| !pids.contains(pid)) {
                let list = without_paths(pid).unwrap_or_default();
                if list
                    .iter()
                    .any(|watch| wanted.anywhere.contains_key(&key(watch)))
                {
                    found.look_at(pid, &wanted);
                }
            }
        }
        found
    }

    fn look_at(&mut self, pid: u32, wanted: &Wanted) {
        let Ok(target) = Target::open(pid) else {
            return;
        };
        let before = self.watches.len();
        for (instance, (fd, copy)) in target.instances().enumerate() {
            if self.targets.iter().any(|other| other.has_copy_of(copy)) {
                continue;
            }
            for watch in own_watches(copy) {
                if let Some(mask) = wanted.mask(pid, fd, &watch) {
                    self.watches.push(Muted {
                        target: self.targets.len(),
                        instance,
                        wd: watch.wd,
                        id: (pid, fd, watch.wd),
                        mask,
                        inode: key(&watch).1,
                    });
                }
            }
        }
        if self.watches.len() > before {
            self.targets.push(target);
        }
    }
}

type Key = (i32, Inode);

fn key(watch: &Watch) -> Key {
    (watch.wd, inode_of(watch))
}

/// The masks of a record.
#[derive(Default)]
struct Wanted {
    /// By process and descriptor.
    there: HashMap<(u32, i32, Key), u32>,
    /// By descriptor: a child has its parent's.
    inherited: HashMap<(i32, Key), BTreeSet<u32>>,
    /// Wherever the instance is.
    anywhere: HashMap<Key, BTreeSet<u32>>,
    half_told: bool,
}

impl Wanted {
    fn of(record: &PauseRecord, half_told: bool) -> Wanted {
        let mut wanted = Wanted {
            half_told,
            ..Wanted::default()
        };
        for watch in record.watches.iter().filter(|watch| !watch.held) {
            let key = (watch.wd, (watch.device, watch.inode));
            wanted
                .there
                .insert((watch.process.pid, watch.fd, key), watch.mask);
            wanted
                .inherited
                .entry((watch.fd, key))
                .or_default()
                .insert(watch.mask);
            wanted.anywhere.entry(key).or_default().insert(watch.mask);
        }
        wanted
    }

    /// The mask a watch is to have again, if it is one that was muted, and is still.
    fn mask(&self, pid: u32, fd: i32, watch: &Watch) -> Option<u32> {
        let key = key(watch);
        // Two that differ cannot be told apart: then the one that hears more.
        let all = |masks: &BTreeSet<u32>| masks.iter().fold(0, |all, mask| all | mask);
        let there = self.there.get(&(pid, fd, key)).copied();
        let mask = there
            .or_else(|| self.inherited.get(&(fd, key)).map(all))
            .or_else(|| self.anywhere.get(&key).map(all))?;
        let beyond = watch.mask.0 ^ muted(mask) & SHOWN;
        let one_kind =
            self.half_told && beyond & mask & ALL_EVENTS == beyond && beyond.is_power_of_two();
        // Its guardian was killed between two steps.
        let half_muted = watch.mask.0 & SHOWN == without_reads(mask) & SHOWN;
        (beyond == 0 || one_kind || half_muted).then_some(mask)
    }
}
