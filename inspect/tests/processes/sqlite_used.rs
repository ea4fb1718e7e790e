//! Databases in use: what is healthy and what is not look alike at first.

use std::process::Command;

use crate::common::Stage;

/// A checkpoint waits in vain, however long, where the mark that it waits for moves on, and reads that overlap hold the
/// lock of that mark. About one in eight does here.
const ROUNDS: u32 = 12;

#[test]
fn a_log_that_short_reads_keep_from_beginning_anew_is_a_warning_and_the_command_ends_it() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-overlapping", "--megabytes", "66"]);
    let path = fixture.path("database");
    let path = path.to_str().unwrap();
    let scan = stage.scan(&["wal", path, "--for", "1", "--json"]);
    let doc = scan.json();
    let found = doc["databases"][0]["findings"].as_array().unwrap();
    let large = found.iter().find(|f| f["code"] == "sqlite-wal-large");
    let large = large.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(large["severity"], "warning");
    assert_eq!(large["evidence"]["reason"], "never-restarts");
    if Command::new("sqlite3").arg("-version").output().is_err() {
        eprintln!("not run: the command itself: sqlite3 is not installed");
        return;
    }
    let remedy = large["remedy"].as_str().unwrap();
    for round in 1..=ROUNDS {
        let ran = Command::new("sh").args(["-c", remedy]).output().unwrap();
        assert!(ran.status.success(), "round {round}: {ran:?}");
        assert_eq!(ran.stdout, b"0|0|0\n", "round {round}: {ran:?}");
        // A write that waited for 5 s in vain ends the program, and the -wal is removed.
        let wal = std::fs::metadata(format!("{path}-wal"));
        let wal = wal.expect("no write was refused").len();
        assert!(wal < 33 << 20, "{wal} bytes after round {round}: {ran:?}");
    }
}

#[test]
fn a_write_transaction_that_lasts_is_named_with_its_process_and_its_age() {
    let stage = Stage::new();
    let dir = stage.make("state");
    for lock in ["reserved", "exclusive"] {
        let sub = stage.make(lock);
        let fixture = stage.mkfds_in(&sub, &["sqlite-locked", "--lock", lock]);
        let process = stage.look(&fixture);
        let finding = process.finding("sqlite-write-locked", "info");
        assert_eq!(finding["evidence"]["pid"], fixture.pid());
        assert!(
            finding["evidence"]["held_ms"].as_u64() >= Some(100),
            "{finding}"
        );
        let pid = fixture.pid().to_string();
        let process = stage.scan(&[&pid, "--json", "--for", "2"]).process();
        let finding = process.finding("sqlite-write-locked", "warning");
        let message = finding["message"].as_str().unwrap();
        assert!(message.contains("database is locked"), "{message}");
    }
    // Who writes all the time holds it again and again, and nobody waits for long.
    let fixture = stage.mkfds_in(&dir, &["sqlite-busy"]);
    let pid = fixture.pid().to_string();
    let process = stage.scan(&[&pid, "--json", "--for", "1"]).process();
    process.must_not_raise("sqlite-write-locked");
}

#[test]
fn whoever_pins_a_log_is_said_to_have_read_for_how_long_and_how_that_ends() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-pinned"]);
    let pid = fixture.pid().to_string();
    let process = stage.scan(&[&pid, "--json", "--for", "2"]).process();
    let finding = process.finding("sqlite-wal-pinned", "warning");
    assert!(
        finding["evidence"]["held_ms"].as_u64() >= Some(1000),
        "{finding}"
    );
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(remedy.starts_with(&format!("kill {pid}; ")), "{remedy}");
}
