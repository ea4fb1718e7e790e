//! SQLite databases with somebody holding a lock on them.

use std::path::Path;

use clap::ValueEnum;

use crate::inotify::Instance;
use crate::report::{Outcome, Report};
use crate::sqlite::{begin_reading, failed, open, open_wal, read, report_database, run};

/// When a reader looks at the database.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reader {
    /// It begins before the frames are written, and stays.
    Before,
    /// It begins after them, and stays.
    After,
    /// It begins before and ends after them: its mark stays behind, its lock does not.
    Ended,
    /// It begins when everything is in the database, before the frames are written: it reads the
    /// database alone, by READ(0).
    Zero,
}

/// A lock on a database.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Locked {
    /// Rollback mode, a read transaction.
    Shared,
    /// Rollback mode, a write transaction that has not written yet.
    Reserved,
    /// Rollback mode, an exclusive transaction.
    Exclusive,
    /// Rollback mode, no transaction.
    None,
    /// WAL mode with `locking_mode = exclusive`: no -shm.
    WalExclusive,
}

/// Frames behind a reader, all of them in one process.
pub fn hold_pinned(
    mut report: Report,
    dir: &Path,
    frames: usize,
    when: Reader,
    page_size: u32,
) -> Outcome {
    let database = dir.join("state0.db");
    run(
        &open(&database)?,
        &database,
        &format!("PRAGMA page_size = {page_size}; VACUUM"),
    )?;
    let writer = open_wal(&database)?;
    let reader = open(&database)?;
    if when == Reader::Zero {
        writer
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(|e| failed("cannot be checkpointed", &database, &e))?;
    }
    if when != Reader::After {
        begin_reading(&reader, &database)?;
    }
    // One row on one page, changed once for each frame.
    for _ in 0..frames {
        run(
            &writer,
            &database,
            "REPLACE INTO entries (id, body) VALUES (1, 'changed')",
        )?;
    }
    match when {
        Reader::After => begin_reading(&reader, &database)?,
        Reader::Ended => run(&reader, &database, "COMMIT")?,
        _ => {}
    }
    report_database(&mut report, &database)?;
    report.hold()
}

/// One connection that holds a lock.
pub fn hold_locked(mut report: Report, dir: &Path, lock: Locked) -> Outcome {
    let database = dir.join("state0.db");
    let connection = open(&database)?;
    if lock == Locked::WalExclusive {
        // Set before the first access, no -shm is ever made (https://sqlite.org/wal.html, section 6).
        run(
            &connection,
            &database,
            "PRAGMA locking_mode = exclusive; PRAGMA journal_mode = wal",
        )?;
    }
    run(
        &connection,
        &database,
        "CREATE TABLE entries (id INTEGER PRIMARY KEY, body BLOB);
         INSERT INTO entries (body) VALUES ('started')",
    )?;
    match lock {
        Locked::Shared => begin_reading(&connection, &database)?,
        Locked::Reserved => run(&connection, &database, "BEGIN IMMEDIATE")?,
        Locked::Exclusive => run(&connection, &database, "BEGIN EXCLUSIVE")?,
        Locked::None | Locked::WalExclusive => read(&connection, &database)?,
    }
    report.path("database", &database)?;
    report.hold()
}

/// Writes, reads and restarts the log as fast as it can, until standard input is closed.
pub fn hold_busy(mut report: Report, dir: &Path, watch: Option<u32>) -> Outcome {
    let instance = Instance::new()?;
    if let Some(mask) = watch {
        instance.watch(dir, mask)?;
    }
    let database = dir.join("state0.db");
    let writer = open_wal(&database)?;
    let reader = open(&database)?;
    read(&reader, &database)?;
    report_database(&mut report, &database)?;
    let ended = std::thread::spawn(crate::report::wait_for_end);
    report.ready()?;
    let mut round = 0u32;
    while !ended.is_finished() {
        run(
            &writer,
            &database,
            "REPLACE INTO entries (id, body) VALUES (1, 'changed')",
        )?;
        read(&reader, &database)?;
        // RESTART sets the log back; TRUNCATE empties the file as well.
        let how = match round % 64 {
            0 => "PRAGMA wal_checkpoint(TRUNCATE)",
            32 => "PRAGMA wal_checkpoint(RESTART)",
            _ => "PRAGMA wal_checkpoint(PASSIVE)",
        };
        if round.is_multiple_of(8) {
            writer
                .query_row(how, [], |_| Ok(()))
                .map_err(|e| failed("cannot be checkpointed", &database, &e))?;
        }
        round = round.wrapping_add(1);
    }
    ended
        .join()
        .map_err(|_| "The waiting thread panicked.".to_owned())?
}
