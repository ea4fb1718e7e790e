//! Databases another one was put in the place of while they are open: what the printed command saves is whole.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::common::{Fixture, Stage, json_path};

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

#[test]
fn a_backup_copied_over_an_open_database_is_found_by_process_and_by_path() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-displaced", "--by", "copy"]);
    let process = stage.look(&fixture);
    let finding = process.finding("sqlite-overwritten", "critical");
    assert_eq!(process.codes()[0], "sqlite-overwritten");
    let scan = stage.scan(&["wal", fixture.fact("database"), "--json"]);
    let found = &scan.json()["databases"][0]["findings"][0];
    assert_eq!(found["code"], "sqlite-overwritten");
    for finding in [finding, found] {
        assert_eq!(
            finding["evidence"]["pids"],
            serde_json::json!([fixture.pid()])
        );
        assert_eq!(
            finding["evidence"]["database"],
            json_path(&fixture.path("database"))
        );
    }
    process.must_not_raise("sqlite-renamed");
}

#[test]
fn a_database_renamed_away_from_its_log_is_named_with_both_names_and_can_be_put_back() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-displaced", "--by", "rename"]);
    let process = stage.look(&fixture);
    let finding = process.finding("sqlite-renamed", "critical");
    assert_eq!(
        finding["evidence"]["renamed_to"],
        json_path(&fixture.path("moved"))
    );
    let command = finding["remedy"].as_str().unwrap();
    let ran = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(ran.success(), "{command}");
    let process = stage.look(&fixture);
    process.must_not_raise("sqlite-renamed");
    process.must_not_raise("sqlite-overwritten");
    // Where another file has the name there is nothing to put back.
    let dir = stage.make("taken");
    let fixture = stage.mkfds_in(&dir, &["sqlite-displaced", "--by", "rename-and-make"]);
    let process = stage.look(&fixture);
    let finding = process.finding("sqlite-renamed", "critical");
    assert_eq!(finding["evidence"]["name_is_taken"], true);
    assert!(finding["remedy"].is_null());
}

#[test]
fn a_database_that_is_only_written_and_checkpointed_is_where_it_was() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-displaced", "--by", "nothing"]);
    let process = stage.look(&fixture);
    process.must_not_raise("sqlite-renamed");
    process.must_not_raise("sqlite-overwritten");
}
