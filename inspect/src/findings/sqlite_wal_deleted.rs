//! Unlinked files of an open database: commits go where no other program will ever see them.
//!
//! `sqlite-wal-deleted`: the -wal of an open SQLite database is unlinked.
//!
//! Meaning: What the process commits is invisible to every other program, and is lost when it closes the database.
//!
//! Evidence: `database` (path). `wal` (last path of the -wal), `fd` (a descriptor of it) and `inode`. `fdscan PID` adds
//! `replaced` (another file has the database's name), `database_deleted`, `wal_bytes` (size) and `wal_handles`
//! (descriptors of the -wal). `fdscan wal DB` adds the `pid`. One look decides.
//!
//! Severity: critical. Warning for a scratch database: see `sqlite-deleted`.
//!
//! Remedy: a command that stops the process for a moment and copies all files of the database beside their old names,
//! with `.saved` appended; if their directory is gone, into the nearest one above it. If it fails, nothing is saved:
//! copy them elsewhere. Only then end the process, remove `.saved` from all names together, and start it again.
//!
//! Not to be confused with: a -wal that SQLite removes when the last connection is closed, which nobody has open.
//! `deleted-file-held`, which counts the space.
//!
//! `sqlite-deleted`: an open SQLite database is unlinked.
//!
//! Meaning: Like `sqlite-wal-deleted`, for the database itself: commits are lost when it is closed.
//!
//! Evidence: as for `sqlite-wal-deleted`; `wal` and `wal_bytes` are null, and `fd` and `inode` are those of the
//! database.
//!
//! Severity: critical. Warning if it seems to be a scratch database: its other files are unlinked as well, only this
//! process has it open, and it was below /tmp, /var/tmp, /usr/tmp, or $TMPDIR or $SQLITE_TMPDIR of the process. Nobody
//! can tell who unlinked it.
//!
//! Remedy: as for `sqlite-wal-deleted`.
//!
//! Not to be confused with: SQLite's own temporary databases (`etilqs_`), which are unlinked on purpose. A process that
//! can only read the file, which loses nothing.
//!
//! `sqlite-replaced`: an open SQLite database was replaced by another file.
//!
//! Meaning: The process continues with the old file, which is unlinked. If the old -wal or -journal is still there, a
//! program that opens the new database corrupts it.
//!
//! Evidence: as for `sqlite-wal-deleted`; `replaced` is true (`fdscan PID`).
//!
//! Severity: critical.
//!
//! Remedy: the command that saves the old files with `.saved` appended to their names, or `fdscan PID`, which shows it.
//! Open the new database only when the process has ended and the old -wal, -journal and -shm are removed. Then choose
//! which of the two to keep.
//!
//! Not to be confused with: `sqlite-overwritten`, where the file is the same but its content is not. A process that can
//! only read the old file, which is not reported.
//!
//! `sqlite-shm-deleted`: the -shm of an open SQLite database is unlinked.
//!
//! Meaning: A program that opens the database now creates another -shm. Neither sees what the other commits, and the
//! commits of one of them are lost.
//!
//! Evidence: as for `sqlite-wal-deleted`; `fd` and `inode` are those of the -shm. A second look after 50 ms must find
//! the same.
//!
//! Severity: critical.
//!
//! Remedy: as for `sqlite-wal-deleted`. Do not open the database in another program before the process has ended.
//!
//! Not to be confused with: a -shm that SQLite itself removes just before it closes the last connection.
//!
//! `sqlite-journal-deleted`: the rollback journal of an open SQLite database is unlinked.
//!
//! Meaning: If the process ends during a transaction, nothing can undo the half that is written, and the database is
//! corrupt.
//!
//! Evidence: as for `sqlite-wal-deleted`; `fd` and `inode` are those of the -journal. A second look after 50 ms must
//! find the same.
//!
//! Severity: critical.
//!
//! Remedy: let the transaction end, and do not kill the process before that. The command is that of
//! `sqlite-wal-deleted`.
//!
//! Not to be confused with: a -journal that SQLite removes at the end of each transaction.

use super::{Facts, Finding, Remedies, Severity};
use crate::model::{Database, Name, OrphanFile};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The prefix of SQLite's own temporary databases, which it unlinks on purpose (sqlite/src/os.h,
/// `SQLITE_TEMP_FILE_PREFIX`).
const TEMPORARY: &[u8] = b"etilqs_";

/// What the command does, and what to do after it. If their directory is gone, the files are saved `at` another place.
fn save(database: &Name, at: Option<&Name>) -> String {
    let (beside, then) = match at {
        None => ("beside their old names".into(), String::new()),
        Some(at) => {
            let directory = database.parent().map(Name::from).unwrap_or_default();
            let place = match at.as_bytes() {
                b"." => "in the directory where you paste it".into(),
                _ => format!("in {at}"),
            };
            (
                format!("{place}, because {directory} is gone"),
                format!("create {directory} again, move them there, "),
            )
        }
    };
    format!(
        "The command given here saves its files, all as of one moment, {beside}, with `.saved` appended. If it fails, nothing is saved: copy them elsewhere. Only then end the process, {then}remove `.saved` from all names together, and start it again."
    )
}

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let databases = facts.process.sqlite.iter();
    databases
        .filter_map(|database| of_process(facts, database))
        .collect()
}

fn of_process(facts: &Facts<'_>, database: &Database) -> Option<Finding> {
    let wal = database
        .parts
        .iter()
        .find(|part| part.suffix == "-wal" && part.deleted);
    // Who only reads what was replaced loses nothing.
    let main = database.parts.iter().find(|part| {
        let own = part.suffix.is_empty() && part.deleted && part.writable;
        own && !part.path.base().starts_with(TEMPORARY)
    });
    let side = database
        .parts
        .iter()
        .find(|part| part.deleted && Some(part.suffix) == database.side_deleted);
    let lost = wal.or(main).or(side)?;
    let pid = facts.process.pid;
    // A -shm is rebuilt from the -wal.
    let kept = database.parts.iter().filter(|part| part.suffix != "-shm");
    let files: Vec<_> = kept.map(|part| (Some(part.fd), &part.path)).collect();
    let at = database.nearest.as_ref();
    let name = &database.database;
    let remedy = facts.remedies.rescue(pid, &files, at);
    let (save, given) = match remedy {
        Some(_) => (save(name, at), GIVEN),
        None => (FROM_WITHIN.into(), FROM_WITHIN),
    };
    let mut finding = finding(name, pid, wal.is_some(), &save, remedy);
    if let (None, None, Some(side)) = (wal, main, side) {
        side_deleted(&mut finding, name, pid, side.suffix, &save);
    }
    let mut holders = database.holders.iter();
    if database.scratch && holders.all(|holder| holder.pid == pid) {
        finding.severity = Severity::Warning;
        finding.message = format!(
            "{name} is unlinked but open in process {pid}, and in no other process that can be seen. It was in a place for temporary files: a program unlinks a scratch database on purpose. If it was meant to last, its content is lost when it is closed. {save}"
        );
    }
    if database.replaced {
        let beside = database.parts.iter();
        let beside = beside.filter(|part| !part.suffix.is_empty() && !part.deleted);
        let beside = beside
            .map(|part| part.suffix)
            .find(|suffix| *suffix != "-shm");
        replaced(&mut finding, name, pid, beside, given);
    }
    if let Value::Object(evidence) = &mut finding.evidence {
        evidence.insert("replaced".into(), json!(database.replaced));
        evidence.insert("fd".into(), json!(lost.fd));
        evidence.insert("wal".into(), json!(wal.map(|wal| &wal.path)));
        evidence.insert("database_deleted".into(), json!(database.deleted));
        evidence.insert("wal_bytes".into(), json!(wal.and_then(|wal| wal.bytes)));
        evidence.insert("wal_handles".into(), json!(database.wal_handles));
        evidence.insert("inode".into(), json!(lost.identity.map(|id| id.inode)));
    }
    Some(finding)
}

/// A finding for each process that still has an unlinked -wal of the database.
pub fn of_orphans(database: &Name, orphans: &[OrphanFile], remedies: &Remedies) -> Vec<Finding> {
    let mut holders: BTreeMap<u32, BTreeMap<&Name, &OrphanFile>> = BTreeMap::new();
    for orphan in orphans {
        // A hundred connections have a hundred descriptors of one file.
        let files = holders.entry(orphan.pid).or_default();
        files.entry(&orphan.path).or_insert(orphan);
    }
    let of = |(pid, files): (u32, BTreeMap<&Name, &OrphanFile>)| {
        let is = |file: &OrphanFile, ending: &[u8]| file.path.as_bytes().ends_with(ending);
        let wal = files.values().find(|file| is(file, b"-wal"));
        // Who only reads what was replaced loses nothing.
        let main = files.get(database).filter(|file| file.writable);
        let lost = wal.or(main)?;
        let mut kept: Vec<_> = files
            .values()
            .filter(|file| !is(file, b"-shm"))
            .map(|file| (Some(file.fd), &file.path))
            .collect();
        if !files.contains_key(database) {
            kept.insert(0, (None, database));
        }
        let remedy = remedies.rescue(pid, &kept, None);
        let mut finding = finding(database, pid, wal.is_some(), &save(database, None), remedy);
        // A file with the requested name exists, so the open one is another.
        if main.is_some() {
            let how = match wal {
                Some(_) => GIVEN.into(),
                None => {
                    // The process's descriptors show whether the existing -wal belongs to the old database.
                    finding.remedy = Some(remedies.scan(pid));
                    format!(
                        "`fdscan {pid}` gives the command that saves the old one. If it fails, nothing is saved: copy it elsewhere."
                    )
                }
            };
            replaced(&mut finding, database, pid, None, &how);
        }
        if let Value::Object(evidence) = &mut finding.evidence {
            evidence.insert("wal".into(), json!(wal.map(|wal| &wal.path)));
            evidence.insert("fd".into(), json!(lost.fd));
            evidence.insert("pid".into(), json!(pid));
            evidence.insert("inode".into(), json!(lost.inode));
        }
        Some(finding)
    };
    holders.into_iter().filter_map(of).collect()
}

/// Rewords the finding for an unlinked -shm or -journal.
fn side_deleted(finding: &mut Finding, database: &Name, pid: u32, suffix: &str, save: &str) {
    let (code, what) = match suffix {
        "-shm" => (
            "sqlite-shm-deleted",
            format!(
                "a program that opens the database now creates another one, neither sees what the other commits, and the commits of one of them are lost. Do not open it in another program before process {pid} has ended."
            ),
        ),
        _ => (
            "sqlite-journal-deleted",
            format!(
                "if the process ends during a transaction, nothing can undo the half that is written, and the database is corrupt. Let the transaction end, and do not kill process {pid} before that."
            ),
        ),
    };
    finding.code = code;
    finding.message =
        format!("The {suffix} of {database} is unlinked but open in process {pid}: {what} {save}");
}

/// For a finding that has the command.
const GIVEN: &str = "The command given here saves the old one with `.saved` appended to its names. If it fails, nothing is saved: copy it elsewhere.";
/// Where no other program can open what is unlinked.
const FROM_WITHIN: &str = "No other program can open it here: let the process itself write its data elsewhere, if it can.";

/// Rewords the finding for a database whose name another file has now. It is worst if the old -wal or -journal is still
/// `beside` the new one: a program that opens it mixes the two.
fn replaced(finding: &mut Finding, database: &Name, pid: u32, beside: Option<&str>, how: &str) {
    let trap = beside.map_or_else(String::new, |suffix| {
        format!(
            " Worse, {database}{suffix} belongs to the old one: a program that opens {database} now corrupts the new one. Open it only when process {pid} has ended and {suffix} and -shm are removed."
        )
    });
    finding.code = "sqlite-replaced";
    finding.message = format!(
        "{database} was replaced while process {pid} had it open: the process continues with the old file, which is unlinked. No other program sees what it commits, and it is lost when the database is closed.{trap} {how} Only then end the process, and choose which of the two to keep."
    );
}

fn finding(database: &Name, pid: u32, wal: bool, save: &str, remedy: Option<String>) -> Finding {
    let (code, what) = match wal {
        true => ("sqlite-wal-deleted", format!("The -wal of {database}")),
        false => ("sqlite-deleted", format!("{database}")),
    };
    Finding {
        code,
        severity: Severity::Critical,
        message: format!(
            "{what} is unlinked but open in process {pid}: what it commits is invisible to every other program and lost when it closes the database. {save}",
        ),
        evidence: json!({ "database": database }),
        remedy,
        remedy_live: None,
        change: None,
    }
}

#[cfg(test)]
mod tests;
