//! Counts of events, and whether a process was being woken while it was looked at.

use super::{EventCount, Name};
use rules::event;
use std::time::Duration;

/// How often each of the twelve events came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bits([u64; 12]);

impl Bits {
    /// Counts the events of one record.
    pub fn add(&mut self, mask: u32) {
        for (count, (bit, _)) in self.0.iter_mut().zip(event::EVENTS) {
            *count += u64::from(mask & bit != 0);
        }
    }

    /// Adds another's.
    pub fn join(&mut self, other: &Bits) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// All of them.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// All events of `mask`.
    pub fn of(&self, mask: u32) -> u64 {
        let each = self.0.iter().zip(event::EVENTS);
        each.filter(|(_, (bit, _))| mask & bit != 0)
            .map(|(n, _)| n)
            .sum()
    }

    /// The event of `mask` that came most often, how often.
    pub fn most_of(&self, mask: u32) -> u64 {
        let each = self.0.iter().zip(event::EVENTS);
        let each = each.filter(|(_, (bit, _))| mask & bit != 0);
        each.map(|(n, _)| *n).max().unwrap_or(0)
    }

    /// By event, most first.
    pub fn list(&self) -> Vec<EventCount> {
        let each = self.0.iter().zip(event::EVENTS);
        let mut list: Vec<_> = each
            .filter(|(count, _)| **count > 0)
            .map(|(&count, &(_, event))| EventCount { event, count })
            .collect();
        list.sort_by_key(|entry| std::cmp::Reverse(entry.count));
        list
    }
}

/// What was heard in a short while on inodes whose watches report looks: whether the process is being woken
/// anyway.
#[derive(Debug, Clone)]
pub struct Woken {
    /// For how long fdscan listened: less than planned if it heard enough earlier.
    pub listened: Duration,
    /// Inodes that were listened to.
    pub inodes: usize,
    /// Inodes whose watches report looks, found or not.
    pub watched: usize,
    /// Records: a record has one event. A lower bound if the queue overflowed.
    pub events: u64,
    /// By event.
    pub by: Bits,
    /// By file, most first, if libwatchfix may remove some by name.
    pub files: Vec<WokenFile>,
}

/// What was heard of one file.
#[derive(Debug, Clone)]
pub struct WokenFile {
    /// Its path.
    pub path: Name,
    /// By event.
    pub by: Bits,
}

impl Woken {
    /// How many of the events report looks.
    pub fn looks(&self) -> u64 {
        self.by
            .of(event::OPEN | event::ACCESS | event::CLOSE_NOWRITE)
    }

    /// Looks woke it again and again, as they do in a loop: one look at one file is no more than that. In a short time
    /// one is all there is of a loop.
    pub fn by_looks_again(&self) -> bool {
        let most = self
            .by
            .most_of(event::OPEN | event::ACCESS | event::CLOSE_NOWRITE);
        most >= if self.listened < Duration::from_secs(1) {
            1
        } else {
            2
        }
    }

    /// Somebody's looks woke it: one more is nothing new to it.
    pub fn by_looks(&self) -> bool {
        self.looks() > 0
    }

    /// Nothing was heard that could have been missed: every such inode was listened to.
    pub fn is_whole(&self) -> bool {
        self.inodes >= self.watched
    }
}
