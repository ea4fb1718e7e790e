//! All processes of the tree, to find those whose calls are not trapped.

use inspect::gather::descendants;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How long after one look the next one comes, in milliseconds; the last value repeats.
const INTERVALS: [u64; 5] = [250, 1_000, 4_000, 15_000, 60_000];

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

    /// All processes that are there now. While new ones appear, the next look comes soon.
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

/// How long after so many looks the next one comes.
pub fn interval(looks: usize) -> Duration {
    let [.., last] = INTERVALS;
    Duration::from_millis(INTERVALS.get(looks).copied().unwrap_or(last))
}
