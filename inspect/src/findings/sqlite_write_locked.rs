//! `sqlite-write-locked`: a process keeps others from using a SQLite database, so that they get "database is locked".
//!
//! Meaning: A write transaction does not end; or, in rollback mode, a reader does not end and a writer waits for it, so
//! that nobody else can begin; or a process keeps the database for itself alone. Others wait, and then get SQLITE_BUSY.
//!
//! Evidence: `database` (path). `pid` and `command` of the process to blame, null if they are not known. `held_ms` is
//! for how long at least its lock was seen to be held (milliseconds). If that is a reader, `waiting_pid` waits for it,
//! and `waiting_ms` is the age of the waiting lock. At least two looks are needed. A single run looks for up to 0.2 s;
//! `--for 2` shows whether the lock lasts. One look shows a lock that is kept on purpose.
//!
//! Severity: warning from 1,000 ms, and if a lock is kept on purpose. Info below that, and if nobody else has the
//! database open. A lock that is kept on purpose and hinders nobody is not a finding; `--tables` shows it.
//!
//! Remedy: no command is given. It is over when the transaction or the process ends.
//!
//! Not to be confused with: a writer that commits again and again, which is not in one transaction. A browser's locks
//! on its own databases. A reader in WAL mode, which does not keep others from writing: see `sqlite-wal-pinned`.

use super::{Facts, Finding, Severity};
use crate::model::{Blocked, Database, RollbackLock};
use crate::words::plural;
use serde_json::{Value, json};

/// Many drivers wait for five seconds, some for one. After that the caller gets SQLITE_BUSY.
const LONG: u64 = 1000;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let databases = facts.process.sqlite.iter();
    databases
        .filter_map(|database| of(database, Some(facts.process.pid)))
        .collect()
}

/// The finding for one database, in the report of process `own`. After a single look there is no finding: the database
/// may be written at this very moment.
pub fn of(database: &Database, own: Option<u32>) -> Option<Finding> {
    if let Some(blocked) = database.blocked() {
        return read(database, &blocked, own);
    }
    match database.kept() {
        Some(lock) => kept(database, lock, own),
        None => written(database, own),
    }
}

/// Blames a writer.
fn written(database: &Database, own: Option<u32>) -> Option<Finding> {
    let (pid, held) = database.writer()?;
    let held = held?;
    // A browser keeps its databases for itself, and takes its time.
    let alone = database.is_written_alone();
    let others = match alone {
        true => "nobody else has it open, and a process that opens it meanwhile waits",
        false => "any other process that writes meanwhile waits",
    };
    let message = format!(
        "{} has been locked for writing by {} for at least {}, in one transaction: {others}, and then gets SQLITE_BUSY, \"database is locked\". It is over when that transaction is committed or rolled back, or its process ends.{}{}",
        database.database,
        who(database, pid, own),
        seconds(held),
        waits(pid, own),
        longer(held, pid),
    );
    let severity = severity(held, !alone);
    Some(finding(database, pid, Some(held), severity, message))
}

/// Blames a reader, in rollback mode: a writer has announced itself, and lets nobody else begin.
fn read(database: &Database, blocked: &Blocked<'_>, own: Option<u32>) -> Option<Finding> {
    let reader = blocked.readers.first()?;
    let held = reader.held_ms?;
    let more = match blocked.readers.len() {
        0 | 1 => String::new(),
        all => format!(
            " {} it as well.",
            plural(all - 1, "other process reads", "other processes read")
        ),
    };
    let message = format!(
        "{} has been read by {} for at least {}, in one transaction, and {} waits for its end to write.{more} Meanwhile nobody else can begin to read or write; a process that waits too long gets SQLITE_BUSY, \"database is locked\". It is over when that read ends (a cursor that was left half read keeps it) or its process does.{}",
        database.database,
        who(database, reader.pid, own),
        seconds(held),
        who(database, blocked.writer.pid, own),
        longer(held, reader.pid),
    );
    let mut finding = finding(
        database,
        reader.pid,
        Some(held),
        severity(held, true),
        message,
    );
    if let Value::Object(evidence) = &mut finding.evidence {
        evidence.insert("waiting_pid".into(), json!(blocked.writer.pid));
        evidence.insert("waiting_ms".into(), json!(blocked.writer.held_ms));
    }
    Some(finding)
}

/// Blames a process that lets nobody else in, whether or not it writes.
fn kept(database: &Database, lock: &RollbackLock, own: Option<u32>) -> Option<Finding> {
    let others: Vec<_> = database.others(lock.pid).collect();
    let for_good = database.is_kept_for_good(lock);
    // A browser has many of these, and nobody wants to know.
    if others.is_empty() && database.wal_mode != Some(true) {
        return None;
    }
    let held = lock.held_ms;
    if held.is_none() && !for_good {
        return None;
    }
    let open = match others.len() {
        0 => String::new(),
        all => format!(
            " {} it open besides.",
            plural(all, "process has", "processes have")
        ),
    };
    let message = format!(
        "{} is locked by {} for itself alone (`locking_mode = exclusive`): any other process that reads or writes it gets SQLITE_BUSY, \"database is locked\", until it is closed there or that process ends.{open}{}",
        database.database,
        who(database, lock.pid, own),
        longer(held.filter(|_| !for_good).unwrap_or(LONG), lock.pid),
    );
    let severity = match for_good {
        _ if others.is_empty() => Severity::Info,
        true => Severity::Warning,
        false => severity(held.unwrap_or(0), true),
    };
    Some(finding(database, lock.pid, held, severity, message))
}

fn finding(
    database: &Database,
    pid: Option<u32>,
    held: Option<u64>,
    severity: Severity,
    message: String,
) -> Finding {
    Finding {
        code: "sqlite-write-locked",
        severity,
        message,
        evidence: json!({
            "database": database.database,
            "pid": pid,
            "command": database.holder(pid).map(|holder| holder.command()),
            "held_ms": held,
        }),
        remedy: None,
        remedy_live: None,
        change: None,
    }
}

fn severity(held: u64, others: bool) -> Severity {
    match held >= LONG && others {
        true => Severity::Warning,
        false => Severity::Info,
    }
}

fn who(database: &Database, pid: Option<u32>, own: Option<u32>) -> String {
    let this = match pid == own {
        true => ", this one,",
        false => "",
    };
    match (pid, database.holder(pid)) {
        (Some(pid), Some(holder)) => format!("process {pid} ({}){this}", holder.command()),
        (Some(pid), None) => format!("process {pid}{this}"),
        (None, _) => "a process".into(),
    }
}

/// A sentence that says that the reported process waits.
fn waits(pid: Option<u32>, own: Option<u32>) -> String {
    match (pid, own) {
        (Some(pid), Some(own)) if pid != own => {
            format!(" If process {own} writes to it now, it waits for process {pid}.")
        }
        _ => String::new(),
    }
}

fn longer(held: u64, pid: Option<u32>) -> String {
    match held >= LONG {
        true => String::new(),
        false => format!(
            " fdscan {} --for 5 shows whether it lasts longer.",
            pid.map_or_else(|| "PID".into(), |pid| pid.to_string())
        ),
    }
}

/// Milliseconds, for a sentence.
pub fn seconds(millis: u64) -> String {
    format!("{:.1} s", millis as f64 / 1000.0)
}

#[cfg(test)]
mod tests;
