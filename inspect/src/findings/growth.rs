//! What the growth between two samples adds to a finding: words and evidence.

use crate::model::{Change, LimitAhead};
use crate::words::{agree, duration, number};
use serde_json::{Value, json};

/// How many descriptors were opened or closed meanwhile, as a sentence to append. It says when their limit is reached
/// at the rate of all descriptors.
pub fn sentence(seconds: f64, more: i64, ahead: Option<LimitAhead>) -> String {
    let count = number(more.unsigned_abs());
    let were = agree(more.unsigned_abs(), "was", "were");
    match more {
        0 => format!(" Within {seconds:.1} s none was added."),
        1.. => {
            let ahead = ahead.map_or_else(String::new, |ahead| {
                let (limit, left) = (number(ahead.limit), time_left(ahead.seconds_left));
                format!(": at this rate the limit of {limit} is reached in {left}")
            });
            format!(" Within {seconds:.1} s {count} more {were} opened{ahead}.")
        }
        _ => format!(" Within {seconds:.1} s {count} of them {were} closed."),
    }
}

/// The same as evidence.
pub fn evidence(seconds: f64, more: i64, ahead: Option<LimitAhead>) -> Value {
    let ahead = ahead.filter(|_| more > 0);
    json!({ "seconds": seconds, "more": more, "seconds_left": ahead.map(|ahead| ahead.seconds_left) })
}

fn time_left(seconds: u64) -> String {
    match seconds {
        0 => "less than a second".into(),
        left => duration(left),
    }
}

/// How much of a limit is left, and for how long.
pub struct LimitForecast {
    /// How many are left.
    pub left: u64,
    /// When nothing is left at this rate. `None` if nothing grows, or if there was only one sample.
    pub seconds_left: Option<u64>,
    seconds: f64,
    change: Option<Change>,
}

impl LimitForecast {
    /// `used` of `limit` are in use, `own` of them by the process whose counter changed.
    pub fn new(
        used: u64,
        limit: u64,
        own: u64,
        seconds: f64,
        change: Option<Change>,
    ) -> LimitForecast {
        let ahead = change.and_then(|change| change.until(limit, used, own, seconds));
        LimitForecast {
            left: limit.saturating_sub(used),
            seconds_left: ahead.map(|ahead| ahead.seconds_left),
            seconds,
            change,
        }
    }

    /// Both samples as evidence; null with only one.
    pub fn evidence(&self) -> Value {
        self.change.map_or(
            Value::Null,
            |change| json!({ "seconds": self.seconds, "from": change.from, "to": change.to }),
        )
    }

    /// As a sentence to append; `what` has changed. Empty with only one sample.
    pub fn sentence(&self, what: &str) -> String {
        let Some(change) = self.change else {
            return String::new();
        };
        let seconds = self.seconds;
        match (change.more(), self.seconds_left) {
            (Some(more), Some(left)) if self.left > 0 => {
                let left = time_left(left);
                format!(
                    " Within {seconds:.1} s {what} grew by {}: at this rate the limit is reached in {left}.",
                    number(more),
                )
            }
            (Some(more), _) => format!(" Within {seconds:.1} s {what} grew by {}.", number(more)),
            (None, _) => format!(" Within {seconds:.1} s {what} did not grow."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(used: u64, limit: u64, from: u64, to: u64) -> LimitForecast {
        LimitForecast::new(used, limit, used, 5.0, Some(Change { from, to }))
    }

    #[test]
    fn singular_and_plural_agree_with_the_number() {
        let said = |more| sentence(2.0, more, None);
        assert_eq!(said(1), " Within 2.0 s 1 more was opened.");
        assert_eq!(said(2), " Within 2.0 s 2 more were opened.");
        assert_eq!(said(-1), " Within 2.0 s 1 of them was closed.");
    }

    #[test]
    fn opened_descriptors_reach_the_limit_and_closed_ones_do_not() {
        let ahead = Some(LimitAhead {
            limit: 1024,
            seconds_left: 720,
        });
        assert_eq!(
            sentence(2.0, 20, ahead),
            " Within 2.0 s 20 more were opened: at this rate the limit of 1,024 is reached in 12 min."
        );
        assert_eq!(evidence(2.0, 20, ahead)["seconds_left"], 720);
        assert!(!sentence(2.0, -1, ahead).contains("limit"));
        assert!(evidence(2.0, 0, ahead)["seconds_left"].is_null());
    }

    #[test]
    fn the_time_left_follows_from_rate_and_room() {
        // 50 in 5 s, and 10 of the 124 that are left were used after the look.
        let seen = forecast(900, 1024, 860, 910);
        assert_eq!((seen.left, seen.seconds_left), (124, Some(11)));
        assert_eq!(
            seen.sentence("their number"),
            " Within 5.0 s their number grew by 50: at this rate the limit is reached in 11 s."
        );
    }

    #[test]
    fn without_growth_no_time_is_left_or_named() {
        let seen = forecast(900, 1024, 900, 890);
        assert_eq!(seen.seconds_left, None);
        assert!(seen.sentence("it").ends_with("did not grow."));
        let once = LimitForecast::new(900, 1024, 900, 0.0, None);
        assert_eq!(once.sentence("it"), "");
        assert!(once.evidence().is_null());
    }

    #[test]
    fn for_a_limit_that_is_already_reached_no_rate_is_named() {
        let seen = forecast(1024, 1024, 1000, 1024);
        assert_eq!((seen.left, seen.seconds_left), (0, Some(0)));
        assert!(!seen.sentence("it").contains("at this rate"));
    }
}
