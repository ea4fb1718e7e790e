//! The file of an open database is no longer the one that its log belongs to.
//!
//! `sqlite-overwritten`: another file was copied over a SQLite database while it was open.
//!
//! Meaning: `cp backup.db live.db` keeps the inode, the -wal and the -shm, which belong to the old content. The next
//! reads mix both, and the next checkpoint writes old pages into the new file.
//!
//! Evidence: `database` (path). `shows_by`: "page-size" (not that of the log), "mode" (the header is that of a database
//! without a log), "shorter" (it ends before a page that is not in the log), "longer" (it has more pages than the log
//! says), "change-counter" (not the one that the log continues from) or "pages" (up to 64 checkpointed pages are
//! compared). `database_bytes` and `wal_bytes` (sizes in bytes). `pids` are the processes that have it open. One look
//! decides: it reads the files until two readings agree. Two kinds of copy are not found before the first checkpoint: a
//! backup in WAL mode with the same page size, number of pages and change counter (any counter, if the log has no page
//! 1), and one made while the log has every page of the database, where nothing is mixed and the next checkpoint undoes
//! the copy.
//!
//! Severity: critical.
//!
//! Remedy: no command, but these steps. Copy the -wal elsewhere: commits since the last checkpoint are nowhere else.
//! End those processes with SIGKILL, which leaves no time for a checkpoint. Remove -wal and -shm, and copy the backup
//! again. To restore into an open database, use `.restore` of sqlite3, which is a transaction.
//!
//! Not to be confused with: a restore with `.restore` or the backup API, or VACUUM, which all go through the log. A
//! file that was moved over the database, which has another inode: see `sqlite-replaced`.
//!
//! `sqlite-renamed`: a SQLite database was renamed while it was open.
//!
//! Meaning: In WAL mode the -wal was not renamed: commits go into a -wal that still has the old name. A program that
//! opens the new name does not look there, and a program that creates a database with the old name takes that -wal for
//! its own. In rollback mode SQLite refuses each new write, "attempt to write a readonly database".
//!
//! Evidence: `database` (the old name), `renamed_to` (the new one), `name_is_taken` (another file has the old name now)
//! and `wal_bytes` (size of the -wal in bytes). One look decides. In WAL mode it is reported only if just one
//! database can be meant; in rollback mode only if the old name is that of an open -journal or is on the command line,
//! nothing has that name, and the file or its directory was renamed after the process started.
//!
//! Severity: critical.
//!
//! Remedy: `mv -n` gives it its old name back. If that name is taken there is no command: first stop every program that
//! uses either file.
//!
//! Not to be confused with: `sqlite-replaced`, where the open database is unlinked.

use super::{Facts, Finding, Severity, quote};
use crate::model::{Database, Name, Overwritten};
use serde_json::json;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let databases = facts.process.sqlite.iter();
    databases.flat_map(of).collect()
}

/// The findings for one database, whoever has it open.
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
        Overwritten::PageSize => "its page size is not that of its log",
        Overwritten::Mode => "its header is that of a database without a log",
        Overwritten::Shorter => "it ends before a page that is not in its log either",
        Overwritten::Longer => "it has more pages than its log says",
        Overwritten::Counter => "its change counter is not the one that its log continues from",
        Overwritten::Pages => "pages that were written to it are missing",
    };
    let pids: Vec<_> = database.holders.iter().map(|holder| holder.pid).collect();
    let who: Vec<_> = pids.iter().map(u32::to_string).collect();
    Finding {
        code: "sqlite-overwritten",
        severity: Severity::Critical,
        message: format!(
            "{name} was overwritten while it was open (PID {}), as by copying a backup over it: {shows}. Its -wal and -shm belong to the old content: the next reads mix both, and the next checkpoint writes old pages into the new file. First copy {name}-wal elsewhere: commits since the last checkpoint are nowhere else. Then end the processes that have it open with SIGKILL, which leaves no time for a checkpoint, remove -wal and -shm, and copy the backup again; or restore into the open database with `.restore` of sqlite3, which is a transaction.",
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
                "Another file has the name {name} now: a program that opens it applies the -wal of the old one to it, and corrupts it. First stop every program that uses either."
            ),
            None,
        ),
        false => (
            format!("A program that creates a new {name} takes this -wal for its own."),
            Some(format!("mv -n {} {}", quote(to), quote(name))),
        ),
    };
    Finding {
        code: "sqlite-renamed",
        severity: Severity::Critical,
        message: format!(
            "{name} was renamed to {to} while it was open, but its -wal was not: commits go into {name}-wal, where no program that opens {to} looks for them. {taken}"
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

/// In rollback mode: SQLite checks the name before it writes.
fn moved_away(database: &Database, from: &Name) -> Finding {
    let name = &database.database;
    let transaction = match database.writer() {
        Some(_) => format!(
            " A transaction was begun before: if its process is killed now, a program that opens {name} does not find {from}-journal, which is needed to undo the half that is written."
        ),
        None => String::new(),
    };
    let (ends, remedy) = match database.replaced {
        true => (
            "Another file has its name now: stop every program that uses either, and choose which one to keep.",
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
