//! `sqlite-wal-large`: a -wal far larger than its database, and why.

use super::{Facts, Finding, Remedies, Severity, sqlite_wal_pinned};
use crate::model::Database;
use crate::render::{bytes, number};
use serde_json::json;

/// A WAL below this is normal under load: SQLite checkpoints every 1,000 pages, some 4 MiB, and a busy
/// reader delays that a little. With [`TIMES`], the alarm programs in the wild have settled on.
const FLOOR: u64 = 64 << 20;
/// A WAL holds each page once per change; more than two whole databases means that checkpoints do not
/// catch up, or that nobody truncates.
const TIMES: u64 = 2;
/// Frames that may be pending without a checkpoint being due (`SQLITE_DEFAULT_WAL_AUTOCHECKPOINT`).
const DUE: u32 = 1000;

/// Why it is large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A reader holds checkpoints up.
    Pinned,
    /// Frames are pending and nobody is in the way: nobody checkpoints.
    NotCheckpointed,
    /// It is in the database already; the file keeps the size it once had.
    HighWaterMark,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Reason::Pinned => "pinned",
            Reason::NotCheckpointed => "not-checkpointed",
            Reason::HighWaterMark => "high-water-mark",
        }
    }
}

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let databases = facts.process.sqlite.iter();
    databases
        .filter_map(|database| of(database, facts.remedies))
        .collect()
}

/// The finding for one database.
pub fn of(database: &Database, remedies: &Remedies) -> Option<Finding> {
    let wal = database.wal_bytes?;
    let main = database.database_bytes;
    if wal <= FLOOR.max(main.unwrap_or(0).saturating_mul(TIMES)) {
        return None;
    }
    let reason = reason(database);
    let (why, helps) = explain(database, reason);
    let beside = match main {
        Some(main) => format!("its database has {}", bytes(main)),
        None => "its database is not open here".into(),
    };
    let mut message = format!(
        "The -wal of {} has {}, {beside}: {why}",
        database.database,
        bytes(wal),
    );
    let gone = database.deleted || database.wal_deleted == Some(true);
    if gone {
        message += " It is unlinked, so no other program can check it in.";
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
    let log = database.wal.as_ref();
    Some(Finding {
        code: "sqlite-wal-large",
        severity: match reason {
            // The disk is taken, but nothing grows and no reader searches it.
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
        remedy: (helps && !gone).then(|| remedies.checkpoint(&database.database)),
        remedy_live: None,
    })
}

/// `None` where the -shm could not be read.
fn reason(database: &Database) -> Option<Reason> {
    let wal = database.wal.as_ref()?;
    let pending = wal.pending_frames()?;
    Some(if wal.pins().any(|pin| pin.frames >= DUE) {
        Reason::Pinned
    } else if pending >= DUE || wal.pending_bytes.is_some_and(|bytes| bytes > FLOOR) {
        Reason::NotCheckpointed
    } else {
        Reason::HighWaterMark
    })
}

/// Why, in words, and whether a checkpoint from outside helps.
fn explain(database: &Database, reason: Option<Reason>) -> (String, bool) {
    if let Some(pid) = database.exclusive_holder() {
        let why = format!(
            "every read searches it, and it fills the disk. Process {pid} has locked the database for itself alone: only it can checkpoint."
        );
        return (why, false);
    }
    let pending = database.wal.as_ref().and_then(|wal| wal.pending_bytes);
    let pending = pending.map_or_else(|| "?".into(), bytes);
    match reason {
        None => (
            "every read searches it, and it fills the disk.".into(),
            true,
        ),
        Some(Reason::Pinned) => {
            let who = sqlite_wal_pinned::culprit(database).unwrap_or_else(|| "a reader".into());
            let why = format!(
                "{pending} of it are pending, and no checkpoint can finish while {who} reads (sqlite-wal-pinned)."
            );
            (why, false)
        }
        Some(Reason::NotCheckpointed) => {
            let why = format!(
                "{pending} of it are not in the database yet, and no reader is in the way: checkpoints are switched off, or do not run. Every read searches it."
            );
            (why, true)
        }
        Some(Reason::HighWaterMark) => {
            let readers = database.wal.iter().flat_map(|wal| wal.readers());
            let reading = readers.filter(|lock| lock.slot != Some(0)).count();
            let mut why = format!(
                "{pending} of it are pending; the rest is in the database already, and the file keeps the largest size it had until it is truncated."
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
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::{RollbackKind, RollbackLock, Wal};

    const COMMAND: &str = r"sqlite3 '/d/it'\''s.db' 'PRAGMA wal_checkpoint(TRUNCATE)'";

    fn found(database_bytes: u64, wal_bytes: u64) -> Vec<Finding> {
        with_wal(database_bytes, wal_bytes, None).look(look)
    }

    fn with_wal(database_bytes: u64, wal_bytes: u64, wal: Option<Wal>) -> Fixture {
        let mut fixture = Fixture::new().with_database("/d/it's.db", 1, wal_bytes);
        fixture.process.sqlite[0].database_bytes = Some(database_bytes);
        fixture.process.sqlite[0].wal = wal;
        fixture
    }

    fn large(wal: Wal) -> Finding {
        with_wal(4096, 1 << 30, Some(wal)).only(look)
    }

    #[test]
    fn the_threshold_is_twice_the_database_and_at_least_64_mib() {
        assert!(found(1 << 20, 64 << 20).is_empty());
        assert_eq!(found(1 << 20, (64 << 20) + 1).len(), 1);
        assert!(found(1 << 30, 2 << 30).is_empty());
        assert_eq!(found(1 << 30, (2 << 30) + 1).len(), 1);
    }

    #[test]
    fn the_remedy_quotes_the_database_for_a_shell() {
        assert_eq!(found(0, 1 << 30)[0].remedy.as_deref(), Some(COMMAND));
    }

    #[test]
    fn a_pinned_wal_has_no_command_that_would_help() {
        let finding = large(Wal::sample(250_000, 10, &[(77, 1, 10)]));
        assert_eq!(finding.evidence["reason"], "pinned");
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.remedy, None);
        assert!(finding.message.contains("process 77"));
    }

    #[test]
    fn pending_frames_that_nobody_holds_up_were_never_checkpointed() {
        let finding = large(Wal::sample(250_000, 0, &[]));
        assert_eq!(finding.evidence["reason"], "not-checkpointed");
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.remedy.as_deref(), Some(COMMAND));
    }

    #[test]
    fn a_file_whose_frames_are_all_in_the_database_is_a_high_water_mark() {
        let finding = large(Wal::sample(250_000, 250_000, &[]));
        assert_eq!(finding.evidence["reason"], "high-water-mark");
        assert_eq!(finding.severity, Severity::Info);
        assert_eq!(finding.remedy.as_deref(), Some(COMMAND));
        // It was larger once; who reads now keeps it from being cut.
        let read = large(Wal::sample(100_000, 100_000, &[(77, 1, 100_000)]));
        assert_eq!(read.evidence["reason"], "high-water-mark");
        assert_eq!(read.remedy, None);
    }

    #[test]
    fn nobody_else_can_checkpoint_what_one_process_locks_for_itself() {
        let mut fixture = with_wal(4096, 1 << 30, None);
        fixture.process.sqlite[0].rollback_locks = Some(vec![RollbackLock {
            pid: Some(42),
            lock: RollbackKind::Exclusive,
        }]);
        assert_eq!(fixture.only(look).remedy, None);
    }
}
