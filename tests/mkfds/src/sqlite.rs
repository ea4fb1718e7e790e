//! States made of SQLite databases in WAL mode.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::{Connection, OpenFlags};

use crate::files;
use crate::inotify::{Instance, Target};
use crate::report::{Outcome, Report};

pub fn failed(what: &str, path: &Path, error: &rusqlite::Error) -> String {
    format!("{} {what}: {error}.", path.display())
}

/// Runs statements that write.
pub fn run(connection: &Connection, database: &Path, sql: &str) -> Outcome {
    connection
        .execute_batch(sql)
        .map_err(|e| failed("cannot be written", database, &e))
}

/// `database` with `suffix` behind its name.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    name.into()
}

pub fn open(database: &Path) -> Result<Connection, String> {
    // No URI: a name with `?` or `%` is a name.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    Connection::open_with_flags(database, flags)
        .map_err(|e| failed("cannot be opened", database, &e))
}

/// Opens a connection to a new database in WAL mode that has written and read.
pub fn open_wal(database: &Path) -> Result<Connection, String> {
    let connection = open(database)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode = wal", [], |row| row.get(0))
        .map_err(|e| failed("cannot be set to WAL mode", database, &e))?;
    if mode != "wal" {
        return Err(format!("{} stays in mode {mode}.", database.display()));
    }
    run(
        &connection,
        database,
        "PRAGMA synchronous = off;
         PRAGMA wal_autocheckpoint = 0;
         CREATE TABLE entries (id INTEGER PRIMARY KEY, body BLOB);
         INSERT INTO entries (body) VALUES ('started');",
    )?;
    read(&connection, database)?;
    Ok(connection)
}

/// Reads once: from then on the connection has the -wal open and holds its lock.
pub fn read(connection: &Connection, database: &Path) -> Outcome {
    connection
        .query_row("SELECT count(*) FROM entries", [], |row| {
            row.get::<_, i64>(0)
        })
        .map(drop)
        .map_err(|e| failed("cannot be read", database, &e))
}

/// Begins a read transaction and leaves it open.
pub fn begin_reading(connection: &Connection, database: &Path) -> Outcome {
    connection
        .execute_batch("BEGIN")
        .map_err(|e| failed("cannot be read", database, &e))?;
    read(connection, database)
}

/// How many descriptors of this process stand on `path`, by inode: its name may lead through a link.
fn descriptors(path: &Path) -> Result<usize, String> {
    let say = |e: std::io::Error| format!("/proc/self/fd cannot be read: {e}.");
    let wanted =
        fs::metadata(path).map_err(|e| format!("{} has no metadata: {e}.", path.display()))?;
    let mut found = 0;
    for entry in fs::read_dir("/proc/self/fd").map_err(say)? {
        // Following the link asks for the metadata of the open file itself.
        if fs::metadata(entry.map_err(say)?.path())
            .is_ok_and(|m| m.dev() == wanted.dev() && m.ino() == wanted.ino())
        {
            found += 1;
        }
    }
    Ok(found)
}

pub fn report_database(report: &mut Report, database: &Path) -> Outcome {
    report.path("database", database)?;
    report.fact("handles", descriptors(database)?)?;
    report.fact("wal_handles", descriptors(&beside(database, "-wal"))?)?;
    report.fact("shm_handles", descriptors(&beside(database, "-shm"))?)
}

/// By another process: a process that closes a file loses all of its locks on it, those of SQLite too.
fn set_time(path: &Path, time: &str) -> Outcome {
    let status = Command::new("touch").args(["-d", time]).arg(path).status();
    match status.is_ok_and(|status| status.success()) {
        true => Ok(()),
        false => Err(format!("touch cannot set the time of {}.", path.display())),
    }
}

/// As many transactions as a program makes that is woken by each of them.
fn log_often(connection: &Connection, database: &Path) -> Outcome {
    for _ in 0..4000 {
        run(
            connection,
            database,
            "INSERT INTO entries (body) VALUES ('woken')",
        )?;
    }
    Ok(())
}

/// A database held open while its directory, itself or its -wal is watched.
pub fn hold_self_watch(
    mut report: Report,
    dir: &Path,
    mask: u32,
    on: Target,
    elsewhere: bool,
    rested: bool,
) -> Outcome {
    let home = if elsewhere {
        let sub = dir.join("sub");
        fs::create_dir(&sub).map_err(|e| format!("{} cannot be made: {e}.", sub.display()))?;
        sub
    } else {
        dir.to_owned()
    };
    let database = home.join("logs.sqlite");
    let connection = open_wal(&database)?;
    if !rested {
        log_often(&connection, &database)?;
    }
    let time = if rested { "1 hour ago" } else { "1 hour" };
    for file in [database.clone(), beside(&database, "-wal")] {
        set_time(&file, time)?;
    }
    let watched = match on {
        Target::Directory => dir.to_owned(),
        Target::File => database.clone(),
        Target::Wal => beside(&database, "-wal"),
    };
    let instance = Instance::new()?;
    instance.watch(&watched, mask)?;
    report.path("watched", &watched)?;
    report_database(&mut report, &database)?;
    report.hold_watching(&instance)
}

/// `count` open connections that have read, spread over `databases` databases.
pub fn hold_connections(mut report: Report, dir: &Path, count: usize, databases: usize) -> Outcome {
    if databases == 0 {
        return Err("At least one database is needed.".into());
    }
    files::allow_open(count as u64 * 3)?;
    let paths: Vec<PathBuf> = (0..databases)
        .map(|i| dir.join(format!("state{i}.db")))
        .collect();
    let mut held = Vec::with_capacity(count);
    for i in 0..count {
        let database = &paths[i % databases];
        if i < databases {
            held.push(open_wal(database)?);
        } else {
            let connection = open(database)?;
            read(&connection, database)?;
            held.push(connection);
        }
    }
    for database in &paths {
        report_database(&mut report, database)?;
    }
    report.hold()
}

/// `count` descriptors of closed connections. SQLite may not close a database's descriptor while another
/// connection of the process holds a lock: it parks it for the next connection with the same flags.
/// Connections that were open at the same time are parked each; one after the other would reuse one.
pub fn hold_parked(mut report: Report, dir: &Path, count: usize) -> Outcome {
    files::allow_open(count as u64 * 3)?;
    let database = dir.join("state0.db");
    let holder = open_wal(&database)?;
    let closing: Vec<Connection> = (0..count)
        .map(|_| {
            let connection = open(&database)?;
            read(&connection, &database)?;
            Ok(connection)
        })
        .collect::<Result<_, String>>()?;
    for connection in closing {
        connection
            .close()
            .map_err(|(_, e)| failed("cannot be closed", &database, &e))?;
    }
    read(&holder, &database)?;
    let (handles, wal) = (
        descriptors(&database)?,
        descriptors(&beside(&database, "-wal"))?,
    );
    if handles != count + 1 || wal != 1 {
        return Err(format!(
            "SQLite holds {handles} descriptors of the database and {wal} of its -wal in place of {} \
             and 1: it does not park them here.",
            count + 1
        ));
    }
    report_database(&mut report, &database)?;
    report.hold()
}

/// How large a -wal and its database become, at least, in MiB.
pub struct Size {
    pub megabytes: u64,
    pub database_megabytes: u64,
}

/// A -wal that no checkpoint shortens.
pub fn hold_large_wal(
    mut report: Report,
    dir: &Path,
    Size {
        megabytes,
        database_megabytes,
    }: Size,
    checkpointed: bool,
    pinned: bool,
) -> Outcome {
    const MIB: u64 = 1 << 20;
    let database = dir.join("state0.db");
    let wal = beside(&database, "-wal");
    let connection = open_wal(&database)?;
    let execute = |sql: &str| run(&connection, &database, sql);
    let size = |path: &Path| {
        fs::metadata(path)
            .map(|m| m.len())
            .map_err(|e| format!("{} has no metadata: {e}.", path.display()))
    };
    for _ in 0..database_megabytes {
        execute("INSERT INTO entries (body) VALUES (zeroblob(1048576))")?;
    }
    // TRUNCATE brings everything into the database and the -wal back to 0 bytes.
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .map_err(|e| failed("cannot be checkpointed", &database, &e))?;
    let reader = if pinned {
        execute("INSERT INTO entries (body) VALUES ('read')")?;
        let reader = open(&database)?;
        begin_reading(&reader, &database)?;
        Some(reader)
    } else {
        None
    };
    // The same row again and again: the -wal grows, and the database does not need to.
    while size(&wal)? < megabytes * MIB {
        execute("REPLACE INTO entries (id, body) VALUES (1, zeroblob(1048576))")?;
    }
    if checkpointed {
        // PASSIVE leaves the file as it is.
        connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(|e| failed("cannot be checkpointed", &database, &e))?;
    }
    report_database(&mut report, &database)?;
    report.fact("database_bytes", size(&database)?)?;
    report.fact("wal_bytes", size(&wal)?)?;
    let outcome = report.hold();
    drop(reader);
    outcome
}

/// A -wal without a name: what is written from now on is lost.
pub fn hold_deleted_wal(mut report: Report, dir: &Path) -> Outcome {
    let database = dir.join("state0.db");
    let connection = open_wal(&database)?;
    let wal = beside(&database, "-wal");
    fs::remove_file(&wal).map_err(|e| format!("{} cannot be removed: {e}.", wal.display()))?;
    // It still can be read and written: that is the trap.
    read(&connection, &database)?;
    report.path("database", &database)?;
    report.path("wal", &wal)?;
    report.hold()
}

/// A database without a name, or only its -wal without one: 3,000 rows are in the database, one more was
/// committed since.
pub fn hold_deleted(mut report: Report, dir: &Path, rollback: bool, wal_only: bool) -> Outcome {
    let database = dir.join("state0.db");
    let connection = open(&database)?;
    let mode = if rollback { "persist" } else { "wal" };
    let rows = "INSERT INTO entries (body)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        SELECT zeroblob(300) FROM n";
    run(
        &connection,
        &database,
        &format!(
            "PRAGMA journal_mode = {mode};
             CREATE TABLE entries (id INTEGER PRIMARY KEY, body BLOB);
             {rows};
             PRAGMA wal_checkpoint(restart);
             INSERT INTO entries (body) VALUES ('last');"
        ),
    )?;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path = beside(&database, suffix);
        if path.exists() && (!wal_only || suffix == "-wal") {
            fs::remove_file(&path)
                .map_err(|e| format!("{} cannot be removed: {e}.", path.display()))?;
        }
    }
    report.path("database", &database)?;
    report.hold()
}

/// Connections with a rollback journal.
pub fn hold_rollback(mut report: Report, dir: &Path, count: usize) -> Outcome {
    files::allow_open(count as u64 + 8)?;
    let database = dir.join("state0.db");
    let mut held = Vec::new();
    for _ in 0..count {
        let connection = open(&database)?;
        run(
            &connection,
            &database,
            "CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, body BLOB)",
        )?;
        read(&connection, &database)?;
        held.push(connection);
    }
    report.path("database", &database)?;
    report.fact("handles", descriptors(&database)?)?;
    report.hold()
}
