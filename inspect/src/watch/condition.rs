//! `--until CONDITION`: a figure of a reading, a comparison, a number.

use crate::model::{Reading, UserReading};
use std::fmt;

/// When to end: `fds > 400`, `wal_bytes >= 64MiB`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As the user wrote it.
    pub text: String,
    figure: Figure,
    comparison: Comparison,
    number: f64,
}

/// What is wrong with a condition, and at which character, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    at: usize,
    what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at, self.what)
    }
}

impl std::error::Error for Wrong {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    More,
    AtLeast,
    Less,
    AtMost,
}

/// A figure by its name.
#[derive(Clone, Copy)]
struct Figure {
    name: &'static str,
    of: fn(&Reading) -> Option<f64>,
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Figure {
    fn eq(&self, other: &Figure) -> bool {
        self.name == other.name
    }
}

/// The figures that a condition can name. Those of databases are sums over all databases of the process.
const FIGURES: &[Figure] = &[
    figure("fds", |r| whole(r.fds.open)),
    figure("fds_percent", |r| percent(r.fds.open, r.fds.soft_limit)),
    figure("fds_per_second", |r| r.fds.per_second),
    figure("watches", |r| whole(r.watches.count)),
    figure("watches_percent", |r| of_user(&r.watches)),
    figure("instances", |r| whole(r.instances.count)),
    figure("instances_percent", |r| of_user(&r.instances)),
    figure("connections", |r| whole(r.sum(|log| Some(log.wal_handles)))),
    figure("wal_bytes", |r| whole(r.sum(|log| log.wal_bytes))),
    figure("wal_pending_bytes", |r| {
        whole(r.sum(|log| log.pending_bytes))
    }),
    figure("wal_bytes_per_second", |r| {
        r.sqlite.as_ref()?.iter().map(|log| log.per_second).sum()
    }),
    figure("disk_free_bytes", |r| {
        let logs = r.sqlite.iter().flatten();
        whole(logs.filter_map(|log| log.disk_free_bytes).min())
    }),
    figure("seconds_left", |r| whole(r.seconds_left)),
];

const fn figure(name: &'static str, of: fn(&Reading) -> Option<f64>) -> Figure {
    Figure { name, of }
}

fn whole(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}

fn percent(used: Option<u64>, limit: Option<u64>) -> Option<f64> {
    Some(used? as f64 * 100.0 / limit.filter(|&limit| limit > 0)? as f64)
}

fn of_user(reading: &UserReading) -> Option<f64> {
    percent(reading.user_count, reading.user_limit)
}

const COMPARISONS: &[(&str, Comparison)] = &[
    // Longer ones first, because `>=` begins with `>`.
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    (">", Comparison::More),
    ("<", Comparison::Less),
];

const UNITS: &[(&str, f64)] = &[
    ("", 1.0),
    ("%", 1.0),
    ("B", 1.0),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

impl Condition {
    /// Parses `FIGURE COMPARISON NUMBER[UNIT]`.
    ///
    /// # Errors
    /// What is wrong, where, and what could stand there.
    pub fn parse(text: &str) -> Result<Condition, Wrong> {
        let mut rest = Rest { text, at: 0 };
        let name = rest.take(|c| c.is_ascii_alphanumeric() || c == '_');
        let figure = FIGURES.iter().find(|figure| figure.name == name);
        let figure = *figure.ok_or_else(|| {
            let names: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
            rest.wrong(name, &format!("one of {}", names.join(", ")))
        })?;
        let sign = rest.take(|c| matches!(c, '<' | '>' | '=' | '!'));
        let comparison = COMPARISONS.iter().find(|(text, _)| *text == sign);
        let (_, comparison) = *comparison.ok_or_else(|| rest.wrong(sign, "one of > >= < <="))?;
        let digits = rest.take(|c| c.is_ascii_digit() || c == '.');
        let number = digits.parse::<f64>();
        let number = number.map_err(|_| rest.wrong(digits, "a number, such as 400 or 1.5"))?;
        let unit = rest.take(|c| !c.is_whitespace());
        let factor = UNITS.iter().find(|(text, _)| *text == unit);
        let (_, factor) =
            *factor.ok_or_else(|| rest.wrong(unit, "nothing, %, B, KiB, MiB, GiB or TiB"))?;
        let more = rest.take(|_| true);
        if !more.is_empty() {
            return Err(rest.wrong(more, "the end"));
        }
        Ok(Condition {
            text: text.trim().to_owned(),
            figure,
            comparison,
            number: number * factor,
        })
    }

    /// The name of its figure.
    pub fn figure(&self) -> &'static str {
        self.figure.name
    }

    /// The value of its figure in a reading; `None` if it is unknown.
    pub fn value(&self, reading: &Reading) -> Option<f64> {
        (self.figure.of)(reading)
    }

    /// Whether it holds. It does not hold while the figure is unknown.
    pub fn holds(&self, reading: &Reading) -> bool {
        self.value(reading)
            .is_some_and(|value| match self.comparison {
                Comparison::More => value > self.number,
                Comparison::AtLeast => value >= self.number,
                Comparison::Less => value < self.number,
                Comparison::AtMost => value <= self.number,
            })
    }
}

/// What is still to be parsed.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    /// Skips blanks and takes the characters that fit.
    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let begin = self.at + (rest.len() - rest.trim_start().len());
        let rest = self.text.get(begin..).unwrap_or_default().trim_end();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at = begin + end;
        rest.get(..end).unwrap_or_default()
    }

    /// An error about the part that was taken last.
    fn wrong(&self, taken: &str, wanted: &str) -> Wrong {
        let begin = self.at - taken.len();
        let before = self.text.get(..begin).unwrap_or_default();
        let found = match self.text.get(begin..).unwrap_or_default().trim_end() {
            "" => "nothing".to_owned(),
            rest => {
                let word = rest.split_whitespace().next().unwrap_or(rest);
                format!("'{}'", if taken.is_empty() { word } else { taken })
            }
        };
        Wrong {
            at: before.chars().count() + 1,
            what: format!("{found} stands where {wanted} should"),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::model::{FdsReading, LogReading};
    use proptest::prelude::*;

    /// A reading with `open` descriptors of 1,000, and databases with logs of these sizes.
    pub fn reading(open: u64, wal: &[Option<u64>]) -> Reading {
        let log = |&wal_bytes: &Option<u64>| LogReading {
            database: "/d".into(),
            handles: 1,
            wal_handles: 2,
            shm_handles: 1,
            wal_bytes,
            pending_bytes: None,
            per_second: None,
            disk_free_bytes: None,
            seconds_left: None,
        };
        Reading {
            schema: "",
            fdscan_version: "",
            taken_at: String::new(),
            pid: 1,
            comm: None,
            fds: FdsReading {
                open: Some(open),
                soft_limit: Some(1000),
                ..FdsReading::default()
            },
            watches: UserReading::default(),
            instances: UserReading::default(),
            sqlite: Some(wal.iter().map(log).collect()),
            seconds_left: None,
        }
    }

    fn holds(text: &str, reading: &Reading) -> bool {
        Condition::parse(text).unwrap().holds(reading)
    }

    #[test]
    fn each_comparison_does_what_its_sign_says() {
        let reading = reading(400, &[]);
        assert!(holds("fds >= 400", &reading) && !holds("fds > 400", &reading));
        assert!(holds("fds<=400", &reading) && !holds(" fds  <  400 ", &reading));
        assert!(holds("fds_percent >= 40%", &reading));
    }

    #[test]
    fn sizes_have_units_and_are_summed_over_the_databases() {
        let reading = reading(1, &[Some(48 << 20), Some(17 << 20)]);
        assert!(holds("wal_bytes > 64MiB", &reading));
        assert!(holds("wal_bytes > 64 MiB", &reading));
        assert!(!holds("wal_bytes > 0.1GiB", &reading));
        assert!(holds("connections >= 4", &reading));
    }

    #[test]
    fn a_condition_on_an_unknown_figure_never_holds() {
        let reading = reading(1, &[Some(1), None]);
        assert!(!holds("wal_bytes > 0", &reading) && !holds("wal_bytes < 9", &reading));
        assert!(!holds("watches >= 0", &reading));
    }

    #[test]
    fn an_error_names_the_position_and_what_is_expected_there() {
        let error = |text: &str| Condition::parse(text).unwrap_err().to_string();
        let names = error("handles > 3");
        assert!(
            names.starts_with("at character 1: 'handles' stands where one of fds, "),
            "{names}"
        );
        assert_eq!(
            error("fds = 3"),
            "at character 5: '=' stands where one of > >= < <= should"
        );
        assert_eq!(
            error("fds 3"),
            "at character 5: '3' stands where one of > >= < <= should"
        );
        assert_eq!(
            error("fds >"),
            "at character 6: nothing stands where a number, such as 400 or 1.5 should"
        );
        assert_eq!(
            error("fds > 1.2.3"),
            "at character 7: '1.2.3' stands where a number, such as 400 or 1.5 should"
        );
        assert_eq!(
            error("wal_bytes > 64 MB"),
            "at character 16: 'MB' stands where nothing, %, B, KiB, MiB, GiB or TiB should"
        );
        assert_eq!(
            error("fds > 3 B and more"),
            "at character 11: 'and more' stands where the end should"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_rejected(text: String) {
            if let Err(wrong) = Condition::parse(&text) {
                prop_assert!(wrong.at <= text.chars().count() + 1);
            }
        }
    }
}
