//! The watches of a pause that ends: one kind of event is let through at a time, by the mask itself, so that what raises
//! it raises nothing else.

use super::found::{Found, Muted};
use super::known::Known;
use super::masks::{muted, reports_looks, without_reads};
use super::state::Inode;
use super::told::Told;
use crate::heal::{Outcome, Stray, Target, change_again, change_in_place, remove_strays};
use crate::replay::Replay;
use rules::event::{CLOSE_WRITE, DELETE, EXCL_UNLINK, MODIFY, ONESHOT};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// Which watches, by the masks they had.
pub type Only<'a> = &'a dyn Fn(u32) -> bool;

/// All of them.
pub const ALL: fn(u32) -> bool = |_| true;

/// Who does not hear of an end by DELETE.
pub fn no_delete(mask: u32) -> bool {
    mask & DELETE == 0
}

/// Who does not hear of writes.
pub fn no_writes(mask: u32) -> bool {
    mask & (MODIFY | CLOSE_WRITE) == 0
}

/// Who hears of no write to what cannot be opened, such as a symbolic link.
pub fn no_modify(mask: u32) -> bool {
    mask & MODIFY == 0
}

/// The watches.
pub struct Hearing {
    targets: Vec<Target>,
    watches: Vec<Muted>,
    /// By inode, the places of its watches.
    on: HashMap<Inode, Vec<usize>>,
    files: HashMap<Inode, Rc<OwnedFd>>,
    replay: Replay,
    /// Instances that have heard what they are to hear ([`Replay::One`]).
    served: HashSet<(usize, usize)>,
    /// Watches that were seen to be there.
    is_there: HashSet<usize>,
    /// Watches that have their masks again, but for reads.
    hears_all_but_reads: HashSet<usize>,
    /// By target: watches that were made by mistake.
    strays: Vec<Vec<Stray>>,
}

impl Hearing {
    /// The watches that were found, on inodes that are held.
    pub fn new(found: Found, files: HashMap<Inode, Rc<OwnedFd>>, replay: Replay) -> Hearing {
        let Found { targets, watches } = found;
        let mut on: HashMap<Inode, Vec<usize>> = HashMap::new();
        for (at, watch) in watches.iter().enumerate() {
            on.entry(watch.inode).or_default().push(at);
        }
        Hearing {
            strays: targets.iter().map(|_| Vec::new()).collect(),
            targets,
            watches,
            on,
            files,
            replay,
            served: HashSet::new(),
            is_there: HashSet::new(),
            hears_all_but_reads: HashSet::new(),
        }
    }

    /// The processes.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.targets.iter().map(Target::pid)
    }

    /// The inodes of watches that are not held.
    pub fn lost(&self) -> BTreeSet<Inode> {
        let inodes = self.on.keys().copied();
        inodes
            .filter(|inode| !self.files.contains_key(inode))
            .collect()
    }

    /// Gives the watches of such inodes the masks they had. Nothing else is held any more: there are descriptors again.
    pub fn restore_lost(
        &mut self,
        lost: &BTreeSet<Inode>,
        open: &dyn Fn(Inode) -> Option<Rc<OwnedFd>>,
        told: &mut Told,
    ) {
        self.files.clear();
        for &inode in lost {
            let before = told.restored;
            if let Some(file) = open(inode) {
                self.files.insert(inode, file);
                self.restore(inode, told);
                self.let_go(inode);
            }
            let restored = told.restored - before;
            told.untold += restored;
            told.not_restored += self.on(inode).count() - restored;
        }
    }

    /// The watches on an inode, with their places.
    pub fn on(&self, inode: Inode) -> impl Iterator<Item = (usize, &Muted)> {
        let places = self.on.get(&inode).into_iter().flatten();
        places.filter_map(|&at| Some((at, self.watches.get(at)?)))
    }

    /// The watches that were muted when an inode was as its snapshot number `at` says.
    pub fn muted_at(&self, inode: Inode, known: &Known, at: usize) -> Vec<usize> {
        let mut list = Vec::new();
        for (place, watch) in self.on(inode) {
            let mut later = known.snapshots.iter().skip(1);
            let later = later.position(|one| one.of.contains(&watch.id));
            if later.map_or(0, |later| later + 1) == at {
                list.push(place);
            }
        }
        list
    }

    /// How much is told.
    pub fn replay(&self) -> Replay {
        self.replay
    }

    /// The end of it.
    pub fn finish(self) {
        for (target, strays) in self.targets.iter().zip(&self.strays) {
            remove_strays(target, strays);
        }
    }

    /// Looks for all watches once, so that less is to be done for each later.
    pub fn prepare(&mut self) {
        for at in 0..self.watches.len() {
            if self.set(at, muted) {
                self.is_there.insert(at);
            }
        }
    }

    /// Lets one kind of event through, to the watches that ask for it and `only` those, while `act` is done. Nothing is
    /// done where there is none.
    pub fn phase(
        &mut self,
        watches: &[usize],
        event: u32,
        only: Only<'_>,
        told: &mut Told,
        act: impl FnOnce(&mut Told),
    ) {
        let hears = |at: &usize| self.hears(*at, event, only);
        let hears: Vec<usize> = watches.iter().copied().filter(hears).collect();
        if hears.is_empty() {
            return;
        }
        for &at in &hears {
            self.set(at, |mask| event | mask & (ONESHOT | EXCL_UNLINK));
        }
        act(told);
        for &at in &hears {
            self.set(at, muted);
            if self.replay == Replay::One
                && let Some(watch) = self.watches.get(at)
            {
                self.served.insert((watch.target, watch.instance));
            }
        }
    }

    fn hears(&self, at: usize, event: u32, only: Only<'_>) -> bool {
        self.watches.get(at).is_some_and(|watch| {
            watch.mask & event != 0
                && only(watch.mask)
                && !self.served.contains(&(watch.target, watch.instance))
        })
    }

    /// Whether one of them is to hear such an event.
    pub fn anybody(&self, watches: &[usize], event: u32, only: Only<'_>) -> bool {
        watches.iter().any(|&at| self.hears(at, event, only))
    }

    /// What is to be told of a list: all of it, or one of it to who hears one event.
    pub fn some_of<T: Clone>(&self, list: &[T], watches: &[usize], event: u32) -> Vec<T> {
        match self.replay {
            Replay::All => list.to_vec(),
            Replay::One if self.anybody(watches, event, &ALL) => {
                list.iter().take(1).cloned().collect()
            }
            Replay::One | Replay::None => Vec::new(),
        }
    }

    /// Lets the watches of an inode hear everything but reads: they would report the next look at it.
    pub fn hear(&mut self, inode: Inode) {
        for at in self.on.get(&inode).cloned().unwrap_or_default() {
            if self.set(at, without_reads) {
                self.hears_all_but_reads.insert(at);
            }
        }
    }

    /// Mutes them again.
    pub fn mute(&mut self, inode: Inode) {
        for at in self.on.get(&inode).cloned().unwrap_or_default() {
            if self.hears_all_but_reads.remove(&at) {
                self.set(at, muted);
            }
        }
    }

    /// Gives the watches of an inode the masks they had.
    pub fn restore(&mut self, inode: Inode, told: &mut Told) {
        for at in self.on.get(&inode).cloned().unwrap_or_default() {
            let reads = self.watches.get(at).is_some_and(|w| reports_looks(w.mask));
            // Others went, or were placed anew, meanwhile. One that ends with its first event may have ended since.
            let done = self.hears_all_but_reads.remove(&at) && !reads;
            told.restored += usize::from(done || self.set(at, |mask| mask));
        }
    }

    /// The inode is held no more.
    pub fn let_go(&mut self, inode: Inode) {
        self.files.remove(&inode);
    }

    fn set(&mut self, at: usize, mask: impl Fn(u32) -> u32) -> bool {
        let Some(watch) = self.watches.get(at) else {
            return false;
        };
        let target = self.targets.get(watch.target);
        let copy = target.and_then(|target| target.copy(watch.instance));
        let strays = self.strays.get_mut(watch.target);
        let file = self.files.get(&watch.inode);
        let (Some(copy), Some(file), Some(strays)) = (copy, file, strays) else {
            return false;
        };
        let (place, mask) = ((watch.instance, watch.wd), mask(watch.mask));
        let done = match self.is_there.contains(&at) {
            true => change_again(copy, file, place, mask, strays),
            false => change_in_place(copy, file, place, mask, strays),
        };
        done == Outcome::Done
    }
}
