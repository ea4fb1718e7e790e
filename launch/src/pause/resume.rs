//! The end of a pause: its watches are found again, hear once what changed meanwhile, and have the masks they had.
//!
//! ```text
//! files and directories that are gone      masks back, then let go of: their ends are heard
//! files that are watched themselves        one kind of event at a time
//! directories, the deepest first           ends of names, new names, writes, attributes; mask back
//! files that are watched themselves        masks back
//! ```
//!
//! One kind of event is let through at a time, by the mask itself: so what raises it raises nothing else.

use super::aside::{Aside, is_aside};
use super::found::{Found, Muted};
use super::muted::{Inode, Known, Pause, muted};
use super::operations::{At, give_back, lend, made_and_removed, put_in, put_times_back, take_out};
use super::processes::watching;
use super::state::{Changes, Names, State, names, without_times};
use super::told::Told;
use super::trees::Trees;
use crate::heal::{Outcome, Stray, Target, change_in_place, remove_strays};
use inspect::gather::{sees_as_we_do, without_paths};
use inspect::model::PauseRecord;
use rules::event::{
    ATTRIB, CLOSE_WRITE, CREATE, DELETE, EXCL_UNLINK, MODIFY, MOVED_FROM, MOVED_TO, ONESHOT,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

/// What is told of what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Replay {
    /// Every change, once
    All,
    /// One change to each instance: for programs that restart at each event they hear
    One,
    /// Nothing
    None,
}

impl Replay {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Replay::All => "all",
            Replay::One => "one",
            Replay::None => "none",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Replay {
        match name {
            "one" => Replay::One,
            "none" => Replay::None,
            _ => Replay::All,
        }
    }
}

/// How often a directory that changes while its changes are told is looked at again.
const ROUNDS: usize = 4;

/// Which watches, by the masks they had.
type Only<'a> = &'a dyn Fn(u32) -> bool;

const ALL: fn(u32) -> bool = |_| true;

struct Resume<'a> {
    targets: Vec<Target>,
    watches: Vec<Muted>,
    /// By inode, the places of its watches.
    on: HashMap<Inode, Vec<usize>>,
    known: &'a mut BTreeMap<Inode, Known>,
    trees: Trees,
    asides: Vec<Aside>,
    /// What is watched, by anybody that can be looked at; found when it is needed.
    watched: Option<HashSet<Inode>>,
    replay: Replay,
    /// Instances that have heard what they are to hear ([`Replay::One`]).
    served: HashSet<(usize, usize)>,
    told: Told,
    next: usize,
    /// By target: watches that were made by mistake.
    strays: Vec<Vec<Stray>>,
}

/// Ends a pause: returns what was told. `note` is called with each directory that is made beside the trees, before
/// anything is put into it.
pub fn resume(pause: &mut Pause, note: &mut dyn FnMut(&PauseRecord)) -> Told {
    let Found { targets, watches } = Found::of(&pause.record);
    let mut on: HashMap<Inode, Vec<usize>> = HashMap::new();
    for (at, watch) in watches.iter().enumerate() {
        on.entry(watch.inode).or_default().push(at);
    }
    let lost = watches
        .iter()
        .filter(|w| !pause.known.contains_key(&w.inode))
        .count();
    let mut resume = Resume {
        told: Told {
            not_restored: lost,
            ..Told::default()
        },
        targets,
        watches,
        on,
        trees: Trees::of(&pause.record),
        known: &mut pause.known,
        asides: Vec::new(),
        watched: None,
        replay: Replay::named(&pause.record.replay),
        served: HashSet::new(),
        next: 0,
        strays: Vec::new(),
    };
    resume.strays.resize_with(resume.targets.len(), Vec::new);
    resume.put_back_what_is_aside(&pause.record);
    resume.run(&mut |aside| {
        pause.record.aside.push(aside.path());
        note(&pause.record);
    });
    for (target, strays) in resume.targets.iter().zip(&resume.strays) {
        remove_strays(target, strays);
    }
    for aside in &resume.asides {
        // What could not be put back is still in it, and was told.
        let _ = aside.remove();
    }
    resume.told
}

impl Resume<'_> {
    fn run(&mut self, note: &mut dyn FnMut(&Aside)) {
        self.end_what_is_gone();
        let mut files = Vec::new();
        let mut dirs = Vec::new();
        for (&inode, known) in self.known.iter() {
            match known.state().is_dir() {
                true => dirs.push((known.path.clone(), inode)),
                false => files.push((known.path.clone(), inode)),
            }
        }
        files.sort();
        let mut states = HashMap::new();
        for (_, inode) in &files {
            states.insert(*inode, self.tell_file(*inode, None));
        }
        // The deepest first: what is done in a directory is seen above.
        dirs.sort_by(|a, b| b.cmp(a));
        for (_, inode) in &dirs {
            self.tell_dir(*inode, false, note);
        }
        // Nobody but who hears of the changes of a directory hears that it is listed: the ones above are mute still.
        for (_, inode) in dirs {
            self.tell_dir(inode, true, note);
            self.restore(inode);
        }
        for (_, inode) in files {
            self.tell_file(inode, states.remove(&inode).flatten());
            self.restore(inode);
        }
    }

    /// Files and directories that have no name any more end now.
    fn end_what_is_gone(&mut self) {
        let gone = |known: &Known| {
            let there = fs::symlink_metadata(Path::new(OsStr::from_bytes(&known.path)));
            let there = there.is_ok_and(|there| there.ino() == known.state().inode);
            // A directory may have been moved: it is there as long as it can be listed.
            !there
                && State::of(known.fd.as_fd()).is_ok_and(|now| now.is_unlinked() || is_dead(known))
        };
        let gone: Vec<Inode> = self
            .known
            .iter()
            .filter(|(_, known)| gone(known))
            .map(|(&inode, _)| inode)
            .collect();
        for inode in gone {
            self.restore(inode);
            self.known.remove(&inode);
            self.told.ended += 1;
        }
    }

    /// Tells what became of a file that is watched itself: since it was muted, or since a state. Returns what it is now.
    fn tell_file(&mut self, inode: Inode, since: Option<State>) -> Option<State> {
        let known = self.known.get(&inode)?;
        let (fd, path) = (known.fd.clone(), known.path.clone());
        for at in 0..known.snapshots.len() {
            let now = State::of(fd.as_fd()).ok()?;
            let was = self.known.get(&inode)?.snapshots.get(at)?.state;
            let became = match since {
                // This program does not change that.
                Some(since) if since.modified == now.modified => continue,
                Some(since) => since.became(&now),
                None => was.became(&now),
            };
            let list = |is: bool| {
                if is {
                    vec![(Vec::new(), now)]
                } else {
                    Vec::new()
                }
            };
            let changes = Changes {
                written: list(became.written),
                attributes: list(became.attributes),
                ..Changes::default()
            };
            let watches = self.watches_of(inode, at);
            self.tell_writes(&watches, &path, (None, fd.as_fd()), &changes);
        }
        State::of(fd.as_fd()).ok()
    }

    /// Tells what became of a directory's entries: since it was muted, or since that was told.
    fn tell_dir(&mut self, inode: Inode, again: bool, note: &mut dyn FnMut(&Aside)) {
        // Who is to hear nothing, or one change, has heard it.
        if self.replay == Replay::None || again && self.replay == Replay::One {
            return;
        }
        let count = self
            .known
            .get(&inode)
            .map_or(0, |known| known.snapshots.len());
        for at in 0..count {
            let names = self.names(inode, at).and_then(Option::take);
            match names {
                Some(before) => {
                    let told = self.tell_entries(inode, at, before, again, note);
                    if let Some(names) = self.names(inode, at) {
                        *names = told;
                    }
                }
                None => self.told.unlisted += usize::from(!again),
            }
        }
    }

    fn names(&mut self, inode: Inode, at: usize) -> Option<&mut Option<Names>> {
        let known = self.known.get_mut(&inode)?;
        Some(&mut known.snapshots.get_mut(at)?.names)
    }

    /// The watches that were muted when an inode was as a snapshot says.
    fn watches_of(&self, inode: Inode, at: usize) -> Vec<usize> {
        let Some(known) = self.known.get(&inode) else {
            return Vec::new();
        };
        let snapshot = |place: usize| {
            let id = self.watches.get(place)?.id;
            let later = known
                .snapshots
                .iter()
                .skip(1)
                .position(|one| one.of.contains(&id));
            Some(later.map_or(0, |later| later + 1))
        };
        let all = self.on.get(&inode).into_iter().flatten().copied();
        all.filter(|&place| snapshot(place) == Some(at)).collect()
    }

    /// Tells it to the watches of one snapshot. Returns what the entries are then.
    fn tell_entries(
        &mut self,
        inode: Inode,
        at: usize,
        mut before: Names,
        again: bool,
        note: &mut dyn FnMut(&Aside),
    ) -> Option<Names> {
        let known = self.known.get(&inode)?;
        let (path, fd) = (known.path.clone(), known.fd.clone());
        let state = known.snapshots.get(at)?.state;
        let watches = self.watches_of(inode, at);
        // What somebody changes while it is told is told as well.
        for _ in 0..ROUNDS {
            let now = match entries(&fd) {
                Ok(now) if again => without_times(&now, &before),
                Ok(now) => now,
                Err(e) => {
                    self.told.failed(&path, b"", &e);
                    return None;
                }
            };
            let changes = Changes::between(&before, &now);
            if changes.is_empty() {
                break;
            }
            let as_found = State::of(fd.as_fd()).ok();
            self.tell_gone(&watches, (&path, &fd), &changes, note);
            self.tell_new(&watches, (&path, &fd), &changes, note);
            self.tell_writes(&watches, &path, (Some(fd.as_fd()), fd.as_fd()), &changes);
            for aside in self.asides.extract_if(.., |aside| aside.is_in(&path)) {
                let _ = aside.remove();
            }
            if let Some(as_found) = as_found
                && State::of(fd.as_fd()).is_ok_and(|now| now.modified != as_found.modified)
            {
                // Who is not the owner cannot.
                let _ = put_times_back(&fd, &as_found);
            }
            let Ok(after) = entries(&fd) else { break };
            before = without_times(&now, &after);
        }
        let has_other_rights =
            State::of(fd.as_fd()).is_ok_and(|now| state.rights() != now.rights());
        // Where the directory above is watched too, it is told there.
        let is_below_another = || {
            self.known
                .values()
                .any(|above| is_entry_of(&path, &above.path))
        };
        if !again && has_other_rights && !is_below_another() {
            self.phase(&watches, ATTRIB, &ALL, |told| {
                let done = At::Open(fd.as_fd()).attrib();
                told.done(&path, b"", done, |told| &mut told.attributes);
            });
        }
        Some(before)
    }

    fn tell_gone(
        &mut self,
        watches: &[usize],
        (path, fd): (&[u8], &impl AsFd),
        changes: &Changes,
        note: &mut dyn FnMut(&Aside),
    ) {
        let gone = self.some_of(&changes.gone, watches, DELETE | MOVED_FROM);
        self.phase(watches, DELETE, &ALL, |told| {
            for (name, is_dir) in &gone {
                let done = made_and_removed(fd.as_fd(), name, *is_dir);
                told.done(path, name, done, |told| &mut told.gone);
            }
        });
        let only = |mask: u32| mask & DELETE == 0;
        if !self.anybody(watches, MOVED_FROM, &only) || gone.is_empty() {
            return;
        }
        let Some((aside, first)) = self.aside(path, gone.len(), note) else {
            return;
        };
        for (at, (name, is_dir)) in gone.iter().enumerate() {
            let number = (first + at).to_string();
            let number = (aside.as_fd(), number.as_str());
            if let Err(e) = put_in((fd.as_fd(), name), number, *is_dir) {
                self.told.failed(path, name, &e);
                continue;
            }
            self.phase(watches, MOVED_FROM, &only, |told| {
                let done = take_out((fd.as_fd(), name), number, *is_dir);
                told.done(path, name, done, |told| &mut told.gone);
            });
        }
    }

    /// New names come back from aside. Files that took the place of others do for who hears of writes in no other way.
    fn tell_new(
        &mut self,
        watches: &[usize],
        (path, fd): (&[u8], &impl AsFd),
        changes: &Changes,
        note: &mut dyn FnMut(&Aside),
    ) {
        let no_writes = |mask: u32| mask & (MODIFY | CLOSE_WRITE) == 0;
        let replaced = match self.anybody(watches, MOVED_TO, &no_writes) {
            true => &changes.replaced[..],
            false => &[],
        };
        let unheard = |mask: u32| mask & CREATE != 0 && mask & MOVED_TO == 0;
        if !changes.new.is_empty() && self.anybody(watches, CREATE, &unheard) {
            self.told.only_create += changes.new.len();
        }
        for (list, only) in [(&changes.new[..], &ALL as Only<'_>), (replaced, &no_writes)] {
            let list = self.some_of(list, watches, MOVED_TO);
            if list.is_empty() || !self.anybody(watches, MOVED_TO, only) {
                continue;
            }
            let Some((aside, first)) = self.aside(path, list.len(), note) else {
                self.told.not_announced += list.len();
                continue;
            };
            let mut lent = Vec::new();
            for (at, (name, _)) in list.iter().enumerate() {
                let number = (first + at).to_string();
                let way = self.way(path, &number);
                match lend((fd.as_fd(), name), (aside.as_fd(), &number), &way) {
                    Ok(()) => lent.push((name, number, way)),
                    Err(e) => self.told.failed(path, name, &e),
                }
            }
            let back = |told: &mut Told| {
                for (name, number, way) in &lent {
                    let done = give_back((fd.as_fd(), name), (aside.as_fd(), number), way);
                    told.done(path, name, done, |told| &mut told.new);
                }
            };
            self.phase(watches, MOVED_TO, only, back);
        }
    }

    /// Tells of writes and attributes: of entries of `dir`, or of the open file itself.
    fn tell_writes(
        &mut self,
        watches: &[usize],
        path: &[u8],
        (dir, file): (Option<BorrowedFd<'_>>, BorrowedFd<'_>),
        changes: &Changes,
    ) {
        // A new file was announced to who hears of new names.
        let no_names = |mask: u32| mask & MOVED_TO == 0;
        let new = changes
            .new
            .iter()
            .filter(|(_, state)| !state.is_dir())
            .cloned();
        let new: Vec<_> = new.collect();
        let known = [&changes.written[..], &changes.replaced[..]].concat();
        for (list, only) in [(known, &ALL as Only<'_>), (new, &no_names)] {
            let list = self.some_of(&list, watches, MODIFY | CLOSE_WRITE);
            if list.is_empty() {
                continue;
            }
            let mut unowned = HashSet::new();
            self.phase(watches, MODIFY, only, |told| {
                for (name, _) in &list {
                    let done = place(dir, file, name).modify();
                    if done.is_err() {
                        unowned.insert(name.clone());
                    }
                    told.done(path, name, done, |told| &mut told.written);
                }
            });
            // A program that is being run cannot be opened; who hears MODIFY knows already.
            let both = |mask: u32| only(mask) && mask & MODIFY != 0;
            let runnable = |(name, state): &&(Vec<u8>, State)| {
                !state.is_executable() || unowned.contains(name)
            };
            let plain: Vec<_> = list.iter().filter(runnable).cloned().collect();
            let just = |mask: u32| only(mask) && mask & MODIFY == 0;
            for (list, only) in [(&plain, &both as Only<'_>), (&list, &just)] {
                self.phase(watches, CLOSE_WRITE, only, |told| {
                    for (name, _) in list {
                        let done = place(dir, file, name).close_write();
                        told.done(path, name, done, |told| &mut told.closed);
                    }
                });
            }
        }
        let attributes = self.some_of(&changes.attributes, watches, ATTRIB);
        self.phase(watches, ATTRIB, &ALL, |told| {
            for (name, _) in &attributes {
                told.done(path, name, place(dir, file, name).attrib(), |told| {
                    &mut told.attributes
                });
            }
        });
    }

    /// Lets one kind of event through, to the watches that ask for it and `only` those, while `act` is done. Nothing is
    /// done where there is none.
    fn phase(
        &mut self,
        watches: &[usize],
        event: u32,
        only: Only<'_>,
        act: impl FnOnce(&mut Told),
    ) {
        let hears: Vec<usize> = watches
            .iter()
            .copied()
            .filter(|&at| self.hears(at, event, only))
            .collect();
        if hears.is_empty() {
            return;
        }
        for &at in &hears {
            self.set(at, |mask| event | mask & (ONESHOT | EXCL_UNLINK));
        }
        act(&mut self.told);
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

    fn anybody(&self, watches: &[usize], event: u32, only: Only<'_>) -> bool {
        watches.iter().any(|&at| self.hears(at, event, only))
    }

    /// What is to be told of a list: all of it, or one of it to who hears one event.
    fn some_of<T: Clone>(&self, list: &[T], watches: &[usize], event: u32) -> Vec<T> {
        match self.replay {
            Replay::All => list.to_vec(),
            Replay::One if self.anybody(watches, event, &ALL) => {
                list.first().cloned().into_iter().collect()
            }
            Replay::One | Replay::None => Vec::new(),
        }
    }

    /// Gives the watches of an inode the masks they had.
    fn restore(&mut self, inode: Inode) {
        for at in self.on.get(&inode).cloned().unwrap_or_default() {
            match self.set(at, |mask| mask) {
                true => self.told.restored += 1,
                false => self.told.vanished += 1,
            }
        }
    }

    fn set(&mut self, at: usize, mask: impl Fn(u32) -> u32) -> bool {
        let Some(watch) = self.watches.get(at) else {
            return false;
        };
        let target = self.targets.get(watch.target);
        let copy = target.and_then(|target| target.copy(watch.instance));
        let (Some(copy), Some(known)) = (copy, self.known.get(&watch.inode)) else {
            return false;
        };
        let place = (watch.instance, watch.wd);
        let Some(strays) = self.strays.get_mut(watch.target) else {
            return false;
        };
        let done = change_in_place(copy, &known.fd, place, mask(watch.mask), strays);
        done == Outcome::Done
    }

    /// A place beside the trees for `count` entries of the directory at `path`, and the first number that is free there.
    fn aside(
        &mut self,
        path: &[u8],
        count: usize,
        note: &mut dyn FnMut(&Aside),
    ) -> Option<(Rc<OwnedFd>, usize)> {
        let dir = Path::new(OsStr::from_bytes(path));
        let device = fs::metadata(dir).ok()?.dev();
        if !self.asides.iter().any(|aside| aside.is_on(device)) {
            let others = self
                .targets
                .iter()
                .any(|target| !sees_as_we_do(target.pid()));
            let watched = self.watched.get_or_insert_with(all_watched);
            match Aside::make(dir, &self.trees, watched, others) {
                Ok(aside) => {
                    note(&aside);
                    self.asides.push(aside);
                }
                Err(e) => {
                    self.told.failed(path, b"", &e);
                    return None;
                }
            }
        }
        let aside = self.asides.iter().find(|aside| aside.is_on(device))?;
        let first = self.next;
        self.next += count;
        Some((aside.fd(), first))
    }

    fn way(&self, path: &[u8], number: &str) -> Vec<u8> {
        let device = fs::metadata(Path::new(OsStr::from_bytes(path))).map(|at| at.dev());
        let aside = device
            .ok()
            .and_then(|device| self.asides.iter().find(|a| a.is_on(device)));
        aside
            .map(|aside| aside.way(path, number))
            .unwrap_or_default()
    }

    /// A guardian that was killed may have left entries aside, with symbolic links in their places.
    fn put_back_what_is_aside(&mut self, record: &PauseRecord) {
        for aside in record.aside.iter().filter_map(Aside::left) {
            for known in self.known.values().filter(|known| known.state().is_dir()) {
                let Ok(now) = names(known.fd.as_fd(), (i64::MAX, 0)) else {
                    continue;
                };
                for (name, state) in now {
                    if state.mode & libc::S_IFMT != libc::S_IFLNK {
                        continue;
                    }
                    let Some((number, way)) = aside.number_of(known.fd.as_fd(), &known.path, &name)
                    else {
                        continue;
                    };
                    let done = give_back(
                        (known.fd.as_fd(), &name),
                        (aside.fd().as_fd(), &number),
                        &way,
                    );
                    if let Err(e) = done {
                        self.told.failed(&known.path, &name, &e);
                    }
                }
            }
            if aside.remove().is_err() {
                self.told.left_aside.push(aside.path());
            }
        }
    }
}

/// Whether a directory has been removed: nothing can be made in it, and nothing is in it.
fn is_dead(known: &Known) -> bool {
    let link = fs::read_link(format!("/proc/self/fd/{}", known.fd.as_raw_fd()));
    // fs/d_path.c: what has no name any more.
    link.is_ok_and(|link| link.as_os_str().as_bytes().ends_with(b" (deleted)"))
}

/// What is in a directory, but for ours.
fn entries(dir: &OwnedFd) -> io::Result<Names> {
    let mut names = names(dir.as_fd(), (i64::MAX, 0))?;
    names.retain(|name, _| !is_aside(name));
    Ok(names)
}

/// An entry of `dir`, or without one the file itself.
fn place<'a>(dir: Option<BorrowedFd<'a>>, file: BorrowedFd<'a>, name: &'a [u8]) -> At<'a> {
    match dir {
        Some(dir) => At::Entry(dir, name),
        None => At::Open(file),
    }
}

/// Whether a path is that of an entry of `dir`.
fn is_entry_of(path: &[u8], dir: &[u8]) -> bool {
    Path::new(OsStr::from_bytes(path)).parent() == Some(Path::new(OsStr::from_bytes(dir)))
}

/// All inodes that are watched, by whom this program may look at.
fn all_watched() -> HashSet<Inode> {
    let watches = watching().into_iter().filter_map(without_paths).flatten();
    watches.map(|watch| (watch.device.0, watch.inode)).collect()
}
