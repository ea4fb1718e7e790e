//! Which events remain under the rules in force.

use crate::findings::rules_in_force;
use crate::model::{Bits, EventsScan, FileEvents, Process};
use rules::event;

/// The events that report no change.
pub const READS: u32 = event::OPEN | event::ACCESS | event::CLOSE_NOWRITE;

/// The events that report a change of content or name.
pub const CHANGES: u32 = event::ALL_EVENTS & !(READS | event::ATTRIB);

/// What remains of the events under the rules in force.
pub struct Remaining<'a> {
    pub total: u64,
    pub reads: u64,
    pub attrib: u64,
    /// Those with most events first.
    pub files: Vec<&'a FileEvents>,
    /// The files that the rules remove by name.
    pub gone: Vec<&'a FileEvents>,
}

impl<'a> Remaining<'a> {
    /// Of what was heard.
    pub fn of(process: &Process, scan: &'a EventsScan, all: &Bits) -> Remaining<'a> {
        let removed = |file: &&FileEvents| rules_in_force::ignores(process, file.path.base());
        let gone: Vec<_> = scan.files.iter().filter(removed).collect();
        let of = |mask: u32| -> u64 {
            let counts = gone.iter().flat_map(|file| &file.events);
            counts
                .filter(|entry| event::bits(entry.event.as_bytes()).is_some_and(|b| b & mask != 0))
                .map(|entry| entry.count)
                .sum()
        };
        let mut left = Remaining {
            total: scan.total,
            reads: all.of(READS).saturating_sub(of(READS)),
            attrib: all.of(event::ATTRIB).saturating_sub(of(event::ATTRIB)),
            files: scan.files.iter().filter(|file| !removed(file)).collect(),
            gone: Vec::new(),
        };
        let events: u64 = gone.iter().map(|file| file.count).sum();
        left.total = left.total.saturating_sub(events);
        left.gone = gone;
        // A touch is lost as well, but no loop consists of touches.
        if rules_in_force::hides_chmod(process) {
            left.total = left.total.saturating_sub(left.attrib);
            left.attrib = 0;
        }
        left
    }
}
