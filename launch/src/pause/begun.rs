//! What is muted when a pause begins, in the words of its first lines.

use super::message::PROBLEM;
use super::muted::Outcome;
use super::store::dirs;
use crate::heal::Refused;
use inspect::model::PauseRecord;
use inspect::words::{agree, number, plural, sanitize};

/// Refusals that are told one by one.
const SHOWN: usize = 5;

/// What came of muting all processes.
#[derive(Default)]
pub struct Begun {
    muted: usize,
    processes: usize,
    failed: Vec<String>,
    unknown: usize,
    not_held: usize,
    /// Processes that may not be looked at.
    pub hidden: usize,
}

impl Begun {
    /// Adds what came of one.
    pub fn add(&mut self, outcome: Result<Outcome, Refused>) {
        match outcome {
            Ok(outcome) => {
                self.muted += outcome.muted;
                self.processes += usize::from(outcome.muted > 0);
                self.unknown += outcome.unknown;
                self.not_held += outcome.not_held;
                self.failed.extend(outcome.failed);
            }
            Err(refused) => self.failed.push(refused.text().to_owned()),
        }
    }

    /// Lines, each with its newline.
    pub fn text(&self, record: &PauseRecord) -> String {
        let mut text = began(record, self.muted, self.processes);
        text += &not_muted(&self.failed, self.unknown, self.not_held);
        text + &hidden(self.hidden)
    }
}

fn began(record: &PauseRecord, muted: usize, processes: usize) -> String {
    let dirs = dirs(record);
    match muted {
        0 => format!(
            "{PROBLEM}nothing is muted: no watch in {dirs} that this user may change and that is not mute already\n"
        ),
        _ => format!(
            "paused {} of {} in {dirs}\n",
            plural(muted, "watch", "watches"),
            plural(processes, "process", "processes")
        ),
    }
}

fn not_muted(failed: &[String], unknown: usize, not_held: usize) -> String {
    let mut text = String::new();
    if !failed.is_empty() {
        text += &format!(
            "{PROBLEM}{} could not be muted, and fire as before:\n",
            number(failed.len() as u64)
        );
        for line in failed.iter().take(SHOWN) {
            text += &format!("{PROBLEM}  {}\n", sanitize(line));
        }
        if failed.len() > SHOWN {
            text += &format!(
                "{PROBLEM}  and {} more\n",
                number((failed.len() - SHOWN) as u64)
            );
        }
    }
    if unknown > 0 {
        let watches = plural(unknown, "watch", "watches");
        text += &format!(
            "{PROBLEM}{watches} on the same file system {} not muted: where they are is not known\n",
            agree(unknown as u64, "was", "were")
        );
    }
    if not_held > 0 {
        let files = plural(not_held, "file", "files");
        text += &format!(
            "{PROBLEM}{files} could not be held: when one is removed, its watches hear it at once\n"
        );
    }
    text
}

fn hidden(not_permitted: usize) -> String {
    match not_permitted {
        0 => String::new(),
        some => format!(
            "{} may not be looked at: what {} there fires as before{}\n",
            plural(some, "other process", "other processes"),
            agree(some as u64, "it watches", "they watch"),
            match inspect::effective_user() {
                0 => "",
                _ => " (root pauses them too)",
            }
        ),
    }
}
