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
fn a_long_transaction_is_a_warning_and_a_short_one_info() {
    assert!(locked(None).look(look).is_empty());
    assert_eq!(locked(Some(200)).only(look).severity, Severity::Info);
    let finding = locked(Some(5000)).only(look);
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.evidence["pid"], 77);
    assert!(finding.message.contains("for at least 5.0 s"));
}

#[test]
fn a_lock_on_the_database_itself_is_not_a_transaction_in_wal_mode() {
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
fn a_reader_that_a_writer_waits_for_is_named_together_with_the_writer() {
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
    // A writer that has only announced itself while others read waits for nobody.
    locks[0].lock = RollbackKind::Reserved;
    fixture.process.sqlite[0].rollback_locks = Some(locks);
    assert_eq!(fixture.only(look).evidence["pid"], 42);
}

#[test]
fn a_wal_that_one_process_keeps_for_itself_locks_the_others_out() {
    let mut fixture = exclusive();
    let database = &mut fixture.process.sqlite[0];
    database.wal_mode = Some(true);
    database.rollback_locks = Some(vec![lock(77, RollbackKind::Exclusive, None)]);
    database.holders = vec![holder(42, Some(1)), holder(77, Some(1))];
    // The last process to close it holds the lock for a moment.
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
fn a_lock_that_outlasts_transactions_is_a_warning_if_others_have_the_database_open() {
    let mut fixture = exclusive();
    let database = &mut fixture.process.sqlite[0];
    database.journal = Some(Journal::Ended);
    database.holders = vec![holder(42, Some(1)), holder(77, Some(1))];
    assert_eq!(fixture.only(look).severity, Severity::Warning);
    fixture.process.sqlite[0].holders[0].handles = None;
    assert!(fixture.look(look).is_empty());
}

/// SQLite 3.40 locks the pending byte as well, 3.46 does not.
#[test]
fn in_wal_mode_a_lock_without_the_pending_byte_is_a_lock_like_any_other() {
    let mut fixture = exclusive();
    let database = &mut fixture.process.sqlite[0];
    database.wal_mode = Some(true);
    database.holders = vec![holder(77, Some(1))];
    let look_at = |fixture: &mut Fixture, lasting| {
        let locks = fixture.process.sqlite[0].rollback_locks.as_mut();
        locks.unwrap()[0].lasting = lasting;
        let found = fixture.look(look);
        found
            .iter()
            .map(|f| (f.severity, f.message.clone()))
            .collect::<Vec<_>>()
    };
    for held in [None, Some(5000)] {
        let locks = fixture.process.sqlite[0].rollback_locks.as_mut();
        locks.unwrap()[0].held_ms = held;
        let pends = look_at(&mut fixture, false);
        assert_eq!(look_at(&mut fixture, true), pends, "{held:?}");
    }
    assert_eq!(fixture.only(look).severity, Severity::Info);
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
fn a_lock_that_outlasts_transactions_and_hinders_nobody_is_not_a_finding() {
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
fn a_transaction_of_the_only_process_that_has_it_open_is_info() {
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
    // The process has another connection.
    fixture.process.sqlite[0].holders = vec![holder(77, Some(2))];
    assert_eq!(fixture.only(look).severity, Severity::Warning);
    // BEGIN EXCLUSIVE and nothing else yet. In exclusive mode there would be a journal.
    fixture.process.sqlite[0].holders = vec![holder(77, Some(1))];
    fixture.process.sqlite[0].journal = None;
    assert_eq!(fixture.only(look).severity, Severity::Warning);
}
