//! File systems that did not answer. All questions of this program share one deadline, and a file system that did not
//! answer is not asked again for a minute.

use crate::sys;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shared deadline.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The time for each question if none is left: a live server answers within a moment.
const LEAST: Duration = Duration::from_millis(100);
/// After this time a server may be back: an exporter runs for months.
const MEMORY: Duration = Duration::from_secs(60);

static UNANSWERED: Mutex<Unanswered> = Mutex::new(Unanswered(Vec::new()));

/// Whether the file system mounted at `place` answers when asked for `path`.
pub fn answers(place: &[u8], path: &[u8]) -> bool {
    // Simultaneous questions wait for the same answer.
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

/// Notes that the file system mounted at `place` stopped answering.
pub fn note(place: &[u8], waited: Duration) {
    let mut unanswered = UNANSWERED.lock().unwrap_or_else(PoisonError::into_inner);
    unanswered.note(place, waited, Instant::now());
}

struct UnansweredMount {
    place: Vec<u8>,
    waited: Duration,
    at: Instant,
}

struct Unanswered(Vec<UnansweredMount>);

impl Unanswered {
    /// How long to wait for the next answer; `None` if the question need not be asked.
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
    fn a_silent_file_system_is_not_asked_again_for_a_minute() {
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
            // A live server does not need longer.
            assert!(timeout >= LEAST);
            unanswered.note(&[number], timeout, now);
            all += timeout;
        }
        assert!(all <= Duration::from_secs(5), "{all:?}");
    }
}
