use super::*;
use crate::findings::fixture::Fixture;
use crate::model::{Change, DatabaseGrowth};

fn codex() -> Fixture {
    Fixture::new()
        .with_watch(1, 13_010_443, 0xfce, Some("/home/u/.codex"))
        .with_database("/home/u/.codex/logs_2.sqlite", 13_010_443, 11_900_000_000)
}

#[test]
fn incident_5_is_named_with_inode_path_database_and_wal_size() {
    let finding = codex().only(look);
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(finding.evidence["inode"], 13_010_443);
    assert_eq!(finding.evidence["path"], "/home/u/.codex");
    assert_eq!(finding.evidence["database"], "/home/u/.codex/logs_2.sqlite");
    assert_eq!(finding.evidence["wal_bytes"], 11_900_000_000u64);
    assert_eq!(finding.evidence["mask"], "0xfce");
}

fn rests(fixture: &mut Fixture, seconds: u64) {
    for part in &mut fixture.process.sqlite[0].parts {
        part.rested = Some(Duration::from_secs(seconds));
    }
}

#[test]
fn only_a_database_that_is_written_often_is_critical() {
    let mut fixture = codex();
    rests(&mut fixture, 9);
    assert_eq!(fixture.only(look).severity, Severity::Critical);
    fixture.process.sqlite[0].often = Some(false);
    let finding = fixture.only(look);
    assert_eq!(finding.severity, Severity::Warning);
    assert!(!finding.message.contains("not written for"));
    rests(&mut fixture, 300);
    let finding = fixture.only(look);
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.message.contains("not written for 5 min"));
    let frames = |from, to| DatabaseGrowth {
        seconds: 2.0,
        frames: Some(Change { from, to }),
        same_log: Some(true),
        ..DatabaseGrowth::default()
    };
    for (growth, rests) in [(frames(7, 7), true), (frames(7, 8), false)] {
        fixture.process.sqlite[0].growth = Some(growth);
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.message.contains("not written for"), rests);
    }
}

#[test]
fn with_the_library_a_wal_is_info_and_a_rollback_journal_still_critical() {
    let mut fixture = Fixture::new()
        .with_watch(1, 100, 0xfce, Some("/d"))
        .with_database("/d/x.db", 100, 4152);
    fixture.process.preload.mapped = Some(true);
    assert_eq!(fixture.only(look).severity, Severity::Info);
    let database = &mut fixture.process.sqlite[0];
    database.wal_mode = Some(false);
    database.makes_journals = true;
    database.parts.truncate(1);
    assert_eq!(fixture.only(look).severity, Severity::Critical);
}

#[test]
fn a_settled_watch_over_a_rollback_journal_is_reported_with_a_start_and_no_heal() {
    let mut fixture = Fixture::new()
        .with_watch(1, 100, 0x3cc, Some("/d"))
        .with_database("/d/x.db", 100, 0);
    fixture.process.linkage = Some(crate::model::Linkage::Dynamic);
    let database = &mut fixture.process.sqlite[0];
    database.wal_mode = Some(false);
    database.makes_journals = true;
    database.parts.truncate(1);
    let finding = fixture.only(look);
    assert_eq!(finding.severity, Severity::Warning);
    assert!(
        finding
            .message
            .contains("x.db-journal is created, closed and removed")
    );
    assert_eq!(finding.remedy_live, None);
    let command = finding.remedy.unwrap();
    assert!(command.starts_with("WATCHFIX_IGNORE=+x.db "), "{command}");
    rests(&mut fixture, 60);
    assert_eq!(fixture.only(look).severity, Severity::Info);
}

#[test]
fn a_process_under_watchfix_run_is_started_by_it_again_with_its_rules() {
    let mut fixture = Fixture::new()
        .with_watch(1, 100, 0x3ce, Some("/d"))
        .with_database("/d/x.db", 100, 0);
    let process = &mut fixture.process;
    process.linkage = Some(crate::model::Linkage::Dynamic);
    process.preload.mapped = Some(true);
    process.supervised = true;
    process.watchfix_rules = vec![
        ("WATCHFIX_IGNORE".into(), "+a.log".into()),
        ("WATCHFIX_DROP".into(), "/x".into()),
    ];
    assert_eq!(
        fixture.only(look).remedy.as_deref(),
        Some("WATCHFIX_DROP=/x watchfix run --ignore +a.log:x.db -- tool")
    );
}

#[test]
fn self_watch_does_not_report_its_files_again() {
    assert!(codex().look(crate::findings::self_watch::look).is_empty());
}

#[test]
fn a_settled_watch_without_modify_has_no_finding() {
    let mut fixture = codex();
    fixture.process.inotify[0].watches[0].mask = crate::model::Mask(0xfcc);
    assert!(fixture.look(look).is_empty());
}

#[test]
fn a_library_in_force_hides_the_names_of_the_database() {
    let mut fixture = codex();
    fixture.process.preload.mapped = Some(true);
    assert!(fixture.look(look).is_empty());
    fixture.process.watchfix_rules = vec![("WATCHFIX_IGNORE".into(), "none".into())];
    assert_eq!(fixture.look(look).len(), 1);
}

#[test]
fn an_open_shm_alone_is_not_a_self_watch() {
    let mut fixture = codex();
    for part in &mut fixture.process.sqlite[0].parts {
        part.writable = part.suffix == "-shm";
    }
    assert!(fixture.look(look).is_empty());
}
