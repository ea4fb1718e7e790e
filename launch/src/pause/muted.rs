//! Muting: the watches in the trees of a pause get a mask that reports nothing, in place, as `heal` changes masks.

use super::changes::{Names, names};
use super::held::{Held, is_supervisor};
use super::state::{Inode, State, Time, now, state_since};
use super::store::Store;
use super::trees::Trees;
use crate::heal::{By, Change, Refused, Stopped, Target, make_pass};
use inspect::gather::{Gaps, ProcessHandle, sees_as_we_do, without_paths};
use inspect::model::{Device, PauseRecord, PausedWatch, Started, Watch};
use rules::event::{ALL_EVENTS, EXCL_UNLINK, ONESHOT, UNMOUNT};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What is known of a watched inode.
pub struct Known {
    /// As long as it is held it does not end, so that its watches do not report its end.
    pub fd: Rc<OwnedFd>,
    /// Where it was, as this program sees it.
    pub path: Vec<u8>,
    /// What it was when its first watches were muted; then for those that were placed later.
    pub snapshots: Vec<Snapshot>,
}

impl Known {
    /// What it was at first.
    pub fn state(&self) -> State {
        self.snapshots
            .first()
            .map_or_else(State::default, |first| first.state)
    }

    /// Whether it has no name any more.
    pub fn is_gone(&self) -> bool {
        let there = fs::symlink_metadata(Path::new(OsStr::from_bytes(&self.path)));
        let there = there.is_ok_and(|there| there.ino() == self.state().inode);
        // It may have been moved.
        !there && State::of(self.fd.as_fd()).is_ok_and(|now| now.is_unlinked() || self.is_dead())
    }

    /// The same of a directory, whose number of names does not tell it everywhere.
    fn is_dead(&self) -> bool {
        let link = fs::read_link(format!("/proc/self/fd/{}", self.fd.as_raw_fd()));
        // fs/d_path.c: what has no name any more.
        link.is_ok_and(|link| link.as_os_str().as_bytes().ends_with(b" (deleted)"))
    }
}

/// A watch, by PID, descriptor and watch descriptor.
pub type WatchId = (u32, i32, i32);

/// What an inode was when watches on it were muted.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// These watches; of the first snapshot, all that no other one names.
    pub of: Vec<WatchId>,
    /// What it was.
    pub state: State,
    /// Of a directory that could be listed: its entries.
    pub names: Option<Names>,
}

/// For finding what a process watches that may not be changed.
const PATH_TIMEOUT: Duration = Duration::from_secs(1);

/// The mask of a muted watch: UNMOUNT, which every watch has, and the flags that say when it ends.
pub fn muted(mask: u32) -> u32 {
    UNMOUNT | mask & (ONESHOT | EXCL_UNLINK)
}

fn fires(mask: u32) -> bool {
    mask & ALL_EVENTS != 0
}

/// A pause as its guardian has it.
pub struct Pause {
    /// What others may read of it.
    pub record: PauseRecord,
    /// The inodes whose watches were muted.
    pub known: BTreeMap<Inode, Known>,
    /// When the first look began.
    since: Time,
    trees: Trees,
    devices: HashSet<Device>,
    places: HashMap<PausedKey, usize>,
    /// The command is running: who watches from now on knows what is there.
    pub begun: bool,
    /// Inodes by what this program calls them, for processes that see other paths.
    own: Option<HashMap<Inode, Vec<u8>>>,
    /// What is not muted, as what it reports is withheld.
    pub held: Held,
}

type PausedKey = (Started, i32, i32, Inode);

fn key(watch: &PausedWatch) -> PausedKey {
    let inode = (watch.device, watch.inode);
    (watch.process, watch.fd, watch.wd, inode)
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
    pub fn new(record: PauseRecord, since: Time) -> Pause {
        let trees = Trees::of(&record);
        Pause {
            devices: trees.devices(),
            trees,
            known: BTreeMap::new(),
            since,
            places: HashMap::new(),
            begun: false,
            own: None,
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
        seen.any(|watch| self.devices.contains(&watch.device) && fires(watch.mask.0))
            && !is_supervisor(pid)
    }

    /// Whether a process that may not be changed watches something in the trees, as far as it may be looked at.
    fn may_watch(&self, pid: u32) -> bool {
        let Ok(mut handle) = ProcessHandle::open(pid) else {
            return true;
        };
        handle.look(PATH_TIMEOUT, &mut Gaps::default());
        let mut watches = handle.process().inotify.iter().flat_map(|i| &i.watches);
        watches.any(|watch| {
            let path = watch.path.as_ref();
            self.devices.contains(&watch.device)
                && fires(watch.mask.0)
                && path.is_none_or(|path| self.trees.have(path.as_bytes()))
        })
    }

    /// Mutes, or has withheld, what a process that it [`concerns`](Self::concerns) watches in the trees. The record has it before the masks change.
    ///
    /// # Errors
    /// The process may not be changed though it watches something there.
    pub fn mute(&mut self, pid: u32, store: &Store) -> Result<Outcome, Refused> {
        let on_them = |device| self.devices.contains(&device);
        let mut target = match Target::open(pid) {
            Ok(target) => target,
            Err(_) if !self.may_watch(pid) => return Ok(Outcome::default()),
            Err(refused) => return Err(refused),
        };
        let process = Started {
            pid,
            ticks: target.handle.process().start_ticks.unwrap_or(0),
        };
        let own = match sees_as_we_do(pid) {
            true => None,
            false => Some(&*self.own.get_or_insert_with(|| self.trees.inodes())),
        };
        let trees = &self.trees;
        let place = |watch: &Watch| -> Option<Vec<u8>> {
            match own {
                Some(own) => own.get(&(watch.device.0, watch.inode)).cloned(),
                None => watch.path.as_ref().map(|path| path.as_bytes().to_vec()),
            }
            .filter(|path| trees.have(path))
        };
        let (held, mut withheld, mut more) = (&mut self.held, HashSet::new(), 0);
        let mut plan = |target: &Target| {
            let mut changes: Vec<Change> = Vec::new();
            for (instance, seen) in target.handle.process().inotify.iter().enumerate() {
                let first = changes.len();
                for (at, watch) in seen.watches.iter().enumerate() {
                    let before = watch.mask.0;
                    if fires(before) && on_them(watch.device) && place(watch).is_some() {
                        changes.push(Change {
                            instance,
                            watch: at,
                            wd: watch.wd,
                            before,
                            after: muted(before),
                            by: By::Pause,
                        });
                    }
                }
                let wds: Vec<i32> = changes.iter().skip(first).map(|change| change.wd).collect();
                if !wds.is_empty()
                    && seen.thread.is_none()
                    && let Ok(new) = held.hold(pid, seen.fd, &wds)
                {
                    changes.truncate(first);
                    withheld.extend(wds.into_iter().map(|wd| (instance, wd)));
                    more += new;
                }
            }
            changes
        };
        let first = self.record.watches.len();
        // What is changed between the mute and the look at what is there has to be told.
        let since = if self.begun { now() } else { self.since };
        let (record, places) = (&mut self.record, &mut self.places);
        let noted = |fd: i32, watch: &Watch, held: bool| PausedWatch {
            process,
            fd,
            wd: watch.wd,
            device: watch.device.0,
            inode: watch.inode,
            mask: watch.mask.0,
            path: place(watch).unwrap_or_default().into(),
            held,
        };
        let mut note = |target: &Target, changes: &[Change]| {
            for change in changes {
                let instances = &target.handle.process().inotify;
                let instance = instances.get(change.instance);
                if let Some(instance) = instance
                    && let Some(watch) = instance.watches.get(change.watch)
                {
                    add(record, places, noted(instance.fd, watch, false));
                }
            }
            store.write(record).map_err(|e| e.to_string())
        };
        let pass = match make_pass(&mut target, &mut plan, &mut note) {
            Ok(pass) => pass,
            Err(Stopped::Refused(refused)) => return Err(refused),
            Err(Stopped::Unprepared(why)) => return Err(Refused::NotPermitted(why)),
        };
        let failed = pass
            .failed
            .iter()
            .map(|one| format!("{}: {}", one.place, one.why));
        let mut outcome = Outcome {
            muted: pass.done.len() + more,
            failed: failed.collect(),
            ..Outcome::default()
        };
        let done: HashSet<(usize, i32)> = pass
            .done
            .iter()
            .map(|d| (d.change.instance, d.change.wd))
            .chain(withheld.iter().copied())
            .collect();
        for (at, instance) in target.handle.process().inotify.iter().enumerate() {
            let watches = instance.watches.iter();
            for watch in watches.filter(|watch| withheld.contains(&(at, watch.wd))) {
                add(record, places, noted(instance.fd, watch, true));
            }
        }
        if more > 0 {
            // Nothing is to be restored by who finds it: it is to be read.
            let _ = store.write(record);
        }
        let mut new: HashMap<Inode, Vec<WatchId>> = HashMap::new();
        for watch in self.record.watches.get(first..).unwrap_or_default() {
            let inode = (watch.device, watch.inode);
            new.entry(inode)
                .or_default()
                .push((pid, watch.fd, watch.wd));
        }
        let opener = target.handle.opener();
        for (at, instance) in target.handle.process().inotify.iter().enumerate() {
            for (place, watch) in instance.watches.iter().enumerate() {
                let on_them = self.devices.contains(&watch.device);
                if on_them && watch.path.is_none() && fires(watch.mask.0) && own.is_none() {
                    outcome.unknown += 1;
                }
                let inode = (watch.device.0, watch.inode);
                if !done.contains(&(at, watch.wd)) {
                    continue;
                }
                if let Some(known) = self.known.get_mut(&inode) {
                    if let Some(of) = new.remove(&inode).filter(|_| self.begun) {
                        known.snapshots.extend(snapshot(&known.fd, since, of));
                    }
                    continue;
                }
                new.remove(&inode);
                match opener.open(at, place).ok().and_then(|fd| known(fd, since)) {
                    Some(known) => {
                        self.known.insert(inode, known);
                    }
                    None => outcome.not_held += 1,
                }
            }
        }
        Ok(outcome)
    }
}

/// Notes a watch in a record, whose watches have these places there.
fn add(record: &mut PauseRecord, places: &mut HashMap<PausedKey, usize>, new: PausedWatch) {
    let at = places.get(&key(&new));
    match at.and_then(|&at| record.watches.get_mut(at)) {
        Some(watch) => {
            // The program has placed it again meanwhile, perhaps to add to it.
            watch.mask |= new.mask;
            watch.held = new.held;
        }
        None => {
            places.insert(key(&new), record.watches.len());
            record.watches.push(new);
        }
    }
}

fn known(fd: OwnedFd, since: Time) -> Option<Known> {
    let path = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    Some(Known {
        path: path.into_os_string().into_vec(),
        snapshots: vec![snapshot(&fd, since, Vec::new())?],
        fd: Rc::new(fd),
    })
}

fn snapshot(fd: &OwnedFd, since: Time, of: Vec<WatchId>) -> Option<Snapshot> {
    let state = state_since(fd, since).ok()?;
    let names = state
        .is_dir()
        .then(|| names(fd.as_fd(), since).ok())
        .flatten();
    Some(Snapshot { of, state, names })
}
