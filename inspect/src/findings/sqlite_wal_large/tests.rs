use super::*;
use crate::findings::fixture::Fixture;
use crate::model::{DatabaseGrowth, RollbackKind, RollbackLock};

const COMMAND: &str = r"for i in 1 2 3 4 5; do sleep 1; sqlite3 -list -cmd '.timeout 2000' '/d/it'\''s.db' 'PRAGMA wal_checkpoint(TRUNCATE)' | grep '^0' && break; done";

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
fn a_pinned_wal_has_no_remedy() {
    let finding = large(Wal::sample(250_000, 10, &[(77, 1, 10)]));
    assert_eq!(finding.evidence["reason"], "pinned");
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.remedy, None);
    assert!(finding.message.contains("process 77"));
}

#[test]
fn pending_frames_that_no_reader_holds_up_are_not_checkpointed() {
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
    // It was larger once. A reader keeps it from being truncated now.
    let read = large(Wal::sample(100_000, 100_000, &[(77, 1, 100_000)]));
    assert_eq!(read.evidence["reason"], "high-water-mark");
    assert_eq!(read.remedy, None);
}

#[test]
fn a_log_that_goes_on_while_it_is_read_never_restarts() {
    let read = || {
        let mut wal = Wal::sample(250_000, 249_990, &[(77, 1, 249_995)]);
        wal.live_bytes = Some(1 << 30);
        with_wal(4096, 1 << 30, Some(wal))
    };
    let finding = read().only(look);
    assert_eq!(finding.evidence["reason"], "never-restarts");
    assert_eq!(finding.severity, Severity::Warning);
    let grown = |more: u64, same_log| {
        let mut fixture = read();
        fixture.process.sqlite[0].growth = Some(DatabaseGrowth {
            seconds: 1.0,
            frames: Some(Change {
                from: 10,
                to: 10 + more,
            }),
            same_log: Some(same_log),
            ..DatabaseGrowth::default()
        });
        fixture.only(look).evidence["reason"].clone()
    };
    assert_eq!(grown(5, true), "never-restarts");
    assert_eq!(grown(0, true), "high-water-mark");
    assert_eq!(grown(5, false), "high-water-mark");
}

#[test]
fn no_checkpoint_is_offered_against_a_loop() {
    let mut fixture = with_wal(4096, 1 << 30, Some(Wal::sample(250_000, 0, &[])));
    assert!(fixture.only(look).remedy.is_some());
    fixture = fixture.with_watch(1, 1, 0x2, Some("/d"));
    assert_eq!(fixture.only(look).remedy, None);
}

#[test]
fn there_is_no_remedy_if_one_process_has_locked_the_database_for_itself() {
    let mut fixture = with_wal(4096, 1 << 30, None);
    fixture.process.sqlite[0].rollback_locks = Some(vec![RollbackLock {
        pid: Some(42),
        lock: RollbackKind::Exclusive,
        lasting: false,
        held_ms: None,
    }]);
    assert_eq!(fixture.only(look).remedy, None);
}
