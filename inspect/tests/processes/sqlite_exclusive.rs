//! Logs without a -shm: one process has the database for itself, and the -wal alone tells.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::Victim;

use crate::common::{Process, Stage, shorten};
use crate::sqlite_locks::{beside, sqlite3};

/// How many frames Debian's SQLite finds in a copy of a database and its -wal.
pub fn frames_by_sqlite(stage: &Stage, database: &Path) -> u64 {
    let copy = stage.make("oracle").join("copy.db");
    for suffix in ["", "-wal"] {
        fs::copy(beside(database, suffix), beside(&copy, suffix)).unwrap();
    }
    let run = Command::new("/usr/bin/sqlite3")
        .arg(&copy)
        .arg("PRAGMA wal_checkpoint")
        .output()
        .unwrap();
    // Busy, frames in the log, frames checkpointed.
    let text = String::from_utf8(run.stdout).unwrap();
    text.trim().split('|').nth(1).unwrap().parse().unwrap()
}

/// Debian's sqlite3 with a database for itself, and what it then does.
fn exclusive(stage: &Stage, page_size: u32, sql: &str) -> (Victim, PathBuf) {
    let database = stage.make("state").join("state.db");
    let begin = format!(
        "PRAGMA page_size = {page_size}; PRAGMA locking_mode = exclusive; PRAGMA journal_mode = wal; \
         PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x); {sql}"
    );
    (sqlite3(&database, &begin), database)
}

fn look(stage: &Stage, holder: &Victim) -> Process {
    stage.scan(&[&holder.pid().to_string(), "--json"]).process()
}

fn only(process: &Process) -> &Value {
    let all = process.list("sqlite");
    assert_eq!(all.len(), 1, "{}", shorten(&process.0));
    &all[0]
}

#[test]
fn the_frames_of_a_log_without_a_shm_are_those_sqlite_finds() {
    for page_size in [512, 4096, 65536] {
        let stage = Stage::new();
        let rows = "INSERT INTO t VALUES (zeroblob(3000)); ".repeat(9);
        let (holder, database) = exclusive(&stage, page_size, &rows);
        let process = look(&stage, &holder);
        let group = only(&process);
        assert_eq!(group["shm_handles"], 0);
        assert_eq!(group["rollback_locks"][0]["lock"], "exclusive");
        let wal = &group["wal"];
        let frames = frames_by_sqlite(&stage, &database);
        assert_eq!(wal["page_size"], page_size);
        assert_eq!(wal["frames"], frames);
        assert_eq!(wal["live_bytes"], 32 + frames * (u64::from(page_size) + 24));
        assert!(wal["checkpointed_frames"].is_null());
        let said = process.0["incomplete"].to_string();
        assert!(said.contains("counted in its -wal\""), "{said}");
    }
}

#[test]
fn frames_of_a_transaction_that_has_not_ended_do_not_count() {
    let stage = Stage::new();
    // A cache of one page: what is written goes to the -wal at once.
    let open = "INSERT INTO t VALUES (1); PRAGMA cache_size = 1; BEGIN; \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) \
         INSERT INTO t SELECT zeroblob(3000) FROM n;";
    let (holder, database) = exclusive(&stage, 4096, open);
    let written = fs::metadata(beside(&database, "-wal")).unwrap().len() / 4120;
    let process = look(&stage, &holder);
    let frames = only(&process)["wal"]["frames"].as_u64().unwrap();
    assert_eq!(frames, frames_by_sqlite(&stage, &database));
    assert!(frames + 100 < written, "{frames} of {written}");
}

#[test]
fn a_log_that_began_anew_has_the_frames_written_since() {
    let stage = Stage::new();
    let rows = "INSERT INTO t VALUES (zeroblob(3000)); ".repeat(20);
    let anew = format!("{rows} PRAGMA wal_checkpoint; INSERT INTO t VALUES (2);");
    let (holder, database) = exclusive(&stage, 4096, &anew);
    let process = look(&stage, &holder);
    let frames = only(&process)["wal"]["frames"].as_u64().unwrap();
    assert_eq!(frames, frames_by_sqlite(&stage, &database));
    assert!(frames < 10, "{frames}");
    assert!(fs::metadata(beside(&database, "-wal")).unwrap().len() > 20 * 4120);
}

#[test]
fn a_large_log_is_counted_by_its_salts_and_that_is_said() {
    let stage = Stage::new();
    let rows = "INSERT INTO t VALUES (zeroblob(1000000)); ".repeat(20);
    let (holder, database) = exclusive(&stage, 4096, &rows);
    let process = look(&stage, &holder);
    let wal = &only(&process)["wal"];
    assert_eq!(wal["frames"], frames_by_sqlite(&stage, &database));
    let said = process.0["incomplete"].to_string();
    assert!(said.contains("by their salts alone"), "{said}");
    // By its path as well, and what it gained between two samples.
    let run = stage.scan(&["wal", database.to_str().unwrap(), "--json", "--for", "0.1"]);
    let seen = &run.json()["databases"][0];
    assert_eq!(seen["wal"]["frames"], wal["frames"]);
    assert_eq!(seen["growth"]["frames"]["to"], wal["frames"]);
    assert!(seen["growth"]["checkpointed_frames"].is_null());
}
