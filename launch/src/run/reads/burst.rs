//! Bursts: a program that writes to an ignored file all the time is woken all the time, though it is told nothing.
//!
//! ```text
//!            200 ignored writes in 200 ms                   after a pause that doubles while it goes on
//!   quiet ------------------------------> settled ---------------------------------------------> quiet
//!            MODIFY is taken out of the mask,              MODIFY is back; CLOSE_WRITE stays, for files
//!            CLOSE_WRITE stands in for it                  that were written to before and are closed after
//! ```

use rules::attrib::Time;
use rules::written::later;
use std::time::{Duration, Instant};

/// So many ignored writes of one watch in [`WITHIN`] are a burst.
const MANY: u32 = 200;
/// This many are a burst if the last one ended a moment ago: then it continues.
const AGAIN: u32 = 20;
const WITHIN: Duration = Duration::from_millis(200);

/// How long a watch stays settled at first, and at the most.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);

/// How the ignored files of one watch are written to.
#[derive(Default)]
pub struct Burst {
    since: Option<Instant>,
    count: u32,
    period: Option<Duration>,
    /// While it is settled: when it is to be quiet again.
    due: Option<Instant>,
    /// When it was settled last, and until when.
    settled: Option<(Time, Option<Time>)>,
    /// When that ended.
    ended: Option<Instant>,
}

impl Burst {
    /// Notes an ignored write. True where it is time to settle.
    pub fn ignored_write(&mut self) -> bool {
        let now = Instant::now();
        match self.since {
            Some(since) if now - since <= WITHIN => self.count += 1,
            _ => (self.since, self.count) = (Some(now), 1),
        }
        let many = match self.period.is_some_and(|period| self.ended_within(period)) {
            true => AGAIN,
            false => MANY,
        };
        self.due.is_none() && self.count >= many
    }

    fn ended_within(&self, period: Duration) -> bool {
        self.ended.is_some_and(|end| end.elapsed() < period)
    }

    /// Notes that the watch has been settled, at this time.
    pub fn begin(&mut self, now: Time) {
        let before = self.period.filter(|&period| self.ended_within(period));
        let period = before.map_or(FIRST, |period| LONGEST.min(period * 2));
        self.period = Some(period);
        self.due = Some(Instant::now() + period);
        self.since = None;
        self.settled = Some((now, None));
    }

    /// Notes that it has got its mask back.
    pub fn end(&mut self, now: Time) {
        self.due = None;
        self.ended = Some(Instant::now());
        if let Some((_, end)) = &mut self.settled {
            *end = Some(now);
        }
    }

    /// Notes that it was settled from `placed` until now, by a rule.
    pub fn was_settled(&mut self, placed: Time, now: Time) {
        self.due = None;
        self.settled = Some((placed, Some(now)));
    }

    /// Notes that its program has placed it again, if it is settled.
    pub fn end_if_settled(&mut self, now: Time) {
        if self.due.is_some() {
            self.end(now);
        }
    }

    /// Notes that it could not be given its mask back yet.
    pub fn postpone(&mut self) {
        self.due = Some(Instant::now() + FIRST);
    }

    /// When the mask is to be given back, while the watch is settled.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether CLOSE_WRITE is asked of the kernel because of a burst.
    pub fn has_settled(&self) -> bool {
        self.settled.is_some()
    }

    /// Whether a file modified at this time was modified while the watch was settled.
    pub fn covers(&self, modified: Time) -> bool {
        self.settled.is_some_and(|(start, end)| {
            later(modified) >= start && end.is_none_or(|end| modified <= end)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_writes_are_no_burst_and_many_are_one() {
        let mut burst = Burst::default();
        let settles: Vec<bool> = (0..MANY).map(|_| burst.ignored_write()).collect();
        // On a machine that stood still in between it takes more.
        if burst.count == MANY {
            assert_eq!(settles.iter().filter(|&&now| now).count(), 1);
            assert!(settles.last().unwrap());
        }
        burst.begin((100, 0));
        assert!(!burst.ignored_write(), "it is settled already");
    }

    #[test]
    fn one_that_goes_on_is_known_sooner() {
        let mut burst = Burst::default();
        burst.begin((100, 0));
        burst.end((102, 0));
        let settles: Vec<bool> = (0..AGAIN).map(|_| burst.ignored_write()).collect();
        // As above.
        if burst.count == AGAIN {
            assert!(*settles.last().unwrap() && settles.iter().filter(|&&now| now).count() == 1);
        }
    }

    #[test]
    fn what_was_written_while_it_was_settled_is_told_from_the_rest() {
        let mut burst = Burst::default();
        assert!(!burst.covers((100, 0)));
        burst.begin((100, 0));
        assert!(!burst.covers((99, 0)) && burst.covers((100, 0)) && burst.covers((5000, 0)));
        burst.end((200, 0));
        assert!(burst.covers((200, 0)) && !burst.covers((200, 1)));
    }

    #[test]
    fn each_time_it_takes_twice_as_long() {
        let mut burst = Burst::default();
        let mut periods = Vec::new();
        for _ in 0..8 {
            burst.begin((1, 0));
            periods.push(burst.period.unwrap().as_secs());
            burst.end((2, 0));
        }
        assert_eq!(periods, [2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
