//! The end of a pause: its watches are found again, hear once what changed meanwhile, and have the masks they had.
//!
//! ```text
//! directories, watched files               what became of their entries, and of them, found out
//! files and directories that are gone      masks back, then let go of: their ends are heard
//! directories, the deepest first           what became of their entries, told; to who watches the entries, too
//! files whose directory is not watched     what became of them, told
//! what was renamed                         told to who watches it
//! directories, the deepest first           what was changed since, told; masks back, unless more was changed
//! files                                    the same
//! ```

use super::aside::{Aside, Asides, is_aside, remove_unnoted};
use super::changes::{Changes, Names, names};
use super::files::{self, ChangedFiles, States};
use super::found::Found;
use super::hearing::Hearing;
use super::known::{Known, open_at};
use super::left::{put_back_what_is_aside, remove_stand_ins};
use super::moved;
use super::muted::Pause;
use super::operations::put_times_back;
use super::state::{Inode, OwnChanges, State};
use super::tell::{Of, Telling, Who};
use super::told::Told;
use super::trees::Trees;
use crate::replay::Replay;
use crate::sys::process::Hurry;
use inspect::gather::sees_as_we_do;
use inspect::model::PauseRecord;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Ends a pause: returns what was told. `note` is called with each directory that is made beside the trees, before
/// anything is put into it.
pub fn resume(pause: &mut Pause, note: &mut dyn FnMut(&PauseRecord)) -> Told {
    // Who restarts at the first event is to hear the last one before it watches again.
    let _hurry = Hurry::begin();
    let found = Found::of(&pause.record, pause.is_half_told());
    let files = pause
        .known
        .iter()
        .map(|(&inode, known)| (inode, known.fd.clone()));
    let replay = Replay::named(&pause.record.replay);
    let hearing = Hearing::new(found, files.collect(), replay);
    let lost = hearing.lost();
    let mut told = Told::default();
    if pause.is_half_told() {
        remove_stand_ins(&pause.known, &mut told);
        remove_unnoted(&pause.record);
    }
    put_back_what_is_aside(&pause.record, &pause.known, &mut told);
    let inside = hearing.pids().any(|pid| !sees_as_we_do(pid));
    let record = &mut pause.record;
    let trees = Trees::of(record);
    let mut note = |aside: &Aside| {
        record.aside.push(aside.path());
        note(record);
    };
    let asides = Asides::new(trees, inside, &mut note);
    let telling = Telling {
        hearing,
        asides,
        told,
        own: OwnChanges::default(),
        held: HashMap::new(),
    };
    let mut resume = Resume {
        known: &mut pause.known,
        telling,
    };
    resume.run();
    let Telling {
        mut hearing,
        asides,
        mut told,
        ..
    } = resume.telling;
    asides.finish();
    pause.known.clear();
    let watches = &pause.record.watches;
    let open = |inode: Inode| {
        let watch = watches.iter().find(|w| (w.device, w.inode) == inode)?;
        open_at(watch.path.as_bytes(), watch.inode)
    };
    hearing.restore_lost(&lost, &open, &mut told);
    hearing.finish();
    told
}

/// The end of a pause while it is told.
pub struct Resume<'a> {
    /// What was muted.
    pub known: &'a mut BTreeMap<Inode, Known>,
    /// Who hears of it.
    pub telling: Telling<'a>,
}

impl Resume<'_> {
    fn run(&mut self) {
        let (mut files, mut dirs) = (Vec::new(), Vec::new());
        for (&inode, known) in self.known.iter() {
            let list = if known.state().is_dir() {
                &mut dirs
            } else {
                &mut files
            };
            list.push((known.path.clone(), inode));
        }
        files.sort();
        // The deepest first: what is done in a directory is seen above, where all is mute still. So is the listing.
        dirs.sort_by(|a, b| b.cmp(a));
        let files: Vec<Inode> = files.into_iter().map(|(_, inode)| inode).collect();
        // From the first look on it is known what they hold now, and no more what they held.
        let held: HashMap<Inode, usize> = self
            .known
            .iter()
            .map(|(&inode, known)| (inode, known.entries()))
            .collect();
        // Before anything is told: who restarts at the first event is to hear the last one before it watches again.
        let mut changed = Vec::new();
        for (_, inode) in &dirs {
            self.telling.told.unlisted += self.unlisted(*inode);
            changed.push((*inode, self.look(*inode)));
        }
        let moved = moved::moved(self.known);
        let states = files::states(self.known, &files, &self.telling.own);
        let mut changed_files = self.changed_files(&states, &States::new());
        self.telling.hearing.prepare();
        for (inode, changes) in &changed {
            self.prepare(*inode, changes);
        }
        // Before the ends of what was there: who hears a name go and come in a row takes it for a rename, and goes on with
        // the watch that has ended.
        for (inode, changes) in &mut changed {
            self.tell_replaced(*inode, changes);
        }
        self.end_what_is_gone(&held);
        for (inode, changes) in changed {
            self.tell_dir(inode, changes, &mut changed_files);
            self.tell_rights(inode);
        }
        files::tell(self.known, changed_files, &mut self.telling);
        moved::tell(self.known, &moved, &mut self.telling);
        for (_, inode) in dirs {
            self.tell_what_changes_still(inode);
            self.restore(inode);
        }
        self.tell_files_that_change_still(&files, states);
        for inode in files {
            self.restore(inode);
        }
    }

    /// What became of watched files.
    pub fn changed_files(&self, now: &States, since: &States) -> ChangedFiles {
        files::changed(self.known, &self.telling.hearing, now, since)
    }

    fn restore(&mut self, inode: Inode) {
        self.telling.hearing.restore(inode, &mut self.telling.told);
    }

    /// Files and directories that have no name any more end now. `held` is how many entries each had.
    fn end_what_is_gone(&mut self, held: &HashMap<Inode, usize>) {
        let gone = self.known.iter().filter(|(_, known)| known.is_gone());
        for inode in gone.map(|(&inode, _)| inode).collect::<Vec<_>>() {
            let before = self.telling.told.restored;
            self.restore(inode);
            let told = &mut self.telling.told;
            told.ended += told.restored - before;
            told.ended_entries += held.get(&inode).copied().unwrap_or(0);
            self.telling.hearing.let_go(inode);
            self.known.remove(&inode);
        }
    }

    /// What became of a directory's entries since it was muted, or looked at last, by snapshot.
    pub fn look(&mut self, inode: Inode) -> Vec<(usize, Changes)> {
        let mut looked = Vec::new();
        let Some(known) = self.known.get_mut(&inode) else {
            return looked;
        };
        if self.telling.hearing.replay() == Replay::None {
            return looked;
        }
        if known.snapshots.iter().all(|one| one.names.is_none()) {
            return looked;
        }
        let now = match entries(&known.fd, &self.telling.own) {
            Ok(now) => now,
            Err(e) => {
                self.telling.told.failed(&known.path, b"", &e);
                return looked;
            }
        };
        for (at, snapshot) in known.snapshots.iter_mut().enumerate() {
            if let Some(before) = &mut snapshot.names {
                let changes = Changes::between(before, &now);
                if !changes.is_empty() {
                    before.clone_from(&now);
                    looked.push((at, changes));
                }
            }
        }
        looked
    }

    /// Snapshots of a directory that could not be listed when it was muted.
    fn unlisted(&self, inode: Inode) -> usize {
        let snapshots = self
            .known
            .get(&inode)
            .into_iter()
            .flat_map(|known| &known.snapshots);
        snapshots
            .filter(|snapshot| snapshot.names.is_none())
            .count()
    }

    /// Makes what telling a directory's changes takes, before it has to be quick.
    fn prepare(&mut self, inode: Inode, changes: &[(usize, Changes)]) {
        let Some(known) = self.known.get(&inode) else {
            return;
        };
        let path = known.path.clone();
        for (at, changes) in changes {
            let watches = self.watches_of(inode, *at);
            self.telling.prepare(&watches, &path, changes);
        }
    }

    /// Tells what became of a directory's entries to the watches that were muted at each snapshot, and to the watches of
    /// the entries themselves.
    pub fn tell_dir(
        &mut self,
        inode: Inode,
        mut changes: Vec<(usize, Changes)>,
        files: &mut ChangedFiles,
    ) {
        self.tell_replaced(inode, &mut changes);
        let Some(known) = self.known.get(&inode) else {
            return;
        };
        let (path, fd) = (known.path.clone(), known.fd.clone());
        for (at, changes) in changes {
            let Some(as_found) = self.as_found(&path, &fd) else {
                continue;
            };
            let mut who = Who {
                dir: self.watches_of(inode, at),
                ..Who::default()
            };
            // Who hears one event of each instance hears the file's own apart.
            if self.telling.hearing.replay() == Replay::All {
                who.add_files(inode.0, &changes, files);
            }
            let of = Of::Dir(&path, fd.as_fd());
            let never_told = self.telling.tell(&who, of, &changes);
            self.forget(inode, at, &never_told);
            leave_as_found(&fd, &as_found);
        }
    }

    /// What a directory was before anything is told in it.
    pub fn as_found(&self, path: &[u8], fd: &OwnedFd) -> Option<State> {
        // What is aside may be in here: that has changed the times.
        let as_found = self.telling.asides.found(path);
        as_found.or_else(|| State::of(fd.as_fd()).ok())
    }

    /// Names whose end is not to be told either.
    fn forget(&mut self, inode: Inode, at: usize, names: &HashSet<Vec<u8>>) {
        let known = self.known.get_mut(&inode);
        let snapshot = known.and_then(|known| known.snapshots.get_mut(at));
        if let Some(before) = snapshot.and_then(|snapshot| snapshot.names.as_mut()) {
            before.retain(|name, _| !names.contains(name));
        }
    }

    /// The watches that were muted at a snapshot.
    pub fn watches_of(&self, inode: Inode, at: usize) -> Vec<usize> {
        let known = self.known.get(&inode);
        known.map_or_else(Vec::new, |known| {
            self.telling.hearing.muted_at(inode, known, at)
        })
    }

    /// Tells a directory's own permissions and owner, unless they are told in the directory above.
    fn tell_rights(&mut self, inode: Inode) {
        let Some(known) = self.known.get(&inode) else {
            return;
        };
        let (path, fd) = (known.path.clone(), known.fd.clone());
        let was: Vec<State> = known.snapshots.iter().map(|one| one.state).collect();
        let Ok(now) = State::of(fd.as_fd()) else {
            return;
        };
        for (at, was) in was.into_iter().enumerate() {
            let mut others = self.known.values();
            if was.rights() == now.rights() || others.any(|dir| is_entry_of(&path, &dir.path)) {
                continue;
            }
            let changes = Changes {
                attributes: vec![(Vec::new(), now)],
                ..Changes::default()
            };
            let who = Who {
                dir: self.watches_of(inode, at),
                ..Who::default()
            };
            let of = Of::Itself(&path, fd.as_fd());
            self.telling.tell(&who, of, &changes);
        }
    }
}

/// A directory has the times it had.
pub fn leave_as_found(fd: &OwnedFd, as_found: &State) {
    if State::of(fd.as_fd()).is_ok_and(|now| now.modified != as_found.modified) {
        // Who is not the owner cannot.
        let _ = put_times_back(fd, as_found);
    }
}

/// What is in a directory, but for ours, and as it would be without what this program has done.
pub fn entries(dir: &OwnedFd, own: &OwnChanges) -> io::Result<Names> {
    let names = names(dir.as_fd(), (i64::MAX, 0))?;
    let others = names.into_iter().filter(|(name, _)| !is_aside(name));
    Ok(others
        .map(|(name, state)| (name, own.take_out(state)))
        .collect())
}

/// Whether a path is that of an entry of `dir`.
fn is_entry_of(path: &[u8], dir: &[u8]) -> bool {
    Path::new(OsStr::from_bytes(path)).parent() == Some(Path::new(OsStr::from_bytes(dir)))
}
