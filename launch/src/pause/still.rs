//! What others change while the end of a pause is told.
//!
//! ```text
//! look --- changed ---> mute, tell, and look again
//!   |
//!   +-- as it was --> hear --> look --- as it was ---> masks back
//!                               |
//!                               +------ changed -----> mute, tell, and look again
//! ```
//!
//! What happens between a look and the moment from which the watches hear is found by the next look, and told. What they
//! have heard by then they hear twice.

use super::busy::Busy;
use super::changes::{Changes, Names};
use super::files::{self, ChangedFiles, States};
use super::resume::{Resume, entries};
use super::state::{Inode, State};
use crate::replay::Replay;
use std::collections::BTreeSet;
use std::os::fd::AsFd;

/// How often at most: somebody may never stop.
const ROUNDS: usize = 64;

impl Resume<'_> {
    /// Tells what somebody changes while the rest is told, until the watches of a directory hear and a look finds nothing
    /// else. What is changed just when they begin to hear is heard twice.
    pub fn tell_what_changes_still(&mut self, inode: Inode) {
        let Some(known) = self.known.get_mut(&inode) else {
            return;
        };
        known.merge();
        let path = known.path.clone();
        let fd = known.fd.clone();
        // Once somebody is seen to change it, and from the list on that is made then.
        let (mut busy, mut listed) = (None, false);
        let mut hear = false;
        for _ in 0..self.rounds() {
            let touched = busy.as_ref().filter(|_| listed).and_then(Busy::touched);
            let changes = match &touched {
                Some(names) => self.look_at(inode, names),
                None => self.look(inode),
            };
            listed = busy.is_some();
            match (changes.is_empty(), hear) {
                (true, true) => return,
                (true, false) => {
                    // Not before: what is aside in here may be another directory's.
                    self.telling.asides.leave(&path);
                    self.telling.hearing.hear(inode);
                    hear = true;
                }
                (false, _) => {
                    let mut more = Vec::new();
                    if hear {
                        self.telling.hearing.mute(inode);
                        hear = false;
                        let touched = busy.as_ref().and_then(Busy::touched);
                        // Where there were too many, the next look is a list.
                        listed = touched.is_some();
                        self.note_what_came(inode, touched.as_ref());
                        more = touched.map_or_else(Vec::new, |names| self.look_at(inode, &names));
                    }
                    if busy.is_none() {
                        // Without it each look is a list.
                        busy = Busy::watch(&fd).ok();
                    }
                    for changes in [changes, more] {
                        self.tell_dir(inode, changes, &mut ChangedFiles::new());
                    }
                }
            }
        }
        self.telling.asides.leave(&path);
    }

    /// What became of these names.
    fn look_at(&mut self, inode: Inode, names: &BTreeSet<Vec<u8>>) -> Vec<(usize, Changes)> {
        let Some(known) = self.known.get_mut(&inode) else {
            return Vec::new();
        };
        let (fd, own) = (known.fd.as_fd(), &self.telling.own);
        let snapshot = known.snapshots.first_mut();
        let Some(before) = snapshot.and_then(|one| one.names.as_mut()) else {
            return Vec::new();
        };
        let (mut was, mut is) = (Names::new(), Names::new());
        for name in names {
            let now = State::at(fd, name).ok().map(|state| own.take_out(state));
            let then = match now {
                Some(now) => {
                    is.insert(name.clone(), now);
                    before.insert(name.clone(), now)
                }
                None => before.remove(name),
            };
            was.extend(then.map(|then| (name.clone(), then)));
        }
        let changes = Changes::between(&was, &is);
        let some = (!changes.is_empty()).then_some((0, changes));
        some.into_iter().collect()
    }

    /// Names that came while the watches heard: nobody knows whether that was heard. They are among these names, or
    /// among all that are not known.
    fn note_what_came(&mut self, inode: Inode, names: Option<&BTreeSet<Vec<u8>>>) {
        let Some(known) = self.known.get_mut(&inode) else {
            return;
        };
        let Some(snapshot) = known.snapshots.first_mut() else {
            return;
        };
        match names {
            Some(names) => snapshot.add_uncertain(names.iter().cloned()),
            None => {
                // Where it cannot be listed, the next look says so.
                let all = entries(&known.fd, &self.telling.own).unwrap_or_default();
                snapshot.add_uncertain(all.into_keys());
            }
        }
    }

    /// Who is to hear one change has heard it.
    fn rounds(&self) -> usize {
        match self.telling.hearing.replay() {
            Replay::All => ROUNDS,
            Replay::One | Replay::None => 0,
        }
    }

    /// The same of files.
    pub fn tell_files_that_change_still(&mut self, files: &[Inode], mut before: States) {
        let mut hear = false;
        for _ in 0..self.rounds().max(1) {
            let now = files::states(self.known, files, &self.telling.own);
            let changed = self.changed_files(&now, &before);
            before = now;
            match (changed.is_empty(), hear) {
                (true, true) => return,
                (true, false) => {
                    for &inode in files {
                        self.telling.hearing.hear(inode);
                    }
                    hear = true;
                }
                (false, _) => {
                    for &inode in files {
                        self.telling.hearing.mute(inode);
                    }
                    hear = false;
                    files::tell(self.known, changed, &mut self.telling);
                }
            }
        }
    }
}
