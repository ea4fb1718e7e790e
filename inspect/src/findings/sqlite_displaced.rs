//! The file of an open database is not the one its log is about any more.
//!
//! `sqlite-overwritten`: another file was copied over a SQLite database while it was open.
//!
//! Meaning: `cp backup.db live.db` keeps the inode, the -wal and the -shm, which belong to the old content. The next
//! reads mix both, and the next checkpoint writes old pages into the new file.
//!
//! Evidence: `database` (path). `shows_by`: "page-size" (another one than in the log), "mode" (its header is that of a
//! database without a log), "shorter" (it ends before a page that is not in the log), "longer" (it has more pages than
//! the log says), "change-counter" (not the one the log goes on from) or "pages" (up to 64 checkpointed pages are
//! compared). `database_bytes` and `wal_bytes` (sizes in bytes). `pids` are the processes that have it open. One look
//! decides: it reads the files until two readings agree. Not found, before the first checkpoint: a backup in WAL mode
//! with the same page size, number of pages and change counter (without a page 1 in the log, with any counter); and one
//! while the log has every page of the database: then nothing is mixed, and the next checkpoint undoes the copy.
//!
//! Severity: critical.
//!
//! Remedy: no command is given; the steps are these. Copy the -wal elsewhere: what was committed since the last
//! checkpoint is nowhere else. End those processes with SIGKILL, which leaves no time for a checkpoint. Remove -wal and
//! -shm, and copy the backup again. To restore into an open database, use `.restore` of sqlite3, which is a
//! transaction.
//!
//! Not to be confused with: a restore by `.restore` or the backup API, and VACUUM: these go through the log. A file
//! that was moved over the database, which has another inode: see `sqlite-replaced`.
//!
//! `sqlite-renamed`: a SQLite database was renamed while it was open.
//!
//! Meaning: In WAL mode its -wal was not renamed: what is committed goes into a -wal that has the old name. Whoever opens
//! the new name does not look for it there, and whoever makes a database of the old name takes that -wal for their own.
//! In rollback mode SQLite refuses each new write, "attempt to write a readonly database".
//!
//! Evidence: `database` (the old name), `renamed_to` (the new one), `name_is_taken` (another file has the old name now)
//! and `wal_bytes` (size of the -wal in bytes). One look decides, in WAL mode only where one database alone can be
//! meant; in rollback mode only where the old name is that of an open -journal, or is on the command line, nothing is
//! there, and the file or its directory was renamed since the start.
//!
//! Severity: critical.
//!
//! Remedy: `mv -n` gives it its old name back. Where that is taken there is no command: stop every program that uses
//! either file first.
//!
//! Not to be confused with: `sqlite-replaced`, where the open database has no name any more.

use super::{Facts, Finding, Severity, quote};
use crate::model::{Database, Name, Overwritten};
use serde_json::json;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let databases = facts.process.sqlite.iter();
    databases.flat_map(of).collect()
}

/// What happened to one database, whoever has it open.
pub fn of(database: &Database) -> Vec<Finding> {
    let overwritten = database.overwritten.map(|how| overwritten(database, how));
    let renamed = database.renamed_to.as_ref().map(|to| renamed(database, to));
    let moved = database.renamed_from.as_ref();
    let moved = moved.map(|from| moved_away(database, from));
    overwritten
        .into_iter()
        .chain(renamed)
        .chain(moved)
        .collect()
}

fn overwritten(database: &Database, how: Overwritten) -> Finding {
    let name = &database.database;
    let shows = match how {
        Overwritten::PageSize => "its pages have another size than those of its log",
        Overwritten::Mode => "its header is that of a database without a log",
        Overwritten::Shorter => "it ends before a page that is not in its log either",
        Overwritten::Longer => "it has more pages than its log says",
        Overwritten::Counter => "its change counter is not the one its log goes on from",
        Overwritten::Pages => "pages that were written to it are not there",
    };
    let pids: Vec<_> = database.holders.iter().map(|holder| holder.pid).collect();
    let who: Vec<_> = pids.iter().map(u32::to_string).collect();
    Finding {
        code: "sqlite-overwritten",
        severity: Severity::Critical,
        message: format!(
            "{name} was overwritten while it was open (PID {}), as a backup copied over it does: {shows}. Its -wal and -shm are those of the old one: the next reads mix both, and the next checkpoint writes the old pages into the new file. First copy {name}-wal elsewhere: what was committed since the last checkpoint is nowhere else. Then end who has it open with SIGKILL, which leaves no time for a checkpoint, remove -wal and -shm, and copy the backup again; or restore into the open database with `.restore` of sqlite3, which is a transaction.",
            who.join(", "),
        ),
        evidence: json!({
            "database": name,
            "shows_by": how.name(),
            "database_bytes": database.database_bytes,
            "wal_bytes": database.wal_bytes,
            "pids": pids,
        }),
        remedy: None,
        remedy_live: None,
        change: None,
    }
}

fn renamed(database: &Database, to: &Name) -> Finding {
    let name = &database.database;
    let (taken, remedy) = match database.replaced {
        true => (
            format!(
                "Another file has the name {name} now: whoever opens that applies the -wal of the old one to it, and spoils it. Stop every program that uses either first."
            ),
            None,
        ),
        false => (
            format!("Whoever makes a new {name} takes its -wal for their own."),
            Some(format!("mv -n {} {}", quote(to), quote(name))),
        ),
    };
    Finding {
        code: "sqlite-renamed",
        severity: Severity::Critical,
        message: format!(
            "{name} was renamed to {to} while it was open, and its -wal was not: what is committed goes into {name}-wal, where nobody who opens {to} looks for it. {taken}"
        ),
        evidence: json!({
            "database": name,
            "renamed_to": to,
            "name_is_taken": database.replaced,
            "wal_bytes": database.wal_bytes,
        }),
        remedy,
        remedy_live: None,
        change: None,
    }
}

/// In rollback mode: SQLite looks for the name before it writes.
fn moved_away(database: &Database, from: &Name) -> Finding {
    let name = &database.database;
    let transaction = match database.writer() {
        Some(_) => format!(
            " A transaction was begun before: if its process is killed in it, nobody who opens {name} finds {from}-journal, which undoes the half of it that is written."
        ),
        None => String::new(),
    };
    let (ends, remedy) = match database.replaced {
        true => (
            "Another file has its name now: stop every program that uses either, and choose which goes on.",
            None,
        ),
        false => (
            "Give it its name back, or start the program again.",
            Some(format!("mv -n {} {}", quote(name), quote(from))),
        ),
    };
    Finding {
        code: "sqlite-renamed",
        severity: Severity::Critical,
        message: format!(
            "{from} was renamed to {name} while it was open, and SQLite refuses each new write to it: \"attempt to write a readonly database\".{transaction} {ends}"
        ),
        evidence: json!({
            "database": from,
            "renamed_to": name,
            "name_is_taken": database.replaced,
            "wal_bytes": null,
        }),
        remedy,
        remedy_live: None,
        change: None,
    }
}
