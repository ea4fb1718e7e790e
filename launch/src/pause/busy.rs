//! A directory in which others never stop: what they touch is known by a watch of our own, so that a look at it takes
//! microseconds and not the time to list it.

use super::aside::is_aside;
use crate::sys::inotify;
use rules::event::{
    ATTRIB, CLOSE_WRITE, CREATE, DELETE, MODIFY, MOVED_FROM, MOVED_TO, ONLYDIR, Q_OVERFLOW,
};
use rules::record::Record;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// What changes an entry, or its name.
const CHANGES: u32 = ATTRIB | CLOSE_WRITE | CREATE | DELETE | MODIFY | MOVED_FROM | MOVED_TO;

/// How much is read at a time.
const BUFFER: usize = 1 << 16;

/// A watch of our own on a directory.
pub struct Busy(OwnedFd);

impl Busy {
    /// Watches it from now on.
    ///
    /// # Errors
    /// There can be no instance or no watch more, or it may not be read.
    pub fn watch(dir: &OwnedFd) -> io::Result<Busy> {
        let own = inotify::new(true)?;
        inotify::add_watch(own.as_fd(), dir.as_fd(), CHANGES | ONLYDIR)?;
        Ok(Busy(own))
    }

    /// The names that were touched since the last time, but for ours; `None` if there were too many.
    pub fn touched(&self) -> Option<BTreeSet<Vec<u8>>> {
        let mut names = BTreeSet::new();
        let mut buffer = [0; BUFFER];
        let mut whole = true;
        while let Ok(length @ 1..) = rustix::io::read(&self.0, &mut buffer) {
            let mut bytes = buffer.get(..length).unwrap_or_default();
            while let Some(record) = Record::read(bytes) {
                bytes = bytes.get(record.size..).unwrap_or_default();
                whole &= record.mask & Q_OVERFLOW == 0;
                if !record.name.is_empty() && !is_aside(record.name) {
                    names.insert(record.name.to_owned());
                }
            }
        }
        whole.then_some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn what_is_touched_is_named_once() {
        let dir = tempfile::tempdir().unwrap();
        let open = OwnedFd::from(File::open(dir.path()).unwrap());
        let busy = Busy::watch(&open).unwrap();
        assert!(busy.touched().unwrap().is_empty());
        fs::write(dir.path().join("a"), "a").unwrap();
        fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
        let names: Vec<_> = busy.touched().unwrap().into_iter().collect();
        assert_eq!(names, [b"a", b"b"]);
        assert!(busy.touched().unwrap().is_empty());
    }
}
