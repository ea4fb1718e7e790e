//! Watched files: what became of them is told together with their directory's changes, else apart.

use super::changes::Changes;
use super::hearing::Hearing;
use super::known::Known;
use super::state::{Inode, OwnChanges, State};
use super::tell::{Of, Telling, Who};
use crate::replay::Replay;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::AsFd;

/// What files are, by inode.
pub type States = HashMap<Inode, State>;

/// A file that is watched itself and has changed.
pub struct ChangedFile {
    /// What it is now.
    pub now: State,
    /// The watches that are to hear that it was written to.
    pub written: Vec<usize>,
    /// Those that are to hear of its attributes.
    pub attributes: Vec<usize>,
}

/// Such files.
pub type ChangedFiles = HashMap<Inode, ChangedFile>;

impl Who {
    /// One event tells the directory's watches and the file's own.
    pub fn add_files(&mut self, device: u32, changes: &Changes, files: &mut ChangedFiles) {
        let mut own = |state: &State, which: fn(&mut ChangedFile) -> &mut Vec<usize>| {
            let file = files.get_mut(&(device, state.inode));
            file.map(|file| std::mem::take(which(file)))
                .unwrap_or_default()
        };
        for (_, state) in &changes.written {
            self.written.extend(own(state, |file| &mut file.written));
        }
        for (_, state) in &changes.attributes {
            self.attributes
                .extend(own(state, |file| &mut file.attributes));
        }
    }
}

/// What these files are now, but for what this program has done to them.
pub fn states(known: &BTreeMap<Inode, Known>, files: &[Inode], own: &OwnChanges) -> States {
    let state = |inode: &Inode| {
        let now = State::of(known.get(inode)?.fd.as_fd()).ok()?;
        Some((*inode, own.take_out(now)))
    };
    files.iter().filter_map(state).collect()
}

/// What became of files: since they were muted, or since they were looked at.
pub fn changed(
    known: &BTreeMap<Inode, Known>,
    hearing: &Hearing,
    now: &States,
    since: &States,
) -> ChangedFiles {
    let mut changed = ChangedFiles::new();
    for (&inode, &now) in now {
        let Some(known) = known.get(&inode) else {
            continue;
        };
        let mut file = ChangedFile {
            now,
            written: Vec::new(),
            attributes: Vec::new(),
        };
        // To rename it has set the time as well.
        let was_renamed = known.path_now().is_some_and(|path| path != known.path);
        for (at, snapshot) in known.snapshots.iter().enumerate() {
            let became = since.get(&inode).unwrap_or(&snapshot.state).became(&now);
            if became.written {
                file.written.extend(hearing.muted_at(inode, known, at));
            }
            if became.attributes && !(became.time_alone && was_renamed) {
                file.attributes.extend(hearing.muted_at(inode, known, at));
            }
        }
        if !file.written.is_empty() || !file.attributes.is_empty() {
            changed.insert(inode, file);
        }
    }
    changed
}

/// Tells what became of files, where their directories' changes have not told it.
pub fn tell(known: &BTreeMap<Inode, Known>, changed: ChangedFiles, telling: &mut Telling<'_>) {
    let mut paths = BTreeMap::new();
    for (inode, file) in changed {
        if let Some(known) = known.get(&inode) {
            paths.insert(known.path.clone(), (known.fd.clone(), file));
        }
    }
    // Who hears one event may be another file's watcher, who has to hear of that one.
    let at_once = match telling.hearing.replay() {
        Replay::One => 1,
        Replay::All | Replay::None => usize::MAX,
    };
    let mut paths = paths.into_iter().peekable();
    while paths.peek().is_some() {
        let (mut files, mut changes, mut who) =
            (BTreeMap::new(), Changes::default(), Who::default());
        for (path, (fd, file)) in paths.by_ref().take(at_once) {
            if !file.written.is_empty() {
                changes.written.push((path.clone(), file.now));
            }
            if !file.attributes.is_empty() {
                changes.attributes.push((path.clone(), file.now));
            }
            who.written.extend(file.written);
            who.attributes.extend(file.attributes);
            files.insert(path, fd);
        }
        telling.tell(&who, Of::Files(&files), &changes);
    }
}
