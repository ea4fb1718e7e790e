//! `sqlite-write-locked`: somebody keeps others from a SQLite database, which are told "database is locked".
//!
//! Meaning: A write transaction does not end; or a reader does not, and a writer waits for it (in rollback mode), which
//! lets nobody else begin; or a process keeps the database for itself alone. Others wait, and then get SQLITE_BUSY.
//!
//! Evidence: `database` (path). `pid` and `command` of the process to blame, null where they are not known. `held_ms`
//! is how long its lock was seen to be held, at least (milliseconds). Where that is a reader, `waiting_pid` waits for
//! it, and `waiting_ms` is the age of that one's lock. It takes at least two looks: a single look takes up to 0.2 s, so
//! that it is `--for 2` that tells whether it lasts. A lock that is kept on purpose, one look shows.
//!
//! Severity: warning from 1,000 ms, and where a lock is kept on purpose. Info below, and where nobody else has the
//! database open. A lock kept on purpose that nobody meets is not a finding: `--tables` shows it.
//!
//! Remedy: no command is given: it is over when the transaction ends, or the process does.
//!
//! Not to be confused with: a writer that commits again and again, which is not in one transaction. A browser's locks
//! on its own databases. A reader in WAL mode, which does not keep others from writing: see `sqlite-wal-pinned`.

use super::{Facts, Finding, Severity};
use crate::model::{Blocked, Database, RollbackLock};
use crate::words::plural;
use serde_json::{Value, json};

/// Many drivers wait for five seconds and some for one; after that the caller gets SQLITE_BUSY.
const LONG: u64 = 1000;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let databases = facts.process.sqlite.iter();
    databases
        .filter_map(|database| of(database, Some(facts.process.pid)))
        .collect()
}

/// The finding for one database, in the report of process `own`. One that was looked at once may be written this very
/// moment: no finding.
pub fn of(database: &Database, own: Option<u32>) -> Option<Finding> {
    if let Some(blocked) = database.blocked() {
        return read(database, &blocked, own);
    }
    match database.kept() {
        Some(lock) => kept(database, lock, own),
        None => written(database, own),
    }
}

/// By who writes.
fn written(database: &Database, own: Option<u32>) -> Option<Finding> {
    let (pid, held) = database.writer()?;
    let held = held?;
    // A browser keeps its databases for itself, and takes its time.
    let alone = database.is_written_alone();
    let others = match alone {
        true => "nobody else has it open, and whoever opens it meanwhile waits",
        false => "whoever else writes meanwhile waits",
    };
    let message = format!(
        "{} has been locked for writing by {} for at least {}, in one transaction: {others}, and then gets SQLITE_BUSY, \"database is locked\". It is over when that transaction is committed or rolled back, or its process ends.{}{}",
        database.database,
        who(database, pid, own),
        seconds(held),
        waits(pid, own),
        longer(held, pid),
    );
    let severity = severity(held, !alone);
    Some(finding(database, pid, Some(held), severity, message))
}

/// By who reads, in rollback mode: a writer has announced itself, and lets nobody else begin.
fn read(database: &Database, blocked: &Blocked<'_>, own: Option<u32>) -> Option<Finding> {
    let reader = blocked.readers.first()?;
    let held = reader.held_ms?;
    let more = match blocked.readers.len() {
        0 | 1 => String::new(),
        all => format!(
            " {} it as well.",
            plural(all - 1, "other process reads", "other processes read")
        ),
    };
    let message = format!(
        "{} has been read by {} for at least {}, in one transaction, and {} waits for its end to write.{more} Meanwhile nobody else can begin to read or write; who waits too long gets SQLITE_BUSY, \"database is locked\". It is over when that read ends (a cursor left half read keeps it) or its process does.{}",
        database.database,
        who(database, reader.pid, own),
        seconds(held),
        who(database, blocked.writer.pid, own),
        longer(held, reader.pid),
    );
    let mut finding = finding(
        database,
        reader.pid,
        Some(held),
        severity(held, true),
        message,
    );
    if let Value::Object(evidence) = &mut finding.evidence {
        evidence.insert("waiting_pid".into(), json!(blocked.writer.pid));
        evidence.insert("waiting_ms".into(), json!(blocked.writer.held_ms));
    }
    Some(finding)
}

/// By who lets nobody else in, whether it writes or not.
fn kept(database: &Database, lock: &RollbackLock, own: Option<u32>) -> Option<Finding> {
    let others: Vec<_> = database.others(lock.pid).collect();
    let for_good = database.is_kept_for_good(lock);
    // A browser has many, and nobody asks for them.
    if others.is_empty() && (database.wal_mode != Some(true) || lock.lasting) {
        return None;
    }
    let held = lock.held_ms;
    if held.is_none() && !for_good {
        return None;
    }
    let open = match others.len() {
        0 => String::new(),
        all => format!(
            " {} it open besides.",
            plural(all, "process has", "processes have")
        ),
    };
    let message = format!(
        "{} is locked by {} for itself alone (`locking_mode = exclusive`): any other process that reads or writes it gets SQLITE_BUSY, \"database is locked\", until it is closed there or that process ends.{open}{}",
        database.database,
        who(database, lock.pid, own),
        longer(held.filter(|_| !for_good).unwrap_or(LONG), lock.pid),
    );
    let severity = match for_good {
        _ if others.is_empty() => Severity::Info,
        true => Severity::Warning,
        false => severity(held.unwrap_or(0), true),
    };
    Some(finding(database, lock.pid, held, severity, message))
}

fn finding(
    database: &Database,
    pid: Option<u32>,
    held: Option<u64>,
    severity: Severity,
    message: String,
) -> Finding {
    Finding {
        code: "sqlite-write-locked",
        severity,
        message,
        evidence: json!({
            "database": database.database,
            "pid": pid,
            "command": database.holder(pid).map(|holder| holder.command()),
            "held_ms": held,
        }),
        remedy: None,
        remedy_live: None,
        change: None,
    }
}

fn severity(held: u64, others: bool) -> Severity {
    match held >= LONG && others {
        true => Severity::Warning,
        false => Severity::Info,
    }
}

fn who(database: &Database, pid: Option<u32>, own: Option<u32>) -> String {
    let this = match pid == own {
        true => ", this one,",
        false => "",
    };
    match (pid, database.holder(pid)) {
        (Some(pid), Some(holder)) => format!("process {pid} ({}){this}", holder.command()),
        (Some(pid), None) => format!("process {pid}{this}"),
        (None, _) => "a process".into(),
    }
}

/// That the process whose report it is waits.
fn waits(pid: Option<u32>, own: Option<u32>) -> String {
    match (pid, own) {
        (Some(pid), Some(own)) if pid != own => {
            format!(" If process {own} writes to it now, it waits for process {pid}.")
        }
        _ => String::new(),
    }
}

fn longer(held: u64, pid: Option<u32>) -> String {
    match held >= LONG {
        true => String::new(),
        false => format!(
            " fdscan {} --for 5 shows whether it is for longer.",
            pid.map_or_else(|| "PID".into(), |pid| pid.to_string())
        ),
    }
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
    fn in_wal_mode_a_lock_on_the_database_itself_is_not_a_transaction() {
        let mut fixture = locked(None);
        let database = &mut fixture.process.sqlite[0];
        database.rollback_locks = Some(vec![RollbackLock {
            pid: Some(77),
            lock: RollbackKind::Exclusive,
            lasting: false,
            held_ms: Some(5000),
        }]);
        database.wal = None;
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Info);
        assert!(finding.message.contains("for itself alone"));
        fixture.process.sqlite[0].wal_mode = Some(false);
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.contains("in one transaction"));
    }

    fn holder(pid: u32, handles: Option<usize>) -> Holder {
        Holder {
            pid,
            comm: None,
            cmdline: None,
            handles,
            wal_handles: None,
            shm_handles: None,
        }
    }

    fn lock(pid: u32, lock: RollbackKind, held_ms: Option<u64>) -> RollbackLock {
        RollbackLock {
            pid: Some(pid),
            lock,
            lasting: false,
            held_ms,
        }
    }

    #[test]
    fn who_reads_while_a_writer_waits_is_named_with_the_one_who_waits() {
        let mut fixture = exclusive();
        let database = &mut fixture.process.sqlite[0];
        let mut locks = vec![
            lock(42, RollbackKind::Pending, Some(300)),
            lock(78, RollbackKind::Shared, Some(1500)),
            lock(77, RollbackKind::Shared, Some(4000)),
        ];
        database.rollback_locks = Some(locks.clone());
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.evidence["pid"], 77);
        assert_eq!(finding.evidence["waiting_pid"], 42);
        let says = "read by process 77 for at least 4.0 s, in one transaction, and process 42, this one, waits for its end";
        assert!(finding.message.contains(says), "{}", finding.message);
        assert!(
            finding
                .message
                .contains("1 other process reads it as well.")
        );
        // A writer that has only announced itself, beside readers, waits for nobody.
        locks[0].lock = RollbackKind::Reserved;
        fixture.process.sqlite[0].rollback_locks = Some(locks);
        assert_eq!(fixture.only(look).evidence["pid"], 42);
    }

    #[test]
    fn a_log_kept_by_one_process_for_itself_locks_the_others_out() {
        let mut fixture = exclusive();
        let database = &mut fixture.process.sqlite[0];
        database.wal_mode = Some(true);
        database.rollback_locks = Some(vec![lock(77, RollbackKind::Exclusive, None)]);
        database.holders = vec![holder(42, Some(1)), holder(77, Some(1))];
        // Who closes it last has it so for a moment.
        assert!(fixture.look(look).is_empty());
        let locks = fixture.process.sqlite[0].rollback_locks.as_mut().unwrap();
        locks[0].held_ms = Some(200);
        assert_eq!(fixture.only(look).severity, Severity::Info);
        fixture.process.sqlite[0].holders[1].wal_handles = Some(1);
        fixture.process.sqlite[0].holders[1].shm_handles = Some(0);
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.evidence["pid"], 77);
        fixture.process.sqlite[0].holders.remove(0);
        assert_eq!(fixture.only(look).severity, Severity::Info);
    }

    #[test]
    fn a_lock_that_outlasts_transactions_is_a_warning_for_who_else_has_the_database_open() {
        let mut fixture = exclusive();
        let database = &mut fixture.process.sqlite[0];
        database.journal = Some(Journal::Ended);
        database.holders = vec![holder(42, Some(1)), holder(77, Some(1))];
        assert_eq!(fixture.only(look).severity, Severity::Warning);
        fixture.process.sqlite[0].holders[0].handles = None;
        assert!(fixture.look(look).is_empty());
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
    fn a_lock_that_outlasts_transactions_is_not_a_finding() {
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
