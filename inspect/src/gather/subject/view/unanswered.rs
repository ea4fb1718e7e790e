//! File systems that did not answer: one deadline for all questions of this program together, and none is asked twice.

use crate::sys;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The deadline for all of them together.
const TIMEOUT: Duration = Duration::from_secs(2);
/// What each question gets when no time is left: a live server answers in a moment.
const LEAST: Duration = Duration::from_millis(100);
/// After that it may have come back: an exporter runs for months.
const MEMORY: Duration = Duration::from_secs(60);

static UNANSWERED: Mutex<Unanswered> = Mutex::new(Unanswered(Vec::new()));

/// Whether what is mounted at `place` answers, asked for `path`.
pub fn answers(place: &[u8], path: &[u8]) -> bool {
    // Questions at the same time wait for the same answer.
    let mut unanswered = UNANSWERED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(timeout) = unanswered.timeout(place, Instant::now()) else {
        return false;
    };
    let answers = sys::answers(path, timeout);
    if !answers {
        unanswered.note(place, timeout, Instant::now());
    }
    answers
}

struct UnansweredMount {
    place: Vec<u8>,
    waited: Duration,
    at: Instant,
}

struct Unanswered(Vec<UnansweredMount>);

impl Unanswered {
    /// For how long the next question may be waited for; `None` where it need not be asked.
    fn timeout(&mut self, place: &[u8], now: Instant) -> Option<Duration> {
        self.0.retain(|mount| now.duration_since(mount.at) < MEMORY);
        if self.0.iter().any(|mount| mount.place == place) {
            return None;
        }
        let waited = self.0.iter().map(|mount| mount.waited).sum();
        Some(TIMEOUT.saturating_sub(waited).max(LEAST))
    }

    fn note(&mut self, place: &[u8], waited: Duration, at: Instant) {
        self.0.push(UnansweredMount {
            place: place.to_vec(),
            waited,
            at,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_silent_is_not_asked_again_for_a_minute() {
        let (mut unanswered, now) = (Unanswered(Vec::new()), Instant::now());
        assert_eq!(unanswered.timeout(b"/a", now), Some(TIMEOUT));
        unanswered.note(b"/a", TIMEOUT, now);
        assert_eq!(unanswered.timeout(b"/a", now), None);
        assert_eq!(unanswered.timeout(b"/a", now + MEMORY / 2), None);
        assert_eq!(unanswered.timeout(b"/a", now + MEMORY), Some(TIMEOUT));
    }

    #[test]
    fn thirty_silent_file_systems_take_five_seconds_at_most() {
        let (mut unanswered, now) = (Unanswered(Vec::new()), Instant::now());
        let mut all = Duration::ZERO;
        for number in 0..30u8 {
            let timeout = unanswered.timeout(&[number], now).unwrap();
            // One that is there needs no longer.
            assert!(timeout >= LEAST);
            unanswered.note(&[number], timeout, now);
            all += timeout;
        }
        assert!(all <= Duration::from_secs(5), "{all:?}");
    }
}
