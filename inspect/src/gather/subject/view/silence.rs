//! File systems that did not answer: one deadline for all questions of this program together, and none is asked twice.

use crate::sys;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long all of them together are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// What each has that is asked when no time is left: whoever is there answers in a moment.
const LEAST: Duration = Duration::from_millis(100);
/// After that it may have come back: an exporter runs for months.
const MEMORY: Duration = Duration::from_secs(60);

static SILENCES: Mutex<Silences> = Mutex::new(Silences(Vec::new()));

/// Whether what is mounted at `place` answers, asked for `path`.
pub fn answers(place: &[u8], path: &[u8]) -> bool {
    // Who asks at the same time waits for the same answer.
    let mut silences = SILENCES.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(patience) = silences.patience(place, Instant::now()) else {
        return false;
    };
    let answers = sys::answers(path, patience);
    if !answers {
        silences.note(place, patience, Instant::now());
    }
    answers
}

struct Silence {
    place: Vec<u8>,
    waited: Duration,
    at: Instant,
}

struct Silences(Vec<Silence>);

impl Silences {
    /// For how long the next question may be waited for; `None` where it need not be asked.
    fn patience(&mut self, place: &[u8], now: Instant) -> Option<Duration> {
        self.0
            .retain(|silence| now.duration_since(silence.at) < MEMORY);
        if self.0.iter().any(|silence| silence.place == place) {
            return None;
        }
        let waited = self.0.iter().map(|silence| silence.waited).sum();
        Some(PATIENCE.saturating_sub(waited).max(LEAST))
    }

    fn note(&mut self, place: &[u8], waited: Duration, at: Instant) {
        self.0.push(Silence {
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
        let (mut silences, now) = (Silences(Vec::new()), Instant::now());
        assert_eq!(silences.patience(b"/a", now), Some(PATIENCE));
        silences.note(b"/a", PATIENCE, now);
        assert_eq!(silences.patience(b"/a", now), None);
        assert_eq!(silences.patience(b"/a", now + MEMORY / 2), None);
        assert_eq!(silences.patience(b"/a", now + MEMORY), Some(PATIENCE));
    }

    #[test]
    fn thirty_silent_file_systems_take_five_seconds_at_most() {
        let (mut silences, now) = (Silences(Vec::new()), Instant::now());
        let mut all = Duration::ZERO;
        for number in 0..30u8 {
            let patience = silences.patience(&[number], now).unwrap();
            // One that is there needs no longer.
            assert!(patience >= LEAST);
            silences.note(&[number], patience, now);
            all += patience;
        }
        assert!(all <= Duration::from_secs(5), "{all:?}");
    }
}
