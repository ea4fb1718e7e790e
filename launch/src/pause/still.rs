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

use super::files::{self, ChangedFiles, States};
use super::replay::Replay;
use super::resume::Resume;
use super::state::Inode;

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
        let mut hear = false;
        for _ in 0..self.rounds() {
            let changes = self.look(inode);
            match (changes.is_empty(), hear) {
                (true, true) => return,
                (true, false) => {
                    // Not before: what is aside in here may be another directory's.
                    self.telling.asides.leave(&path);
                    self.telling.hearing.hear(inode);
                    hear = true;
                }
                (false, _) => {
                    if hear {
                        self.telling.hearing.mute(inode);
                        self.look_for_what_came(inode);
                        hear = false;
                    }
                    self.tell_dir(inode, changes, &mut ChangedFiles::new());
                }
            }
        }
        self.telling.asides.leave(&path);
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
