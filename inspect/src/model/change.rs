//! A number at two moments, and when it meets a limit.

use serde::Serialize;
use std::time::Duration;

/// A counter before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// In the first sample.
    pub from: u64,
    /// In the second.
    pub to: u64,
}

impl Change {
    /// How much more, or less when negative.
    pub fn by(self) -> i64 {
        let more = i128::from(self.to) - i128::from(self.from);
        // No counter of the kernel's comes near the ends of i64.
        i64::try_from(more).unwrap_or(if more < 0 { i64::MIN } else { i64::MAX })
    }

    /// How much more; `None` if it did not grow.
    pub fn more(self) -> Option<u64> {
        self.to.checked_sub(self.from).filter(|&more| more > 0)
    }

    /// Seconds until `left` more are taken, if it goes on as it did for `seconds`; `None` if it did not
    /// grow.
    pub fn seconds_until(self, left: u64, seconds: f64) -> Option<u64> {
        let rate = self.more()? as f64 / seconds;
        // From f64 saturates: a limit that is never met is far away.
        (rate > 0.0).then(|| (left as f64 / rate) as u64)
    }

    /// When `limit` is met, of which `used` were taken at a look that counted `own` of this: what was taken between
    /// that look and the second sample is gone as well. `None` if it did not grow within `seconds`.
    pub fn until(self, limit: u64, used: u64, own: u64, seconds: f64) -> Option<LimitAhead> {
        let since = self.to.saturating_sub(own);
        let left = limit.saturating_sub(used).saturating_sub(since);
        let seconds_left = self.seconds_until(left, seconds)?;
        Some(LimitAhead {
            limit,
            seconds_left,
        })
    }

    pub(super) fn between(before: Option<u64>, after: Option<u64>) -> Option<Change> {
        let (from, to) = (before?, after?);
        Some(Change { from, to })
    }
}

/// A limit and when it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LimitAhead {
    /// The limit.
    pub limit: u64,
    /// Seconds until it is reached.
    pub seconds_left: u64,
}

/// Seconds, to the millisecond.
pub(super) fn whole_millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
