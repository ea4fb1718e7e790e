//! All processes of the tree, for looks at those whose calls nobody sees.

use super::databases::interval;
use inspect::gather::descendants;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// The processes below this one.
pub struct Tree {
    there: HashSet<u32>,
    looks: usize,
    due: Instant,
}

impl Tree {
    /// To be looked at soon.
    pub fn new() -> Tree {
        Tree {
            there: HashSet::new(),
            looks: 0,
            due: Instant::now() + interval(0),
        }
    }

    /// How long there is until the next look.
    pub fn rest(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// All that are there. While new ones come, the next look is soon.
    pub fn look(&mut self) -> impl Iterator<Item = u32> {
        let there: HashSet<_> = descendants(std::process::id())
            .into_iter()
            .flatten()
            .collect();
        self.looks = if there.is_subset(&self.there) {
            self.looks + 1
        } else {
            1
        };
        self.due = Instant::now() + interval(self.looks);
        self.there.clone_from(&there);
        there.into_iter()
    }
}
