//! Who caused the events, in words.

use crate::model::{Cause, EventCount, EventsScan, Name, Relation};
use crate::words::{list_words, plural};
use rules::event;
use std::collections::BTreeMap;

/// From this share on, in percent, one cause is named as the main one.
pub const MOST: u64 = 90;

/// From this share on, in percent, a file is named.
pub const HALF: u64 = 50;

pub fn events(count: u64) -> String {
    plural(
        usize::try_from(count).unwrap_or(usize::MAX),
        "event",
        "events",
    )
}

/// ` by PID 812 (uv run ...)`, with its share if there are other causes.
pub fn by(scan: &EventsScan, mask: u32) -> String {
    let Some(causes) = &scan.causes else {
        return String::new();
    };
    let of = |cause: &Cause| -> u64 {
        let counted = cause
            .events
            .iter()
            .filter(|e| event::bits(e.event.as_bytes()).is_some_and(|b| b & mask != 0));
        counted.map(|entry| entry.count).sum()
    };
    let all: u64 = causes.iter().map(of).sum();
    let Some(cause) = causes
        .iter()
        .max_by_key(|cause| of(cause))
        .filter(|_| all > 0)
    else {
        return String::new();
    };
    match percent(of(cause), all) {
        99.. => format!(" by {}", who(cause)),
        share @ HALF.. => format!(", {share} % of them by {}", who(cause)),
        _ => by_program(causes, of, all),
    }
}

/// The share of one program that is started repeatedly with different arguments.
pub fn by_program(causes: &[Cause], of: impl Fn(&Cause) -> u64, all: u64) -> String {
    let mut programs: BTreeMap<&Name, (u64, usize)> = BTreeMap::new();
    for cause in causes {
        if let Some(comm) = &cause.comm {
            let (count, processes) = programs.entry(comm).or_default();
            *count += of(cause);
            *processes += cause.processes;
        }
    }
    let worst = programs.into_iter().max_by_key(|(_, (count, _))| *count);
    match worst.map(|(comm, (count, processes))| (comm, percent(count, all), processes)) {
        Some((comm, share @ HALF.., processes)) => {
            let processes = plural(processes, "process", "processes");
            format!(", {share} % of them by {processes} called {comm}")
        }
        _ => ", by many".into(),
    }
}

/// `itself`, `PID 812 (uv run ...)`, `27 processes (cat x)`
pub fn who(cause: &Cause) -> String {
    /// The most characters of a command line within a sentence.
    const ROOM: usize = 60;
    let command = cause.command.as_ref().map(ToString::to_string);
    let command = command.map_or_else(String::new, |text| match text.char_indices().nth(ROOM) {
        Some((end, _)) => format!(" ({}...)", text.get(..end).unwrap_or_default()),
        None => format!(" ({text})"),
    });
    match (cause.relation, cause.processes, cause.pids.first()) {
        (Relation::Itself, ..) => "itself".into(),
        (Relation::Unknown, 1, Some(pid)) => format!("PID {pid}, which ended at once"),
        (Relation::Unknown, count, _) => {
            format!(
                "{} that ended at once",
                plural(count, "process", "processes")
            )
        }
        (_, 1, Some(pid)) => format!("PID {pid}{command}"),
        (_, count, _) => format!("{}{command}", plural(count, "process", "processes")),
    }
}

pub fn names_of(mask: u32, seen: &[EventCount]) -> String {
    let names: Vec<_> = seen
        .iter()
        .map(|entry| entry.event)
        .filter(|name| event::bits(name.as_bytes()).is_some_and(|bit| bit & mask != 0))
        .collect();
    list_words(&names, "and")
        .replace(" and ", ",")
        .replace(", ", ",")
}

/// Rounded down: 100 means all.
pub fn percent(part: u64, all: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(all.max(1))).unwrap_or(100)
}
