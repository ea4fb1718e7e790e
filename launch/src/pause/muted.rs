//! Muting: the watches in the trees of a pause get a mask that reports nothing, in place, as `heal` changes masks.
//!
//! Each watch is muted right after a look at what it is on. Before that it no longer reports reads: it would report the look.

use super::held::{Held, is_supervisor};
use super::known::{Known, Snapshot, WatchId, open_at};
use super::looks::{Look, Looks};
use super::masks::reports_looks;
use super::notes::{Notes, PausedKey};
use super::plan::Plan;
use super::scope::Scope;
use super::state::{Inode, inode_of};
use super::store::Store;
use crate::heal::{self, Change, Refused, Stopped, Target, make_pass};
use inspect::gather::{Gaps, ProcessHandle, sees_as_we_do, supervisor_of, without_paths};
use inspect::model::{PauseRecord, Started};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

/// For finding what a process watches that may not be changed.
const PATH_TIMEOUT: Duration = Duration::from_secs(1);

/// A pause as its guardian has it.
pub struct Pause {
    /// What others may read of it.
    pub record: PauseRecord,
    /// The inodes whose watches were muted.
    pub known: BTreeMap<Inode, Known>,
    scope: Scope,
    places: HashMap<PausedKey, usize>,
    /// The command is running: who watches from now on knows what is there.
    pub begun: bool,
    /// What is not muted, as what it reports is withheld.
    pub held: Held,
}

/// What came of muting the watches of a process.
#[derive(Default)]
pub struct Outcome {
    /// Watches that were muted.
    pub muted: usize,
    /// What was not, as lines.
    pub failed: Vec<String>,
    /// Watches whose place is not known, on the file systems of the trees.
    pub unknown: usize,
    /// Inodes that are not held: their ends will be heard at once.
    pub not_held: usize,
}

impl Pause {
    /// Nothing is muted yet.
    pub fn new(record: PauseRecord) -> Pause {
        Pause {
            scope: Scope::of(&record),
            known: BTreeMap::new(),
            places: HashMap::new(),
            begun: false,
            held: Held::default(),
            record,
        }
    }

    /// Whether a guardian that was killed may have begun to tell what changed.
    pub fn is_half_told(&self) -> bool {
        self.record.over && !self.begun
    }

    /// Whether a process watches anything on the file systems of the trees that is not muted.
    pub fn concerns(&self, pid: u32) -> bool {
        let seen = without_paths(pid).unwrap_or_default();
        let mut seen = seen.iter();
        // A supervisor's copies are of what its programs have.
        seen.any(|watch| self.scope.fires(watch)) && !is_supervisor(pid)
    }

    /// Whether a process that may not be changed watches something in the trees, as far as it may be looked at.
    fn may_watch(&self, pid: u32) -> bool {
        let Ok(mut handle) = ProcessHandle::open(pid) else {
            return true;
        };
        handle.look(PATH_TIMEOUT, &mut Gaps::default());
        let mut watches = handle.process().inotify.iter().flat_map(|i| &i.watches);
        watches.any(|watch| {
            self.scope.fires(watch)
                && (watch.path.is_none() || self.scope.place(watch, true).is_some())
        })
    }

    /// Whether a process would hear the looks at what others watch.
    pub fn hears_looks(&self, pid: u32) -> bool {
        let seen = without_paths(pid).unwrap_or_default();
        let mut seen = seen.iter();
        // What a supervisor judges is not changed.
        seen.any(|watch| self.scope.reports_looks(watch)) && supervisor_of(pid).is_none()
    }

    /// Lets it hear no reads any more. Why that was not possible, [`mute`](Self::mute) says.
    pub fn mute_reads(&mut self, pid: u32, store: &Store) {
        let _ = self.step(pid, store, true);
    }

    /// Mutes, or has withheld, what a process that it [`concerns`](Self::concerns) watches in the trees. The record has it before the masks change.
    ///
    /// # Errors
    /// The process may not be changed though it watches something there.
    pub fn mute(&mut self, pid: u32, store: &Store) -> Result<Outcome, Refused> {
        self.step(pid, store, false)
    }

    fn step(&mut self, pid: u32, store: &Store, reads: bool) -> Result<Outcome, Refused> {
        let mut target = match Target::open(pid) {
            Ok(target) => target,
            Err(_) if !self.may_watch(pid) => return Ok(Outcome::default()),
            Err(refused) => return Err(refused),
        };
        let has_paths = sees_as_we_do(pid);
        if !has_paths {
            self.scope.seek(pid, self.begun);
        }
        let first = self.record.watches.len();
        // Who watches from now on knows what is there.
        let looks = match self.begun {
            true => Looks::default(),
            false => Looks::after(&self.known),
        };
        let mut plan = Plan::new((&self.scope, has_paths), &mut self.held, reads);
        let mut notes = Notes {
            process: Started {
                pid,
                ticks: target.handle.process().start_ticks.unwrap_or(0),
            },
            scope: &self.scope,
            has_paths,
            record: &mut self.record,
            places: &mut self.places,
        };
        let mut note = |target: &Target, changes: &[Change]| {
            notes.add_changed(target, changes);
            store.write(notes.record).map_err(|e| e.to_string())
        };
        type Mute<'a> = dyn FnMut() -> heal::Outcome + 'a;
        let around = |target: &Target, change: &Change, file: &OwnedFd, mute: &mut Mute<'_>| {
            match reports_looks(change.before) {
                true => mute(),
                false => looks.around(target, change, file, mute),
            }
        };
        let mut changes = |target: &Target| plan.changes(target);
        let pass = match make_pass(&mut target, &mut changes, &mut note, &around) {
            Ok(pass) => pass,
            Err(Stopped::Refused(refused)) => return Err(refused),
            Err(Stopped::Unprepared(why)) => return Err(Refused::NotPermitted(why)),
        };
        if reads {
            return Ok(Outcome::default());
        }
        let Plan { withheld, more, .. } = plan;
        notes.add_withheld(&target, &withheld);
        if more > 0 {
            // Nothing is to be restored by who finds it: it is to be read.
            let _ = store.write(notes.record);
        }
        let failed = pass
            .failed
            .iter()
            .map(|one| format!("{}: {}", one.place, one.why));
        let watches = target.handle.process().inotify.iter();
        let unknown = watches
            .flat_map(|instance| &instance.watches)
            .filter(|watch| has_paths && watch.path.is_none() && self.scope.fires(watch))
            .count();
        let done = pass
            .done
            .iter()
            .map(|d| (d.change.instance, d.change.wd))
            .chain(withheld)
            .collect();
        Ok(Outcome {
            muted: pass.done.len() + more,
            failed: failed.collect(),
            unknown,
            not_held: self.hold(&target, &done, &looks, (first, has_paths)),
        })
    }

    /// Holds the inodes of the watches that are `done`, with what they were at the looks. Returns of how many that was not
    /// possible. What the record has from `first` on is new.
    fn hold(
        &mut self,
        target: &Target,
        done: &HashSet<(usize, i32)>,
        looks: &Looks,
        (first, has_paths): (usize, bool),
    ) -> usize {
        let pid = target.pid();
        let new = self.record.watches.get(first..).unwrap_or_default();
        let new: HashSet<WatchId> = new.iter().map(|w| (pid, w.fd, w.wd)).collect();
        let opener = target.handle.opener();
        let mut not_held = 0;
        for (at, instance) in target.handle.process().inotify.iter().enumerate() {
            for (number, watch) in instance.watches.iter().enumerate() {
                if !done.contains(&(at, watch.wd)) {
                    continue;
                }
                let (file, snapshot) = match looks.take((at, watch.wd)) {
                    Some(Look { file, snapshot }) => (file, Some(snapshot)),
                    None => (None, None),
                };
                let inode = inode_of(watch);
                if let Some(known) = self.known.get_mut(&inode) {
                    let id = (pid, instance.fd, watch.wd);
                    // Who places a watch again is told what has changed since it was muted first.
                    if !self.begun || new.contains(&id) {
                        known.is_of(id, snapshot);
                    }
                    continue;
                }
                // By a mount of ours, if there is one: entries are moved within one mount only (rename(2), EXDEV).
                let own = (!has_paths)
                    .then(|| open_at(&self.scope.place(watch, has_paths)?, watch.inode));
                let file = || file.or_else(|| opener.open(at, number).ok()).map(Rc::new);
                let known = own.flatten().or_else(file).and_then(|file| {
                    let first = snapshot.or_else(|| Snapshot::of(&file))?;
                    Known::new(file, first)
                });
                match known {
                    Some(known) => drop(self.known.insert(inode, known)),
                    None => not_held += 1,
                }
            }
        }
        not_held
    }
}
