//! How long it takes to open handles, which suggests whether the kernel has the names cached. Measured on ext4: a
//! directory whose name is cached takes 1.5 to 4 us, any other at least 9 us, and some ms if the disk is read.

use std::time::Duration;

/// A handle is slow if opening it again at once is this many times faster.
const FACTOR: u32 = 3;
/// A busy scheduler may make this many handles slow, plus one in [`ONE_IN`] of all.
const CHANCE: usize = 4;
const ONE_IN: usize = 50;

/// The first handles are opened again however long they took: one time taken while the scheduler was busy must not be
/// what all others are compared with. Later ones at each power of two.
const SAMPLES: usize = 8;

/// The handles opened so far.
#[derive(Default)]
pub struct HandleTiming {
    opened: usize,
    slow: usize,
    least: Option<Duration>,
}

impl HandleTiming {
    /// Counts a handle that `took` so long, and returns whether its name was not cached. In that case opening it
    /// `again` is faster, because the kernel has found the name.
    pub fn is_slow(&mut self, took: Duration, again: impl FnOnce() -> Duration) -> bool {
        self.opened += 1;
        let sampled = self.opened <= SAMPLES || self.opened.is_power_of_two();
        if !sampled && self.least.is_some_and(|least| took <= least * FACTOR) {
            self.least = self.least.min(Some(took));
            return false;
        }
        let again = again();
        self.least = Some(self.least.map_or(again, |least| least.min(again)));
        let slow = took > again * FACTOR;
        self.slow += usize::from(slow);
        slow
    }

    /// Adds what another thread has seen.
    pub fn join(&mut self, other: &HandleTiming) {
        self.opened += other.opened;
        self.slow += other.slow;
        self.least = [self.least, other.least].into_iter().flatten().min();
    }

    /// Whether any was slow, even by chance.
    pub fn is_suspicious(&self) -> bool {
        self.slow > 0
    }

    /// Whether more are slow than chance explains.
    pub fn is_cold(&self) -> bool {
        self.is_too_many(self.slow)
    }

    /// Whether `count` of the handles opened are more than chance explains.
    pub fn is_too_many(&self, count: usize) -> bool {
        count > CHANCE + self.opened / ONE_IN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    #[test]
    fn handles_that_are_slow_a_second_time_are_not_cold() {
        let mut timing = HandleTiming::default();
        for took in [2, 40, 3, 50, 40, 60, 70, 80] {
            assert!(!timing.is_slow(us(took), || us(took)));
        }
        assert!(!timing.is_cold());
    }

    #[test]
    fn a_handful_of_slow_handles_is_chance_and_more_are_cold() {
        let mut timing = HandleTiming::default();
        for _ in 0..CHANCE {
            assert!(timing.is_slow(us(20), || us(2)));
            assert!(!timing.is_cold());
        }
        assert!(timing.is_slow(us(20), || us(2)));
        assert!(timing.is_cold());
    }

    #[test]
    fn a_busy_moment_at_first_does_not_hide_cold_handles() {
        for busy in [1, 3, SAMPLES] {
            let mut timing = HandleTiming::default();
            for at in 0..3 * SAMPLES {
                timing.is_slow(us(30), || us(if at < busy { 40 } else { 2 }));
            }
            assert!(timing.is_cold(), "{busy}");
        }
    }

    #[test]
    fn one_slow_handle_in_a_hundred_is_chance() {
        let mut timing = HandleTiming::default();
        for at in 0..10_000 {
            let took = if at % 100 == 50 { us(4000) } else { us(2) };
            timing.is_slow(took, || us(2));
            assert!(!timing.is_cold(), "{at}");
        }
    }
}
