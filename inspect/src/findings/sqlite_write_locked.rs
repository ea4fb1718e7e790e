//! `sqlite-write-locked`: a write transaction on a SQLite database does not end, so nobody else can write.
//!
//! Meaning: Whoever else writes meanwhile waits, and then gets SQLITE_BUSY, "database is locked".
//!
//! Evidence: `database` (path). `pid` and `command` of the process that writes, null where they are not known.
//! `held_ms` is how long the transaction was seen to last, at least (milliseconds). It takes at least two looks: a
//! single look takes up to 0.2 s, so that it is `--for 2` that tells whether it lasts.
//!
//! Severity: warning from 1,000 ms. Info below, and where the writer is the only one that has the database open and
//! keeps it locked.
//!
//! Remedy: no command is given: it is over when the transaction is committed or rolled back, or its process ends.
//!
//! Not to be confused with: a writer that commits again and again, which is not in one transaction. `locking_mode =
//! exclusive` between transactions, as browsers use it. A reader, which does not keep others from writing in WAL mode:
//! see `sqlite-wal-pinned`.

use super::{Facts, Finding, Severity};
use crate::model::Database;
use serde_json::json;

/// Many drivers wait for five seconds and some for one; after that the caller gets SQLITE_BUSY.
const LONG: u64 = 1000;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    facts.process.sqlite.iter().filter_map(of).collect()
}

/// The finding for one database. One that was looked at once may be written this very moment: no finding.
pub fn of(database: &Database) -> Option<Finding> {
    let (pid, held) = database.writer()?;
    let held = held?;
    let holder = database.holder(pid).map(|holder| holder.command());
    let who = match (pid, &holder) {
        (Some(pid), Some(command)) => format!("process {pid} ({command})"),
        (Some(pid), None) => format!("process {pid}"),
        (None, _) => "a process".into(),
    };
    let look = match held >= LONG {
        true => String::new(),
        false => format!(
            " fdscan {} --for 5 shows whether it is for longer.",
            pid.map_or_else(|| "PID".into(), |pid| pid.to_string())
        ),
    };
    // A browser keeps its databases for itself, and takes its time.
    let alone = database.is_written_alone();
    let others = match alone {
        true => "nobody else has it open, and whoever opens it meanwhile waits",
        false => "whoever else writes meanwhile waits",
    };
    Some(Finding {
        code: "sqlite-write-locked",
        severity: if held >= LONG && !alone {
            Severity::Warning
        } else {
            Severity::Info
        },
        message: format!(
            "{} has been locked for writing by {who} for at least {}, in one transaction: {others}, and then gets SQLITE_BUSY, \"database is locked\". It is over when that transaction is committed or rolled back, or its process ends.{look}",
            database.database,
            seconds(held),
        ),
        evidence: json!({
            "database": database.database,
            "pid": pid,
            "command": holder,
            "held_ms": held,
        }),
        remedy: None,
        remedy_live: None,
    })
}

/// Milliseconds, for a sentence.
pub fn seconds(millis: u64) -> String {
    format!("{:.1} s", millis as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::{Holder, Journal, Lock, LockKind, RollbackKind, RollbackLock, Wal};

    fn locked(held_ms: Option<u64>) -> Fixture {
        let mut fixture = Fixture::new().with_database("/d/a.db", 1, 4152);
        let mut wal = Wal::sample(10, 0, &[]);
        wal.locks = Some(vec![Lock {
            pid: Some(77),
            lock: LockKind::Write,
            slot: None,
            mark: None,
            exclusive: true,
            held_ms,
            ended: false,
        }]);
        fixture.process.sqlite[0].wal = Some(wal);
        fixture
    }

    #[test]
    fn a_transaction_that_lasts_is_a_warning_and_a_short_one_a_note() {
        assert!(locked(None).look(look).is_empty());
        assert_eq!(locked(Some(200)).only(look).severity, Severity::Info);
        let finding = locked(Some(5000)).only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.evidence["pid"], 77);
        assert!(finding.message.contains("for at least 5.0 s"));
    }

    #[test]
    fn in_wal_mode_a_lock_on_the_database_itself_is_no_transaction() {
        let mut fixture = locked(None);
        let database = &mut fixture.process.sqlite[0];
        database.rollback_locks = Some(vec![RollbackLock {
            pid: Some(77),
            lock: RollbackKind::Exclusive,
            lasting: false,
            held_ms: Some(5000),
        }]);
        database.wal = None;
        assert!(fixture.look(look).is_empty());
        fixture.process.sqlite[0].wal_mode = Some(false);
        assert_eq!(fixture.only(look).severity, Severity::Warning);
    }

    fn exclusive() -> Fixture {
        let mut fixture = locked(None);
        let database = &mut fixture.process.sqlite[0];
        database.wal = None;
        database.wal_mode = Some(false);
        database.rollback_locks = Some(vec![RollbackLock {
            pid: Some(77),
            lock: RollbackKind::Exclusive,
            lasting: false,
            held_ms: Some(5000),
        }]);
        fixture
    }

    #[test]
    fn a_lock_that_outlasts_transactions_is_none() {
        let mut fixture = exclusive();
        fixture.process.sqlite[0].journal = Some(Journal::Ended);
        assert!(fixture.look(look).is_empty());
        fixture.process.sqlite[0].journal = Some(Journal::Of(1));
        assert_eq!(fixture.only(look).severity, Severity::Warning);
        let locks = fixture.process.sqlite[0].rollback_locks.as_mut();
        locks.unwrap()[0].lasting = true;
        assert!(fixture.look(look).is_empty());
    }

    #[test]
    fn a_transaction_of_the_only_one_who_has_it_open_is_a_note() {
        let mut fixture = exclusive();
        fixture.process.sqlite[0].journal = Some(Journal::Of(1));
        let holder = |pid, handles| Holder {
            pid,
            comm: None,
            cmdline: None,
            handles,
            wal_handles: None,
            shm_handles: None,
        };
        fixture.process.sqlite[0].holders = vec![holder(77, Some(1))];
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Info);
        assert!(finding.message.contains("nobody else has it open"));
        for other in [Some(1), None] {
            fixture.process.sqlite[0].holders = vec![holder(77, Some(1)), holder(78, other)];
            assert_eq!(fixture.only(look).severity, Severity::Warning);
        }
        // Another connection of its own.
        fixture.process.sqlite[0].holders = vec![holder(77, Some(2))];
        assert_eq!(fixture.only(look).severity, Severity::Warning);
        // BEGIN EXCLUSIVE, and nothing else yet: in exclusive mode there is a journal.
        fixture.process.sqlite[0].holders = vec![holder(77, Some(1))];
        fixture.process.sqlite[0].journal = None;
        assert_eq!(fixture.only(look).severity, Severity::Warning);
    }
}
