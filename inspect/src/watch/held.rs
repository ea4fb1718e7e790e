//! A condition that held: when, as a finding, and as the environment of a command.
//!
//! `condition-held`: the condition of `fdscan watch --until` held.
//!
//! Meaning: You asked for it: a figure of the process passed your bound for several readings in a row (3, or
//! `--samples`). `--exec` gets this finding as FDSCAN_FINDING.
//!
//! Evidence: `pid` and `comm`. `condition` as it was written, `figure` (its name), `value` (bytes for a figure that
//! ends in "_bytes", else a count, a percentage or seconds), `readings` (for how many it held) and `seconds_left`
//! (until a limit is met or a disk is full, or null).
//!
//! Severity: warning.
//!
//! Remedy: no command except that of `--exec`.
//!
//! Not to be confused with: a finding of `fdscan PID`. This one says that a figure is high, not why.

use super::Condition;
use crate::model::{Finding, Reading, Severity};
use crate::words::{bytes, duration, number, plural};
use serde_json::json;

/// A condition that held for enough readings in a row.
#[derive(Debug)]
pub struct Held {
    /// The condition.
    pub condition: Condition,
    /// The reading that completed it.
    pub reading: Reading,
    /// The value of its figure in that reading.
    pub value: f64,
    /// For how many readings it has held.
    pub samples: u32,
}

/// A condition that is checked against readings.
#[derive(Debug)]
pub struct Until {
    condition: Condition,
    /// For how many readings in a row it must hold.
    samples: u32,
    /// For how many it has held so far.
    held: u32,
}

impl Until {
    /// The state before the first reading. `samples` is 1 or more.
    pub fn new(condition: Condition, samples: u32) -> Until {
        Until {
            condition,
            samples,
            held: 0,
        }
    }

    /// Checks a reading. Returns a value once the condition has held long enough.
    pub fn judge(&mut self, reading: &Reading) -> Option<Held> {
        self.held = match self.condition.holds(reading) {
            true => self.held + 1,
            false => 0,
        };
        let value = self.condition.value(reading)?;
        (self.held >= self.samples).then(|| Held {
            condition: self.condition.clone(),
            reading: reading.clone(),
            value,
            samples: self.held,
        })
    }

    /// `until fds > 400: holds for 2 of 3 readings`
    pub fn text(&self) -> String {
        let (text, held, samples) = (&self.condition.text, self.held, self.samples);
        format!("until {text}: holds for {held} of {samples} readings")
    }
}

impl Held {
    /// As a finding.
    pub fn finding(&self) -> Finding {
        let (figure, reading) = (self.condition.figure(), &self.reading);
        let value = match self.value {
            value if figure.ends_with("_bytes") => bytes(value as u64),
            value if value.fract() == 0.0 => number(value as u64),
            value => format!("{value:.1}"),
        };
        let mut message = format!(
            "Process {} ({}): {figure} is {value}; {} has held for {}.",
            reading.pid,
            self.comm(),
            self.condition.text,
            plural(self.samples as usize, "reading", "readings"),
        );
        if let Some(left) = reading.seconds_left {
            message += &format!(" A limit is met or a disk full in {}.", duration(left));
        }
        Finding {
            code: "condition-held",
            severity: Severity::Warning,
            message,
            evidence: json!({
                "pid": reading.pid,
                "comm": reading.comm,
                "condition": self.condition.text,
                "figure": figure,
                "value": self.value,
                "readings": self.samples,
                "seconds_left": reading.seconds_left,
            }),
            remedy: None,
            remedy_live: None,
            change: None,
        }
    }

    /// The environment variables that pass it to a command.
    pub fn environment(&self, finding: &Finding) -> [(&'static str, String); 7] {
        [
            ("FDSCAN_PID", self.reading.pid.to_string()),
            ("FDSCAN_COMM", self.comm()),
            ("FDSCAN_CONDITION", self.condition.text.clone()),
            ("FDSCAN_FIGURE", self.condition.figure().into()),
            ("FDSCAN_VALUE", self.value.to_string()),
            ("FDSCAN_MESSAGE", finding.message.clone()),
            ("FDSCAN_FINDING", json!(finding).to_string()),
        ]
    }

    fn comm(&self) -> String {
        let comm = self.reading.comm.as_ref();
        comm.map_or_else(|| "?".into(), ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::super::condition::tests::reading;
    use super::*;

    fn until(samples: u32) -> Until {
        Until::new(Condition::parse("fds > 400").unwrap(), samples)
    }

    #[test]
    fn a_condition_must_hold_for_enough_readings_in_a_row() {
        let mut until = until(3);
        let after = [401, 402, 400, 401, 402, 403].map(|open| until.judge(&reading(open, &[])));
        let held: Vec<_> = after.iter().map(Option::is_some).collect();
        assert_eq!(held, [false, false, false, false, false, true]);
        assert_eq!(after[5].as_ref().map(|held| held.value), Some(403.0));
    }

    #[test]
    fn the_finding_is_a_sentence_with_its_figures_as_evidence() {
        let mut seen = reading(454, &[]);
        seen.comm = Some("webui".into());
        seen.seconds_left = Some(271);
        let held = until(1).judge(&seen).unwrap();
        let finding = held.finding();
        assert_eq!(
            finding.message,
            "Process 1 (webui): fds is 454; fds > 400 has held for 1 reading. A limit is met or a disk full in 4 min."
        );
        assert_eq!(finding.evidence["value"], 454.0);
        let environment = held.environment(&finding);
        assert!(environment.contains(&("FDSCAN_VALUE", "454".into())));
    }
}
