//! How long to search for paths, and the progress that is shown meanwhile.

use crate::words::{number, plural};
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// The time for handles if nothing is to be listed (`--path-timeout 0`).
const HANDLES_ONLY: Duration = Duration::from_secs(2);
/// Nothing is shown before this time.
const QUIET: Duration = Duration::from_millis(500);
/// The time between two updates of the line.
const STEP: Duration = Duration::from_millis(100);

/// A deadline.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Option<Instant>);

impl Clock {
    /// Whether the time is up.
    pub fn is_over(self) -> bool {
        // `None`: later than the clock can express.
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

/// One deadline for all paths of a process, and the line that shows the progress.
pub struct Deadline {
    /// Whether directories may be listed.
    pub walk: bool,
    /// Directories listed so far.
    pub listed: usize,
    deadline: Clock,
    line: Option<Line>,
    total: usize,
}

impl Deadline {
    /// Starts now. `total` watches wait for a path; with `progress`, standard error shows how far it is.
    pub fn new(timeout: Duration, total: usize, progress: bool) -> Deadline {
        let now = Instant::now();
        let walk = !timeout.is_zero();
        Deadline {
            walk,
            listed: 0,
            deadline: Clock(now.checked_add(if walk { timeout } else { HANDLES_ONLY })),
            line: progress.then(|| Line {
                next: now + QUIET,
                shown: false,
            }),
            total,
        }
    }

    /// Extends the deadline by the time that something else took.
    pub fn wait_longer(&mut self, time: Duration) {
        self.deadline.0 = self.deadline.0.and_then(|end| end.checked_add(time));
    }

    /// Whether the time is up.
    pub fn is_over(&self) -> bool {
        self.deadline.is_over()
    }

    /// Its deadline, for threads that work in parallel.
    pub fn clock(&self) -> Clock {
        self.deadline
    }

    /// Shows that `left` watches wait for a path.
    pub fn show(&mut self, left: usize) {
        if let Some(line) = &mut self.line
            && let Some(text) = line.at(Instant::now(), self.total, left, self.listed)
        {
            // A closed standard error is not a reason to stop.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if self.line.as_ref().is_some_and(|line| line.shown) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

struct Line {
    next: Instant,
    shown: bool,
}

impl Line {
    /// What to write at `now`, if it is time for it.
    fn at(&mut self, now: Instant, total: usize, left: usize, listed: usize) -> Option<String> {
        if now < self.next {
            return None;
        }
        self.next = now + STEP;
        self.shown = true;
        let found = number(total.saturating_sub(left) as u64);
        let total = number(total as u64);
        let walked = match listed {
            0 => String::new(),
            count => format!(", {} listed", plural(count, "directory", "directories")),
        };
        Some(format!("\r\x1b[Kfdscan: paths: {found} of {total}{walked}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_in_the_first_half_second_and_then_ten_times_a_second() {
        let start = Instant::now();
        let mut line = Line {
            next: start + QUIET,
            shown: false,
        };
        assert_eq!(line.at(start + QUIET - STEP, 10, 5, 0), None);
        assert!(!line.shown);
        assert_eq!(
            line.at(start + QUIET, 5299, 299, 0).unwrap(),
            "\r\x1b[Kfdscan: paths: 5,000 of 5,299"
        );
        assert!(line.shown);
        assert_eq!(line.at(start + QUIET + STEP / 2, 10, 5, 0), None);
        assert_eq!(
            line.at(start + QUIET + STEP, 10, 4, 1234).unwrap(),
            "\r\x1b[Kfdscan: paths: 6 of 10, 1,234 directories listed"
        );
    }

    #[test]
    fn a_timeout_beyond_the_clock_never_ends_and_a_past_one_has() {
        assert!(!Deadline::new(Duration::MAX, 1, false).is_over());
        assert!(Deadline::new(Duration::from_nanos(1), 1, false).is_over());
    }

    #[test]
    fn without_time_nothing_is_listed_and_handles_are_still_tried() {
        let deadline = Deadline::new(Duration::ZERO, 1, false);
        assert!(!deadline.walk);
        assert!(!deadline.is_over());
    }
}
