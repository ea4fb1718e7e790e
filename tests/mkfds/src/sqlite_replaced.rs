//! Databases that are replaced while they are open, as by a restore.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::report::{Outcome, Report};
use crate::sqlite::{failed, open, open_wal, run};

/// Rows that are committed.
const ROWS: usize = 3001;

/// A database of [`ROWS`] rows. In WAL mode all but the last are in the database itself; in rollback mode a
/// transaction has begun to overwrite them and is not committed.
pub fn hold(mut report: Report, dir: &Path, rollback: bool) -> Outcome {
    let database = dir.join("state.db");
    let connection = open(&database)?;
    let run = |sql: &str| run(&connection, &database, sql);
    let fill = format!(
        "CREATE TABLE entries (id INTEGER PRIMARY KEY, body TEXT);
         INSERT INTO entries (body)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
         SELECT printf('%0300d', i) FROM n;",
        ROWS - 1
    );
    let last = "INSERT INTO entries (body) VALUES ('last')";
    if rollback {
        run(&fill)?;
        run(last)?;
        // With room for ten pages, what does not fit goes into the database before the commit.
        run("PRAGMA cache_size = 10; BEGIN; UPDATE entries SET body = 'half done'")?;
    } else {
        run("PRAGMA journal_mode = wal")?;
        run(&fill)?;
        run("PRAGMA wal_checkpoint(RESTART)")?;
        run(last)?;
    }
    let lost =
        |path: &Path, e: std::io::Error| format!("{} cannot be replaced: {e}.", path.display());
    let other = dir.join("restored.db");
    open(&other)?
        .execute_batch("CREATE TABLE other (id INTEGER)")
        .map_err(|e| failed("cannot be written", &other, &e))?;
    fs::rename(&other, &database).map_err(|e| lost(&database, e))?;
    report.path("database", &database)?;
    report.fact("rows", ROWS)?;
    report.hold()
}

/// What becomes of a database that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// An older copy of it is copied over it.
    Copy,
    /// It is renamed.
    Rename,
    /// It is renamed, and another one made in its place.
    RenameAndMake,
    /// Nothing: it is written and checkpointed.
    Nothing,
}

/// A database in WAL mode with a checkpointed log and one transaction that is not.
pub fn displace(mut report: Report, dir: &Path, by: By) -> Outcome {
    let database = dir.join("live.db");
    let connection = open_wal(&database)?;
    let run = |sql: &str| run(&connection, &database, sql);
    let fill = "INSERT INTO entries (body) VALUES (randomblob(50000)); PRAGMA wal_checkpoint;";
    run(fill)?;
    let say = |e: std::io::Error| format!("{} cannot be displaced: {e}.", database.display());
    // By another process: a process that closes a file loses all of its locks on it, those of SQLite too.
    let copy = |from: &Path, to: &Path| {
        let done = Command::new("cp").args([from, to]).status().map_err(say)?;
        match done.success() {
            true => Ok(()),
            false => Err(format!("cp cannot copy {}.", from.display())),
        }
    };
    let backup = dir.join("backup.db");
    copy(&database, &backup)?;
    run(fill)?;
    run("INSERT INTO entries (body) VALUES ('last')")?;
    let moved = dir.join("moved.db");
    match by {
        // As cp(1) does: the inode stays.
        By::Copy => copy(&backup, &database)?,
        By::Rename => fs::rename(&database, &moved).map_err(say)?,
        By::RenameAndMake => {
            fs::rename(&database, &moved).map_err(say)?;
            fs::write(&database, "another one").map_err(say)?;
        }
        By::Nothing => {}
    }
    report.path("database", &database)?;
    report.path("moved", &moved)?;
    report.hold()
}
