//! What is known of what is watched: as it was when its watches were muted.

use super::changes::{Names, names};
use super::state::{State, now, state_since};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;

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
    /// An open file, and what it was at first.
    pub fn new(fd: Rc<OwnedFd>, first: Snapshot) -> Option<Known> {
        let path = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
        Some(Known {
            path: path.into_os_string().into_vec(),
            snapshots: vec![first],
            fd,
        })
    }

    /// One more watch on it was muted, after a look; without one it is as it was at the last.
    pub fn is_of(&mut self, watch: WatchId, look: Option<Snapshot>) {
        self.snapshots.extend(look);
        // All that no other snapshot names are of the first.
        if let [_, .., last] = &mut self.snapshots[..] {
            last.of.push(watch);
        }
    }

    /// All watches on it know the same by now, but for names that some were never told of: their end is told to all.
    pub fn merge(&mut self) {
        if let [first, later @ ..] = &mut self.snapshots[..] {
            let names = later.iter_mut().filter_map(|one| one.names.take());
            for (name, state) in names.flatten() {
                let known = first.names.get_or_insert_default();
                known.entry(name).or_insert(state);
            }
        }
        self.snapshots.truncate(1);
    }

    /// What it was at first.
    pub fn state(&self) -> State {
        self.snapshots
            .first()
            .map_or_else(State::default, |first| first.state)
    }

    /// How many entries it had.
    pub fn entries(&self) -> usize {
        let first = self.snapshots.first();
        let names = first.and_then(|first| first.names.as_ref());
        names.map_or(0, Names::len)
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
        self.path_now().is_none()
    }

    /// Where it is now, unless it has no name any more.
    pub fn path_now(&self) -> Option<Vec<u8>> {
        let link = fs::read_link(format!("/proc/self/fd/{}", self.fd.as_raw_fd())).ok()?;
        let path = link.into_os_string().into_vec();
        // fs/d_path.c: what has no name any more.
        (!path.ends_with(b" (deleted)")).then_some(path)
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

impl Snapshot {
    /// What an inode is now.
    pub fn of(fd: &OwnedFd) -> Option<Snapshot> {
        // The next change in the same tick of the clock may not show.
        let since = now();
        let state = state_since(fd, since).ok()?;
        let names = state
            .is_dir()
            .then(|| names(fd.as_fd(), since).ok())
            .flatten();
        Some(Snapshot {
            of: Vec::new(),
            state,
            names,
        })
    }

    /// Looks again, after the mute: what came in between may have been heard or not.
    pub fn add_what_came(&mut self, fd: &OwnedFd) {
        if State::of(fd.as_fd()).is_ok_and(|now| self.state.is_untouched(&now)) {
            return;
        }
        let there = names(fd.as_fd(), now()).unwrap_or_default();
        self.add_uncertain(there.into_keys());
    }

    /// Of names that are not known, nobody knows whether they were heard of.
    pub fn add_uncertain(&mut self, came: impl Iterator<Item = Vec<u8>>) {
        if let Some(before) = &mut self.names {
            for name in came {
                before.entry(name).or_insert_with(State::uncertain);
            }
        }
    }
}

/// Opens what is at a path, if it is the inode of that number.
pub fn open_at(path: &[u8], inode: u64) -> Option<Rc<OwnedFd>> {
    let mut options = fs::OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW);
    let file = options.open(OsString::from_vec(path.to_vec())).ok()?;
    (file.metadata().ok()?.ino() == inode).then(|| Rc::new(file.into()))
}
