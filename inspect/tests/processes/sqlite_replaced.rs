//! Databases another one was put in the place of while they are open: what the printed command saves is whole.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::common::{Fixture, Stage};

/// Runs a printed command.
fn run(finding: &Value) {
    let remedy = finding["remedy"].as_str().unwrap();
    let ran = Command::new("sh").args(["-c", remedy]).status().unwrap();
    assert!(ran.success(), "{remedy}");
}

/// Ends the process, takes .saved off the names and counts the rows SQLite then finds.
fn rows_restored(fixture: Fixture, dir: &Path) -> i64 {
    drop(fixture);
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if let Some(name) = path.to_str().unwrap().strip_suffix(".saved") {
            std::fs::rename(&path, name).unwrap();
        }
    }
    let connection = Connection::open(dir.join("state.db")).unwrap();
    let whole = "SELECT count(*) FROM entries WHERE body <> 'half done'";
    let sound: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    connection.query_row(whole, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_database_another_one_was_put_in_the_place_of_is_saved_with_the_log_that_kept_its_name() {
    for mode in [&["sqlite-replaced"][..], &["sqlite-replaced", "--rollback"]] {
        let stage = Stage::new();
        let dir = stage.make("state");
        let fixture = stage.mkfds_in(&dir, mode);
        let process = stage.look(&fixture);
        let finding = process.finding("sqlite-replaced", "critical");
        process.must_not_raise("sqlite-wal-deleted");
        process.must_not_raise("sqlite-deleted");
        run(finding);
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(dir.join(format!("state.db{suffix}")));
        }
        let rows = fixture.number("rows");
        assert_eq!(rows_restored(fixture, &dir) as u64, rows, "{mode:?}");
    }
}

#[test]
fn who_has_the_old_one_is_found_from_the_path_too() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-replaced"]);
    let path = dir.join("state.db");
    let scan = stage.scan(&["wal", path.to_str().unwrap(), "--json"]);
    let found = &scan.json()["databases"][0]["findings"];
    let replaced = found.as_array().unwrap().iter();
    let replaced = replaced.filter(|f| f["code"] == "sqlite-replaced");
    let pids: Vec<_> = replaced.map(|f| &f["evidence"]["pid"]).collect();
    assert_eq!(pids, [fixture.pid()]);
}
