//! Side effects of a scan: which of our looks the scanned process would see as events. Opening a file or directory is
//! an event for a watch with open, access or close_nowrite on it or on its directory. A process that drowns in such
//! events must not get more of them from its diagnosis.

use crate::model::{Identity, Instance, Watch};
use rules::event;
use std::collections::HashSet;

/// The events that report a look.
pub const LOOKS: u32 = event::OPEN | event::ACCESS | event::CLOSE_NOWRITE;

/// The inodes whose watches report opens.
#[derive(Default)]
pub struct SideEffects {
    known: HashSet<Identity>,
    /// Inodes of which only the number is known, which others may share.
    vague: HashSet<Identity>,
}

impl SideEffects {
    /// Collects the inodes from all instances of a process.
    pub fn of<'a>(instances: impl Iterator<Item = &'a Instance>) -> SideEffects {
        SideEffects::asking(LOOKS, instances)
    }

    /// The same for watches that ask for one of `events`.
    pub fn asking<'a>(events: u32, instances: impl Iterator<Item = &'a Instance>) -> SideEffects {
        let watches = instances.flat_map(|instance| &instance.watches);
        SideEffects::default().and(watches.filter(|watch| watch.mask.has(events)))
    }

    /// Adds watches that are about to report opens.
    pub fn and<'a>(mut self, soon: impl Iterator<Item = &'a Watch>) -> SideEffects {
        for watch in soon {
            match watch.identity() {
                Some(id) => self.known.insert(id),
                None => self
                    .vague
                    .insert(Identity::plain(watch.device, watch.inode)),
            };
        }
        self
    }

    /// Whether no look would be seen.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.vague.is_empty()
    }

    /// How many inodes there are whose watches report looks.
    pub fn count(&self) -> usize {
        self.known.len() + self.vague.len()
    }

    /// Whether the process would see the opening of a file with this identity in this directory. If one of them is not
    /// known, it might.
    pub fn by_opening(&self, itself: Option<Identity>, parent: Option<Identity>) -> bool {
        !self.is_empty()
            && [itself, parent]
                .iter()
                .any(|id| id.is_none_or(|id| self.has(id)))
    }

    fn has(&self, id: Identity) -> bool {
        self.known.contains(&id) || self.vague.contains(&id.number())
    }
}
