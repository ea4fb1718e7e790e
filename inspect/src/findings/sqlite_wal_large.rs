//! `sqlite-wal-large`: the -wal of a SQLite database is far larger than the database.
//!
//! Meaning: Checkpoints do not keep up, or nobody truncates the file. Every read has to search a log that is in use,
//! and the disk fills up.
//!
//! Evidence: `database` (path). `reason`: "pinned" (a reader holds up checkpoints), "not-checkpointed" (1,000 frames or
//! 64 MiB are pending and no reader is in the way), "never-restarts" (there is always a reader, so the log never
//! restarts), "high-water-mark" (all of it is in the database, and the file keeps its largest size) or null (the -shm
//! could not be read). `database_bytes` and `wal_bytes` are sizes, `live_bytes` the valid frames, `pending_bytes` those
//! that are not in the database yet. `wal_handles` counts descriptors. `bytes_per_second` is the growth during `--for`,
//! else null. Reported if the -wal is larger than 64 MiB and than twice the database.
//!
//! Severity: warning. Info for "high-water-mark": nothing grows.
//!
//! Remedy: a checkpoint with TRUNCATE through sqlite3. It waits for readers and writers, and nobody can write
//! meanwhile: a program that does not let its writes wait (`busy_timeout`) gets "database is locked". So it waits for 2 s
//! at most, five times. It prints `0|0|0` when the log is empty; nothing, and status 1, says that somebody was always in
//! the way. None if it cannot help: for "pinned", if a process has locked the database for itself alone, if the -wal is
//! unlinked, for a high-water mark that is being read, and against a loop (`sqlite-self-watch`) or a writer of more than
//! 1 MiB/s (except for "never-restarts").
//!
//! Not to be confused with: a -wal of a few MiB, which is normal: SQLite checkpoints every 1,000 pages. Growth of the
//! database itself.

use super::{Facts, Finding, Remedies, Severity, sqlite_self_watch, sqlite_wal_pinned};
use crate::model::{Change, Database, Lock, Wal};
use crate::words::{bytes, number};
use serde_json::json;

/// A WAL below this is normal under load: SQLite checkpoints every 1,000 pages, about 4 MiB, and a busy reader delays
/// that a little. Together with [`TIMES`], this is the alarm threshold that programs commonly use.
const FLOOR: u64 = 64 << 20;
/// A WAL holds each page once per change. More than twice the database means that checkpoints do not keep up, or that
/// nobody truncates.
const TIMES: u64 = 2;
/// Frames that may be pending without a checkpoint being due (`SQLITE_DEFAULT_WAL_AUTOCHECKPOINT`).
const DUE: u32 = 1000;

/// Bytes per second from which on a checkpoint loses the race against the writer.
const BUSY: u64 = 1 << 20;

/// Why it is large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A reader holds up checkpoints.
    Pinned,
    /// Frames are pending and nobody is in the way: nobody checkpoints.
    NotCheckpointed,
    /// It is checkpointed, but there is always a reader, so it never restarts.
    NeverRestarts,
    /// It is already in the database; the file keeps the size it once had.
    HighWaterMark,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Reason::Pinned => "pinned",
            Reason::NotCheckpointed => "not-checkpointed",
            Reason::NeverRestarts => "never-restarts",
            Reason::HighWaterMark => "high-water-mark",
        }
    }
}

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let databases = facts.process.sqlite.iter();
    databases
        .filter_map(|database| {
            let loops = sqlite_self_watch::is_about(facts, database);
            of(database, loops, facts.remedies)
        })
        .collect()
}

/// The finding for one database; `loops` says that each write wakes the writer.
pub fn of(database: &Database, loops: bool, remedies: &Remedies) -> Option<Finding> {
    let wal = database.wal_bytes?;
    let main = database.database_bytes;
    if wal <= FLOOR.max(main.unwrap_or(0).saturating_mul(TIMES)) {
        return None;
    }
    let reason = reason(database);
    let (why, helps) = explain(database, reason);
    let beside = match main {
        Some(main) => format!("its database is {}", bytes(main)),
        None => "its database is not open here".into(),
    };
    let mut message = format!(
        "The -wal of {} is {}, {beside}: {why}",
        database.database,
        bytes(wal),
    );
    let gone = database.deleted || database.wal_deleted == Some(true);
    if gone {
        message += " It is unlinked, so no other program can checkpoint it.";
    }
    let growth = database.growth;
    let change = growth.and_then(|growth| Some((growth.seconds, growth.wal_bytes?)));
    let rate = change.map(|(seconds, change)| {
        // Whole bytes are near enough.
        (change.more().unwrap_or(0) as f64 / seconds) as u64
    });
    if let Some((seconds, change)) = change {
        message += &match change.more() {
            Some(more) => format!(
                " Within {seconds:.1} s the file grew by {}, {} a second.",
                bytes(more),
                bytes(rate.unwrap_or(0))
            ),
            None => format!(" Within {seconds:.1} s the file did not grow."),
        };
    }
    // Against a process that writes all the time, a checkpoint from outside has no effect.
    let written =
        loops || rate.is_some_and(|rate| rate > BUSY && reason != Some(Reason::NeverRestarts));
    if helps && written {
        message += if loops {
            " A checkpoint from outside helps only when the loop that writes it has ended (sqlite-self-watch)."
        } else {
            " A checkpoint from outside helps only when the fast writer pauses."
        };
    }
    let log = database.wal.as_ref();
    Some(Finding {
        code: "sqlite-wal-large",
        severity: match reason {
            // It takes disk space, but nothing grows and no reader searches it.
            Some(Reason::HighWaterMark) => Severity::Info,
            _ => Severity::Warning,
        },
        message,
        evidence: json!({
            "database": database.database,
            "reason": reason.map(Reason::name),
            "database_bytes": main,
            "wal_bytes": wal,
            "live_bytes": log.and_then(|log| log.live_bytes),
            "pending_bytes": log.and_then(|log| log.pending_bytes),
            "wal_handles": database.wal_handles,
            "bytes_per_second": rate,
        }),
        remedy: (helps && !gone && !written).then(|| remedies.checkpoint(&database.database)),
        remedy_live: None,
        change: None,
    })
}

/// `None` where the -shm could not be read.
fn reason(database: &Database) -> Option<Reason> {
    let wal = database.wal.as_ref()?;
    let pending = wal.pending_frames()?;
    let moves = database
        .growth
        .and_then(|growth| growth.checkpointed_frames);
    // A reader that is behind now will catch up: checkpoints proceed, and still the log grows.
    if moves.and_then(Change::more).is_some() && never_restarts(database) {
        return Some(Reason::NeverRestarts);
    }
    Some(if wal.pins().any(|pin| pin.frames >= DUE) {
        Reason::Pinned
    } else if pending >= DUE || wal.pending_bytes.is_some_and(|bytes| bytes > FLOOR) {
        Reason::NotCheckpointed
    } else if never_restarts(database) {
        Reason::NeverRestarts
    } else {
        Reason::HighWaterMark
    })
}

/// Whether its frames are in the database, but it continues instead of restarting: it restarts only if nobody reads
/// from it at that moment (sqlite/src/wal.c, `walRestartLog`).
fn never_restarts(database: &Database) -> bool {
    let Some(wal) = &database.wal else {
        return false;
    };
    if let Some(growth) = database.growth {
        let more = growth.frames.and_then(Change::more);
        return growth.same_log == Some(true) && more.is_some();
    }
    // Most of a file that restarted is left over.
    let whole = wal.live_bytes.zip(database.wal_bytes);
    whole.is_some_and(|(live, bytes)| live >= bytes / 10 * 9) && reading(wal) > 0
}

/// How many read from the log itself.
fn reading(wal: &Wal) -> usize {
    let from_log = |lock: &&Lock| lock.slot != Some(0);
    wal.readers().filter(from_log).count()
}

/// The reason in words, and whether a checkpoint from outside helps.
fn explain(database: &Database, reason: Option<Reason>) -> (String, bool) {
    if let Some(pid) = database.exclusive_holder() {
        let why = format!(
            "every read has to search it, and it fills the disk. Process {pid} has locked the database for itself alone: only that process can checkpoint."
        );
        return (why, false);
    }
    let pending = database.wal.as_ref().and_then(|wal| wal.pending_bytes);
    let pending = pending.map_or_else(|| "?".into(), bytes);
    match reason {
        None => (
            "every read has to search it, and it fills the disk.".into(),
            true,
        ),
        Some(Reason::Pinned) => {
            let who = sqlite_wal_pinned::culprit(database).unwrap_or_else(|| "a reader".into());
            let why = format!(
                "{pending} of it is pending, and no checkpoint can finish while {who} reads (sqlite-wal-pinned)."
            );
            (why, false)
        }
        Some(Reason::NotCheckpointed) => {
            let locks = database.wal.as_ref().and_then(|wal| wal.locks.as_ref());
            let way = match locks {
                Some(_) => {
                    "and no reader is in the way: checkpoints are switched off, or do not run"
                }
                None => {
                    "and whether a reader is in the way cannot be seen here; if none is, checkpoints are switched off, or do not run"
                }
            };
            let why = format!(
                "{pending} of it is not in the database yet, {way}. Every read has to search it."
            );
            (why, true)
        }
        Some(Reason::NeverRestarts) => {
            let why = format!(
                "{pending} of it is pending, so no reader is far behind. But there is always a reader, so the log never restarts and grows with every write. That ends when there is a moment without a reader, or with a checkpoint that waits for the readers. The command given here does, for 2 s at a time: reads that last longer have to end first."
            );
            (why, true)
        }
        Some(Reason::HighWaterMark) => {
            let reading = database.wal.as_ref().map_or(0, reading);
            let mut why = format!(
                "{pending} of it is pending; the rest is already in the database, and the file keeps its largest size until it is truncated."
            );
            if reading > 0 {
                why += &format!(
                    " It cannot be truncated while it is read ({} now).",
                    number(reading as u64)
                );
            }
            (why, reading == 0)
        }
    }
}

#[cfg(test)]
mod tests;
