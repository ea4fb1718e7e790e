//! `sqlite-self-watch`: the process watches the files or the directory of a SQLite database that it writes to.
//!
//! Meaning: A watch with the event `modify` is on the database, its -wal or -journal, or their directory. Each write
//! wakes the process. If it stores what woke it in that database, the WAL grows without end (incident 5). In rollback
//! mode each commit wakes it even without `modify`, because it creates, closes or removes the -journal.
//!
//! Evidence: `inode` and `device` (major:minor) are what the watch is on, `path` is its path or null. `database`
//! (path), `database_bytes` and `wal_bytes` (sizes in bytes). `fd` is the inotify descriptor, `wd` the watch
//! descriptor, `mask` the event mask in hexadecimal, `events` its names. `files` are those it can write and would be
//! notified about, `rested_seconds` is the time since the last write to one of them. `often` is whether it is written
//! to many times a second, or null if that was not looked at.
//!
//! Severity: critical if it is written to often: in 4 moments of 50 ms within half a second, or with 20 transactions in
//! its log for each second the process has run. Else warning. If only the -journal wakes it: warning, or info if the
//! database has not been written to lately. Info if watchfix hides the -wal.
//!
//! Remedy: from the next start on, libwatchfix ignores the names of the database and its files, and so does `watchfix run`
//! in a static program with non-blocking reads (Linux 5.19). For now, `watchfix heal PID` removes `modify` from the mask;
//! no mask hides a -journal. Where nothing ignores names, the database must be in WAL mode, or elsewhere.
//!
//! Not to be confused with: `self-watch`, for any other file. A -shm, which is written through memory. A database that
//! is only read, or that libwatchfix hides. `sqlite-wal-large`, which the loop leads to.

use super::watched_files::{ReportingWatch, Watches, Written};
use super::{Facts, Finding, Severity, rollback_journal};
use crate::findings::rules_in_force;
use crate::model::{Database, Heal, LATELY, Name, Part, Process, Restart, WatchChange};
use crate::words::{bytes, duration};
use serde_json::json;
use std::time::Duration;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let parts = process.sqlite.iter().flat_map(|db| writes(process, db));
    let watches = Watches::reporting(process, parts.map(written));
    process
        .sqlite
        .iter()
        .filter_map(|database| {
            let by_writes = writes(process, database).find_map(|part| watches.of(&written(part)));
            let by_journal = rollback_journal::reporting_watch(process, database);
            match (by_writes, by_journal) {
                (Some(reporting), journal) => Some(finding(facts, database, reporting, journal)),
                (None, Some(journal)) => Some(by_commits(facts, database, journal)),
                (None, None) => None,
            }
        })
        .collect()
}

/// Whether a database wakes the process that writes it.
pub fn is_about(facts: &Facts<'_>, database: &Database) -> bool {
    let process = facts.process;
    let watches = Watches::reporting(process, writes(process, database).map(written));
    writes(process, database).any(|part| watches.of(&written(part)).is_some())
}

fn finding(
    facts: &Facts<'_>,
    database: &Database,
    reporting: ReportingWatch<'_>,
    journal: Option<(ReportingWatch<'_>, Name)>,
) -> Finding {
    let process = facts.process;
    let place = place(database, reporting);
    let name = &database.database;
    let rested = rested(process, database);
    let (severity, mut message) = match rested {
        _ if only_checkpoints(process, database) => (
            Severity::Info,
            format!(
                "It watches {place}, which contains its own SQLite database {name}. watchfix hides the -wal, so only checkpoints wake it."
            ),
        ),
        Some(rested) if rested > LATELY && !grew(database) => (
            Severity::Warning,
            format!(
                "It watches {place}, which contains its own SQLite database {name}: each write would wake it, and a program that logs what woke it there never stops. This one has not written for {}.",
                duration(rested.as_secs()),
            ),
        ),
        _ if database.often != Some(true) => (
            Severity::Warning,
            format!(
                "It watches {place}, where it writes its own SQLite database {name}: each write wakes it, and a program that logs what woke it there never stops. This one was not seen to write many times a second."
            ),
        ),
        _ => (
            Severity::Critical,
            format!(
                "It watches {place}, where it writes its own SQLite database {name} many times a second: each write wakes it, and if it logs what woke it, the WAL grows without end."
            ),
        ),
    };
    if let Some(wal) = database.wal_bytes {
        message += &format!(" The -wal is {}.", bytes(wal));
    }
    if let Some((reporting, journal)) = &journal {
        let why = rollback_journal::sentence(database, journal, reporting.watch.mask);
        message += &format!(" {why}: heal alone does not end such a loop.");
    }
    Finding {
        severity,
        message,
        change: Some(WatchChange {
            start: Some(start(database)),
            heal: Some(Heal::default()),
        }),
        ..found(process, database, reporting)
    }
}

/// The finding for a watch that already has the mask that heal sets, but still reports each commit.
fn by_commits(
    facts: &Facts<'_>,
    database: &Database,
    (reporting, journal): (ReportingWatch<'_>, Name),
) -> Finding {
    let rests = rested(facts.process, database).is_some_and(|rested| rested > LATELY);
    let why = rollback_journal::sentence(database, &journal, reporting.watch.mask);
    let start = rollback_journal::next_start(database);
    let helps = facts.remedies.start(facts.process, &start).is_some();
    let ends = rollback_journal::ends(helps);
    Finding {
        severity: if rests {
            Severity::Info
        } else {
            Severity::Warning
        },
        message: format!(
            "It watches {}, which contains its own SQLite database. {why}: if it writes there when that wakes it, {ends} the loop.",
            place(database, reporting),
        ),
        change: Some(WatchChange {
            start: Some(start),
            heal: None,
        }),
        ..found(facts.process, database, reporting)
    }
}

fn found(process: &Process, database: &Database, reporting: ReportingWatch<'_>) -> Finding {
    let watch = reporting.watch;
    let path = watch.path.clone();
    let path = path.or_else(|| directory_if_watched(database, reporting));
    let files: Vec<_> = writes(process, database).map(|part| &part.path).collect();
    let rested = rested(process, database);
    Finding {
        code: "sqlite-self-watch",
        severity: Severity::Critical,
        message: String::new(),
        evidence: json!({
            "inode": watch.inode,
            "device": watch.device,
            "path": path,
            "database": database.database,
            "database_bytes": database.database_bytes,
            "wal_bytes": database.wal_bytes,
            "fd": reporting.fd,
            "wd": watch.wd,
            "mask": watch.mask,
            "events": watch.mask.events(),
            "files": files,
            "rested_seconds": rested.map(|rested| rested.as_secs()),
            "often": database.often,
        }),
        remedy: None,
        remedy_live: None,
        change: None,
    }
}

fn place(database: &Database, reporting: ReportingWatch<'_>) -> String {
    let path = reporting.watch.path.clone();
    match path.or_else(|| directory_if_watched(database, reporting)) {
        Some(path) => path.to_string(),
        None => format!("inode {}", reporting.watch.inode),
    }
}

/// For how long none of the files that wake the process has been written to.
fn rested(process: &Process, database: &Database) -> Option<Duration> {
    writes(process, database).map(|part| part.rested).min()?
}

/// Whether its log changed during the look.
fn grew(database: &Database) -> bool {
    database.growth.is_some_and(|growth| {
        let frames = growth.frames.is_some_and(|frames| frames.by() != 0);
        frames || growth.same_log == Some(false)
    })
}

/// Whether only checkpoints wake the process: its writes go into the -wal, which is hidden.
fn only_checkpoints(process: &Process, database: &Database) -> bool {
    let mut parts = database.parts.iter();
    parts.any(|part| part.suffix == "-wal" && rules_in_force::ignores(process, part.path.base()))
}

/// The default rules cover the side files and the usual names. Any other name has to be given.
fn start(database: &Database) -> Restart {
    let names = rollback_journal::names(database);
    let names: Vec<_> = names.iter().map(Vec::as_slice).collect();
    match database.database.parent() {
        Some(dir) if !names.is_empty() => Restart::ignoring(&names, &dir.into()),
        _ => Restart::default(),
    }
}

/// The database's directory, if the watch is on it.
fn directory_if_watched(database: &Database, reporting: ReportingWatch<'_>) -> Option<Name> {
    let part = database.parts.first()?;
    let parent = part.parent?;
    (reporting.watch.identity() == Some(parent))
        .then(|| part.path.parent().map(Into::into))
        .flatten()
}

/// The files of a database for which writes are events that the process sees: not the -shm, which is written through
/// memory, not deleted files, and not those that the library hides.
pub fn writes<'a>(process: &'a Process, database: &'a Database) -> impl Iterator<Item = &'a Part> {
    database.parts.iter().filter(|part| {
        part.suffix != "-shm"
            && part.writable
            && !part.deleted
            && !rules_in_force::ignores(process, part.path.base())
    })
}

pub fn written(part: &Part) -> Written<'_> {
    Written {
        path: &part.path,
        identity: part.identity,
        parent: part.parent,
    }
}

#[cfg(test)]
mod tests;
