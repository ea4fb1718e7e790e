//! Records that were withheld, as they are handed over.

use rules::event::{ALL_EVENTS, ATTRIB, CLOSE_WRITE, CREATE, DELETE, MODIFY, MOVED_FROM, MOVED_TO};
use rules::record::HEADER;
use std::collections::HashSet;

/// One record, but for its watch and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct One {
    /// Its place in the order.
    pub at: u64,
    /// What happened.
    pub mask: u32,
    /// Joins the halves of a rename.
    pub cookie: u32,
}

impl One {
    /// Writes it as the kernel does: see [`rules::record::Record`].
    pub fn write(self, bytes: &mut Vec<u8>, wd: i32, name: &[u8]) {
        let length = match name.len() {
            0 => 0,
            some => (some + 1).next_multiple_of(HEADER),
        };
        for word in [wd as u32, self.mask, self.cookie, length as u32] {
            bytes.extend(word.to_ne_bytes());
        }
        let end = bytes.len() + length;
        bytes.extend(name);
        bytes.resize(end, 0);
    }
}

/// How much of what was withheld is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// All.
    All,
    /// One change, and the ends of what was watched.
    One,
    /// These ends.
    Ends,
}

/// What was handed over, in records of each kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// DELETE and MOVED_FROM.
    pub gone: usize,
    /// CREATE and MOVED_TO.
    pub new: usize,
    /// MODIFY and CLOSE_WRITE, one for each name.
    pub written: usize,
    /// ATTRIB.
    pub attributes: usize,
}

impl Released {
    /// Counts records, with their watches and names.
    pub fn of(all: &[(i32, Vec<u8>, One)]) -> Released {
        let mut released = Released::default();
        let mut written = HashSet::new();
        for (wd, name, one) in all {
            match one.mask & ALL_EVENTS {
                event if event & (DELETE | MOVED_FROM) != 0 => released.gone += 1,
                event if event & (CREATE | MOVED_TO) != 0 => released.new += 1,
                event if event & (MODIFY | CLOSE_WRITE) != 0 => {
                    written.insert((wd, name));
                }
                event if event & ATTRIB != 0 => released.attributes += 1,
                _ => {}
            }
        }
        released.written = written.len();
        released
    }

    /// Adds what was handed over of another instance.
    pub fn add(&mut self, other: Released) {
        self.gone += other.gone;
        self.new += other.new;
        self.written += other.written;
        self.attributes += other.attributes;
    }
}
