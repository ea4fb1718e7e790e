//! A database in use: reads that overlap for ever.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use crate::report::{Outcome, Report};
use crate::sqlite::{beside, failed, open, read, report_database, run};

/// Connections that read. While one of them ends its read, all others are in the middle of theirs.
const READERS: u32 = 4;
/// How long one read lasts.
const READ: Duration = Duration::from_millis(80);
/// Bytes of one row.
const ROW: usize = 128 << 10;

/// Reads that overlap, and a thread that writes.
pub fn hold_overlapping(mut report: Report, dir: &Path, megabytes: u64) -> Outcome {
    let database = dir.join("state.db");
    let writer = open(&database)?;
    let write = |sql: &str| run(&writer, &database, sql);
    write(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = off;
         CREATE TABLE entries (id INTEGER PRIMARY KEY, body BLOB);
         INSERT INTO entries (body) VALUES ('started')",
    )?;
    let change = format!("REPLACE INTO entries (id, body) VALUES (1, zeroblob({ROW}))");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_by_turns(&database, &stop));
        let written = (|| -> Outcome {
            let wal = beside(&database, "-wal");
            let bytes = || fs::metadata(&wal).map_or(0, |m| m.len());
            while bytes() < megabytes << 20 {
                write(&change)?;
            }
            report_database(&mut report, &database)?;
            let ended = std::thread::spawn(crate::report::wait_for_end);
            report.ready()?;
            while !ended.is_finished() {
                write(&change)?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        let read = reader.join();
        let read = read.map_err(|_| "The thread that reads panicked.".to_owned());
        written.and(read.and_then(|outcome| outcome))
    })
}

/// One thread has all reads, so that no delay lets them end at one time.
fn read_by_turns(database: &Path, stop: &AtomicBool) -> Outcome {
    let readers = (0..READERS).map(|_| open(database));
    let readers = readers.collect::<Result<Vec<_>, _>>()?;
    let begin = |reader: &Connection, sql: &str| {
        reader
            .execute_batch(sql)
            .map_err(|e| failed("cannot be read", database, &e))?;
        read(reader, database)
    };
    for reader in &readers {
        begin(reader, "BEGIN")?;
    }
    for reader in readers.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep(READ / READERS);
        begin(reader, "COMMIT; BEGIN")?;
    }
    Ok(())
}
