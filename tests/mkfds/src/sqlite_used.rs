//! A database in use: reads that overlap for ever.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::report::{Outcome, Report};
use crate::sqlite::{beside, failed, open, read, report_database, run};

/// Threads that read. While one begins, another one is in the middle.
const READERS: u32 = 4;
/// How long one read lasts.
const READ: Duration = Duration::from_millis(80);
/// Bytes of one row.
const ROW: usize = 128 << 10;

/// Four threads read one after the other, each beginning before the last one ends; one writes.
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
        let readers: Vec<_> = (0..READERS)
            .map(|n| {
                let (stop, database) = (&stop, &database);
                scope.spawn(move || -> Outcome {
                    let reader = open(database)?;
                    let run = |sql: &str| {
                        reader
                            .execute_batch(sql)
                            .map_err(|e| failed("cannot be read", database, &e))
                    };
                    std::thread::sleep(READ * n / READERS);
                    while !stop.load(Ordering::Relaxed) {
                        run("BEGIN")?;
                        read(&reader, database)?;
                        std::thread::sleep(READ);
                        run("COMMIT")?;
                    }
                    Ok(())
                })
            })
            .collect();
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
        let mut outcome = written;
        for reader in readers {
            let ended = reader.join().map_err(|_| "A reader panicked.".to_owned());
            outcome = outcome.and(ended.and_then(|outcome| outcome));
        }
        outcome
    })
}
