//! Incident 5: Codex watches the directory in which it logs what it sees there.

use incidents::codex::{Codex, Home, Preload};

use crate::common;

/// Enough to see that nothing but the bound ends the loop, and no more than some 20 MB.
const ROWS: u64 = 4000;

#[test]
fn bare_it_logs_its_own_log_and_fdscan_says_why() {
    let home = Home::new();
    let product = common::product();
    let mut codex = Codex::start(&product, &home, ROWS, &Preload::None);
    let seen = codex.watch_it_loop();
    assert_eq!((seen.rows, seen.edits), (ROWS, 0));
    // A page of 4096 bytes and its frame header for every row at the least.
    assert!(seen.wal_bytes > ROWS * 4120, "{}", seen.wal_bytes);
    println!(
        "{ROWS} rows, WAL of {} bytes in {:.1?}",
        seen.wal_bytes, seen.elapsed
    );

    let process = product.fdscan_json(codex.pid());
    let finding = common::finding(&process, "sqlite-self-watch");
    assert_eq!(finding["severity"], "critical");
    let evidence = &finding["evidence"];
    assert_eq!(evidence["inode"], home.inode());
    assert_eq!(evidence["path"], home.path().to_str().unwrap());
    assert_eq!(evidence["database"], home.database().to_str().unwrap());
    assert_eq!(evidence["wal_bytes"], home.wal_bytes());

    let logged = codex.logged();
    let own: i64 = logged
        .iter()
        .filter(|(path, _)| path.contains(".sqlite"))
        .map(|(_, n)| n)
        .sum();
    assert_eq!(
        own,
        ROWS as i64 - 1,
        "all but the first row are about the log: {logged:?}"
    );
}

#[test]
fn with_the_preload_the_log_stays_quiet_and_edits_of_the_configuration_arrive() {
    let home = Home::new();
    let product = common::product();
    let mut codex = Codex::start(&product, &home, ROWS, &Preload::Defaults);
    let edits = codex.edit_config();
    // In place: it is written. By renaming: it is moved over.
    let kinds: Vec<_> = edits.of_config().map(|e| e.kind.as_str()).collect();
    for wanted in ["Modify(Data", "Access(Close(Write))", "Modify(Name(To))"] {
        assert!(
            kinds.iter().any(|k| k.starts_with(wanted)),
            "no {wanted} in {kinds:?}"
        );
    }
    // Every row is one of the events printed, so none is about the log, though each wrote to it.
    let rows: Vec<u64> = edits.events.iter().map(|e| e.row).collect();
    let expected: Vec<u64> = (2..).take(rows.len()).collect();
    assert_eq!(rows, expected, "{:#?}", edits.events);
    assert!(edits.wal_after > edits.wal_before);

    let logged = codex.logged();
    assert!(
        logged.iter().all(|(path, _)| !path.contains(".sqlite")),
        "{logged:?}"
    );
}

/// Where names cannot tell: its database is held open and never closed, an edited file is.
#[test]
fn with_its_home_settled_the_log_stays_quiet_though_no_name_is_ignored() {
    let home = Home::new();
    let product = common::product();
    let mut codex = Codex::start(&product, &home, ROWS, &Preload::SettleHome);
    let edits = codex.edit_config();
    let kinds: Vec<_> = edits.of_config().map(|e| e.kind.as_str()).collect();
    for wanted in ["Modify(Data", "Access(Close(Write))", "Modify(Name(To))"] {
        assert!(
            kinds.iter().any(|k| k.starts_with(wanted)),
            "no {wanted} in {kinds:?}"
        );
    }
    assert!(edits.wal_after > edits.wal_before);

    let logged = codex.logged();
    assert!(
        logged.iter().all(|(path, _)| !path.contains(".sqlite")),
        "{logged:?}"
    );
}

#[test]
fn with_its_home_dropped_nothing_in_it_is_reported() {
    let home = Home::new();
    let product = common::product();
    let mut codex = Codex::start(&product, &home, ROWS, &Preload::DropHome);
    let edits = codex.edit_config();
    let of_home: Vec<_> = edits
        .events
        .iter()
        .filter(|e| e.path.starts_with(home.path()))
        .collect();
    assert!(of_home.is_empty(), "{of_home:#?}");

    // The first row names the home itself; it is no event.
    let logged = codex.logged();
    let of_home: i64 = logged
        .iter()
        .filter(|(path, _)| path.starts_with(home.path().to_str().unwrap()))
        .map(|(_, n)| n)
        .sum();
    assert_eq!(of_home, 1, "{logged:?}");
}
