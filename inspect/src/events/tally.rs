//! Counts of events: by event, by watched inode, by file, by cause.

use crate::model::{Bits, Name, Relation};
use rules::event;
use std::collections::HashMap;

/// How many files are counted one by one. Events of any others count only for their directories.
const MOST_FILES: usize = 50_000;

/// Everything that was counted.
#[derive(Debug, Default)]
pub struct Tally {
    /// All events.
    pub all: Bits,
    /// All records. A record has one event.
    pub total: u64,
    /// By watch of this program.
    pub watches: HashMap<i32, u64>,
    /// By watch of this program and the name in it. The name is empty for the watched inode itself.
    pub files: HashMap<(i32, Box<[u8]>), Bits>,
    /// How often the queue overflowed.
    pub overflows: u64,
    /// What fanotify reported, by process.
    pub causes: HashMap<u32, ByProcess>,
}

/// What one process caused.
#[derive(Debug, Default)]
pub struct ByProcess {
    /// Its events.
    pub all: Bits,
    /// All of them by name.
    pub names: HashMap<Box<[u8]>, Bits>,
}

impl Tally {
    /// Adds an inotify record.
    pub fn record(&mut self, wd: i32, mask: u32, name: &[u8]) {
        if mask & event::Q_OVERFLOW != 0 {
            self.overflows += 1;
            return;
        }
        let events = mask & event::ALL_EVENTS;
        // The end of a watch or a mount is not an event on a file.
        if events == 0 {
            return;
        }
        self.total += 1;
        self.all.add(events);
        *self.watches.entry(wd).or_default() += 1;
        let key = (wd, Box::from(name));
        if self.files.len() < MOST_FILES || self.files.contains_key(&key) {
            self.files.entry(key).or_default().add(events);
        }
    }

    /// Adds an event of fanotify.
    pub fn cause(&mut self, pid: u32, mask: u64, name: Option<&[u8]>) {
        // The low bits are the same as inotify's.
        let events = u32::try_from(mask & u64::from(event::ALL_EVENTS)).unwrap_or(0);
        let entry = self.causes.entry(pid).or_default();
        entry.all.add(events);
        if let Some(name) = name
            && (entry.names.len() < MOST_FILES || entry.names.contains_key(name))
        {
            entry.names.entry(name.into()).or_default().add(events);
        }
    }
}

/// Who a process was when it first caused an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CauseProcess {
    /// How it is related to the watching process.
    pub relation: Relation,
    /// Its command line; empty if it had already ended.
    pub command: Vec<Name>,
    /// The name of its main thread.
    pub comm: Option<Name>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EventCount;

    #[test]
    fn events_are_counted_by_bit_watch_and_name_but_notices_are_ignored() {
        let mut tally = Tally::default();
        tally.record(1, event::OPEN, b"a");
        tally.record(1, event::OPEN | event::ISDIR, b"d");
        tally.record(2, event::CLOSE_NOWRITE, b"a");
        tally.record(2, event::IGNORED, b"");
        tally.record(-1, event::Q_OVERFLOW, b"");
        assert_eq!((tally.total, tally.overflows), (3, 1));
        assert_eq!(tally.all.of(event::OPEN | event::ACCESS), 2);
        assert_eq!(tally.watches[&1], 2);
        assert_eq!(tally.files.len(), 3);
        assert_eq!(
            tally.all.list()[0],
            EventCount {
                event: "open",
                count: 2
            }
        );
    }

    #[test]
    fn a_fanotify_event_may_have_several_bits() {
        let mut tally = Tally::default();
        tally.cause(7, 0x30, Some(b"a"));
        tally.cause(7, 0x4000_0020, None);
        let seen = &tally.causes[&7];
        assert_eq!(seen.all.of(event::ALL_EVENTS), 3);
        let named = seen.names[&b"a"[..]];
        assert_eq!((named.sum(), named.most_of(event::ALL_EVENTS)), (2, 1));
    }
}
