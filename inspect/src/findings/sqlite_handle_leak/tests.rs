use super::*;
use crate::findings::fixture::Fixture;
use crate::model::{Change, DatabaseGrowth};

fn kinds(handles: usize, wal_handles: usize, wal_mode: Option<bool>) -> Vec<String> {
    let mut fixture = Fixture::new().with_database("/d/state.db", 1, 0);
    let database = &mut fixture.process.sqlite[0];
    database.handles = handles;
    database.wal_handles = wal_handles;
    database.wal_mode = wal_mode;
    fixture
        .look(look)
        .iter()
        .map(|f| f.evidence["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn five_hundred_descriptors_of_each_file_are_connections() {
    assert_eq!(kinds(500, 500, Some(true)), ["connections"]);
}

#[test]
fn the_descriptors_are_summed_up_and_compared_with_all_of_the_process() {
    let mut fixture = Fixture::new().with_database("/d/state.db", 1, 0);
    fixture.process.fds.open = Some(306);
    let database = &mut fixture.process.sqlite[0];
    (database.handles, database.wal_handles) = (151, 150);
    let said = fixture.only(look).message;
    assert!(
        said.starts_with(
            "150 connections to /d/state.db are open at once: 150 descriptors of its -wal, with 151 of the database and 1 of its -shm, 302 of the 306 it has open."
        ),
        "{said}"
    );
}

#[test]
fn each_holder_of_a_database_is_judged_alone() {
    let mut fixture = Fixture::new().with_database("/d/state.db", 1, 0);
    let database = &mut fixture.process.sqlite[0];
    // Twenty each are not a leak, though they are forty.
    (database.handles, database.wal_handles) = (40, 40);
    let holder = |pid, handles| Holder {
        pid,
        comm: Some("tool".into()),
        cmdline: None,
        handles: Some(handles),
        wal_handles: Some(handles),
        shm_handles: Some(1),
    };
    database.holders = vec![holder(7, 20), holder(8, 20)];
    assert!(of(database).is_empty());
    database.holders[1].wal_handles = Some(32);
    let found = of(database);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].evidence["pid"], 8);
    assert!(found[0].message.starts_with("Process 8 (tool): 32 conn"));
    database.holders[1].handles = None;
    assert!(of(database).is_empty());
}

#[test]
fn five_hundred_descriptors_with_one_wal_are_parked() {
    assert_eq!(kinds(500, 1, Some(true)), ["parked"]);
}

#[test]
fn nothing_is_parked_unless_a_connection_reads() {
    assert_eq!(kinds(500, 0, Some(true)), ["connections"]);
}

#[test]
fn a_pool_is_not_reported() {
    assert!(kinds(31, 20, Some(true)).is_empty());
}

#[test]
fn with_a_rollback_journal_the_descriptors_of_the_database_are_counted() {
    assert_eq!(kinds(300, 0, Some(false)), ["connections"]);
    assert!(kinds(31, 0, Some(false)).is_empty());
    assert!(kinds(500, 0, None).is_empty());
}

#[test]
fn a_pool_is_info_until_it_grows() {
    let mut fixture = Fixture::new().with_database("/d/state.db", 1, 0);
    let database = &mut fixture.process.sqlite[0];
    (database.handles, database.wal_handles) = (120, 120);
    assert_eq!(fixture.only(look).severity, Severity::Info);
    let mut grew = |from| {
        fixture.process.sqlite[0].growth = Some(DatabaseGrowth {
            wal_handles: Some(Change { from, to: 120 }),
            ..DatabaseGrowth::default()
        });
        fixture.only(look)
    };
    assert_eq!(grew(120).severity, Severity::Info);
    assert!(!grew(120).message.contains("not closed"));
    assert_eq!(grew(119).severity, Severity::Warning);
    fixture.process.sqlite[0].growth = None;
    fixture.process.sqlite[0].wal_handles = 128;
    assert_eq!(fixture.only(look).severity, Severity::Warning);
}
