//! SQLite to the lock: what a process's report says about logs, read marks and who holds what.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::Victim;

use crate::common::{Fixture, Process, Stage, is_root, shorten};

/// `database` with `suffix` behind its name.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Debian's sqlite3, another library than mkfds' own, in a transaction on `database`.
pub fn sqlite3(database: &Path, sql: &str) -> Victim {
    let mut victim = Victim::spawn(Command::new("/usr/bin/sqlite3").arg(database));
    victim.send(sql);
    // What it prints itself stays in its buffer.
    victim.send(".system echo done");
    victim.line_with("done");
    victim
}

/// The only database of a process.
fn only(process: &Process) -> &Value {
    let all = process.list("sqlite");
    assert_eq!(all.len(), 1, "{}", shorten(&process.0));
    &all[0]
}

/// The locks of `pid` on the -shm as (name, slot).
pub fn locks(database: &Value, pid: u32) -> Vec<(String, Option<u64>)> {
    database["wal"]["locks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|lock| lock["pid"] == pid)
        .map(|lock| {
            (
                lock["lock"].as_str().unwrap().to_owned(),
                lock["slot"].as_u64(),
            )
        })
        .collect()
}

fn rollback_locks(database: &Value) -> Vec<(u64, &str)> {
    database["rollback_locks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lock| {
            (
                lock["pid"].as_u64().unwrap(),
                lock["lock"].as_str().unwrap(),
            )
        })
        .collect()
}

fn pinned(stage: &Stage, args: &[&str]) -> Fixture {
    let dir = stage.make("state");
    stage.mkfds_in(&dir, &[&["sqlite-pinned"], args].concat())
}

#[test]
fn a_reader_a_thousand_frames_behind_pins_the_wal() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &[]);
    let process = stage.look(&fixture);
    let evidence = &process.finding("sqlite-wal-pinned", "warning")["evidence"];
    assert_eq!(evidence["pid"], fixture.pid());
    assert_eq!(evidence["kept_frames"], 1500);
    assert!(
        evidence["command"]
            .as_str()
            .unwrap()
            .contains("sqlite-pinned")
    );
    let wal = &only(&process)["wal"];
    assert_eq!(wal["page_size"], 4096);
    assert_eq!(wal["checkpointed_frames"], 0);
    let mark = evidence["mark"].as_u64().unwrap();
    assert_eq!(wal["frames"], mark + 1500);
    assert_eq!(wal["pending_bytes"], (mark + 1500) * 4120);
    assert_eq!(wal["live_bytes"], 32 + (mark + 1500) * 4120);
    let slot = evidence["slot"].as_u64().unwrap();
    assert!(slot > 0);
    assert!(locks(only(&process), fixture.pid()).contains(&("read".into(), Some(slot))));
    assert_eq!(wal["attached"], serde_json::json!([fixture.pid()]));
}

#[test]
fn a_reader_a_hundred_frames_behind_is_worth_knowing_only() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "100"]);
    let process = stage.look(&fixture);
    let evidence = &process.finding("sqlite-wal-pinned", "info")["evidence"];
    assert_eq!(evidence["kept_frames"], 100);
}

#[test]
fn a_reader_a_few_frames_behind_is_in_the_middle_of_a_request() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "99"]);
    stage.look(&fixture).must_not_raise("sqlite-wal-pinned");
}

#[test]
fn a_reader_that_began_after_the_last_frame_pins_nothing() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--reader", "after"]);
    let process = stage.look(&fixture);
    process.must_not_raise("sqlite-wal-pinned");
    let held = locks(only(&process), fixture.pid());
    assert_eq!(held.len(), 1, "the reader is seen all the same");
}

#[test]
fn a_mark_whose_reader_has_gone_proves_nothing() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--reader", "ended"]);
    let process = stage.look(&fixture);
    process.must_not_raise("sqlite-wal-pinned");
    let wal = &only(&process)["wal"];
    assert!(locks(only(&process), fixture.pid()).is_empty());
    let frames = wal["frames"].as_u64().unwrap();
    // The trap: it stands there, far behind.
    let stale = wal["read_marks"][1].as_u64().unwrap();
    assert!(stale + 1500 <= frames);
}

#[test]
fn a_reader_of_the_database_alone_lets_no_frame_be_checkpointed() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--reader", "zero"]);
    let process = stage.look(&fixture);
    let evidence = &process.finding("sqlite-wal-pinned", "warning")["evidence"];
    assert_eq!(evidence["slot"], 0);
    assert_eq!(evidence["kept_frames"], 1500);
}

#[test]
fn pages_of_64_kib_are_counted_as_such() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--page-size", "65536", "--frames", "20"]);
    let process = stage.look(&fixture);
    let wal = &only(&process)["wal"];
    assert_eq!(wal["page_size"], 65536);
    let frames = wal["frames"].as_u64().unwrap();
    assert_eq!(wal["live_bytes"], 32 + frames * (65536 + 24));
}

#[test]
fn a_reader_in_another_process_and_library_is_named_with_its_command() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "1"]);
    let database = fixture.path("database");
    let reader = sqlite3(&database, "BEGIN; SELECT count(*) FROM entries;");
    let mut writer = sqlite3(&database, "PRAGMA wal_autocheckpoint = 0;");
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) \
                INSERT INTO entries (body) SELECT zeroblob(4000) FROM n; BEGIN IMMEDIATE;";
    writer.send(rows);
    writer.send(".system echo written");
    writer.line_with("written");

    let process = stage.look(&fixture);
    let evidence = &process.finding("sqlite-wal-pinned", "warning")["evidence"];
    assert_eq!(evidence["pid"], reader.pid());
    assert!(
        evidence["command"]
            .as_str()
            .unwrap()
            .starts_with("/usr/bin/sqlite3 ")
    );
    let group = only(&process);
    assert!(locks(group, writer.pid()).contains(&("write".into(), None)));
    assert_eq!(group["wal"]["attached"].as_array().unwrap().len(), 3);
    let holders = group["holders"].as_array().unwrap();
    assert_eq!(holders.len(), 3);
    assert_eq!(holders[0]["pid"], fixture.pid());
    assert!(
        holders
            .iter()
            .all(|h| h["handles"] == 1 && h["shm_handles"] == 1)
    );
}

#[test]
fn another_users_lock_is_seen_although_its_descriptors_are_not() {
    if !is_root() {
        return support::skip("only root can start a process of another user");
    }
    let stage = Stage::unprivileged(60131);
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "1"]);
    // Root's.
    let reader = sqlite3(
        &fixture.path("database"),
        "BEGIN; SELECT count(*) FROM entries;",
    );
    let process = stage.look_as_user(&fixture);
    let held = locks(only(&process), reader.pid());
    assert_eq!(held.len(), 1, "{}", shorten(&process.0));
    assert_eq!(held[0].0, "read");
    let said = process.list("incomplete").iter().any(|gap| {
        gap["why"]
            .as_str()
            .is_some_and(|why| why.contains("/proc/locks"))
    });
    assert!(said, "{}", shorten(&process.0));
}

#[test]
fn the_locks_of_rollback_mode_are_named() {
    let stage = Stage::new();
    for lock in ["shared", "reserved", "exclusive"] {
        let dir = stage.make(lock);
        let fixture = stage.mkfds_in(&dir, &["sqlite-locked", "--lock", lock]);
        let process = stage.look(&fixture);
        let group = only(&process);
        assert_eq!(rollback_locks(group), [(fixture.pid().into(), lock)]);
        assert_eq!(group["wal"], Value::Null);
        assert_eq!(group["connections"], Value::Null);
    }
    let dir = stage.make("none");
    let fixture = stage.mkfds_in(&dir, &["sqlite-locked", "--lock", "none"]);
    assert!(rollback_locks(only(&stage.look(&fixture))).is_empty());
}

#[test]
fn connections_parked_descriptors_and_libraries_are_told_apart() {
    let stage = Stage::new();
    let dir = stage.make("connections");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "40"]);
    let process = stage.look(&fixture);
    let group = only(&process);
    assert_eq!(
        (&group["connections"], &group["parked"], &group["libraries"]),
        (&40.into(), &0.into(), &1.into())
    );
    let dir = stage.make("parked");
    let fixture = stage.mkfds_in(&dir, &["sqlite-parked", "--count", "40"]);
    let process = stage.look(&fixture);
    let group = only(&process);
    assert_eq!(
        (&group["connections"], &group["parked"]),
        (&1.into(), &40.into())
    );
}

#[test]
fn a_large_wal_is_said_to_be_pinned_not_checkpointed_or_only_a_large_file() {
    let stage = Stage::new();
    for (flag, reason, severity, helps) in [
        (None, "not-checkpointed", "warning", true),
        (Some("--pinned"), "pinned", "warning", false),
        (Some("--checkpointed"), "high-water-mark", "info", true),
    ] {
        let dir = stage.make(reason);
        let args: Vec<_> = ["wal-large", "--megabytes", "65"]
            .into_iter()
            .chain(flag)
            .collect();
        let fixture = stage.mkfds_in(&dir, &args);
        let process = stage.look(&fixture);
        let finding = process.finding("sqlite-wal-large", severity);
        assert_eq!(finding["evidence"]["reason"], reason);
        assert_eq!(process.raises("sqlite-wal-pinned"), reason == "pinned");
        let Some(remedy) = finding["remedy"].as_str() else {
            assert!(!helps, "{reason} has no remedy");
            continue;
        };
        assert!(helps, "{reason} has the remedy {remedy}");
        let run = Command::new("sh").args(["-c", remedy]).status().unwrap();
        assert!(run.success());
        // A command that is offered helps.
        assert_eq!(
            std::fs::metadata(beside(&fixture.path("database"), "-wal"))
                .unwrap()
                .len(),
            0
        );
        stage.look(&fixture).must_not_raise("sqlite-wal-large");
    }
}

#[test]
fn looking_at_a_database_leaves_its_locks_and_times_alone() {
    let stage = Stage::unprivileged(60132);
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-pinned", "--frames", "3"]);
    let database = fixture.path("database");
    let before = traces(&database);
    let first = stage.look_as_user(&fixture);
    let second = stage.look_as_user(&fixture);
    assert_eq!(only(&first)["wal"], only(&second)["wal"]);
    assert_eq!(traces(&database), before);
}

/// Names, sizes and times of everything in the database's directory.
fn traces(database: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut found: Vec<String> = std::fs::read_dir(database.parent().unwrap())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let m = entry.metadata().unwrap();
            let times = (
                m.atime(),
                m.atime_nsec(),
                m.mtime(),
                m.mtime_nsec(),
                m.ctime_nsec(),
            );
            format!("{:?} {} {times:?}", entry.file_name(), m.len())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn the_table_of_logs_names_locks_marks_and_processes() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &[]);
    let run = stage.scan(&[&fixture.pid().to_string(), "--tables"]);
    let found = run.text().split_once("SQLite logs");
    let (_, table) = found.expect("the report has a table of logs");
    assert!(table.contains("read(1)@"), "{table}");
    assert!(table.contains(&fixture.pid().to_string()), "{table}");
}

#[test]
fn a_database_its_process_watches_is_not_opened_and_its_locks_are_known_all_the_same() {
    let stage = Stage::new();
    for (mask, opened) in [("0xfff", false), ("0xfce", true), ("0x3ca", true)] {
        let dir = stage.make(mask);
        let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--mask", mask]);
        let process = stage.look(&fixture);
        let wal = &only(&process)["wal"];
        assert_eq!(wal["frames"].is_u64(), opened, "{mask}");
        assert_eq!(wal["attached"], serde_json::json!([fixture.pid()]));
        let said = process.0["incomplete"].to_string().contains("own watches");
        assert_eq!(said, !opened, "{mask}: {}", process.0["incomplete"]);
    }
}

/// A process without SQLite that holds a database and its side files open.
fn holding(database: &Path) -> Fixture {
    let script = r#"exec 3<"$0" 4<"$0-wal" 5<"$0-shm"; echo READY; read end"#;
    Fixture::start(Command::new("bash").args(["-c", script]).arg(database))
}

#[test]
fn a_damaged_shm_of_a_process_is_said_and_not_believed() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "3"]);
    let copy = stage.make("copy").join("copy.db");
    for suffix in ["", "-wal", "-shm"] {
        std::fs::copy(
            beside(&fixture.path("database"), suffix),
            beside(&copy, suffix),
        )
        .unwrap();
    }
    let process = stage.look(&holding(&copy));
    let good = only(&process)["wal"]["frames"].clone();
    assert!(good.is_u64());
    assert_eq!(only(&process)["wal"]["attached"], serde_json::json!([]));
    // nBackfill beyond the last frame, for good.
    let shm = std::fs::OpenOptions::new()
        .write(true)
        .open(beside(&copy, "-shm"))
        .unwrap();
    std::os::unix::fs::FileExt::write_all_at(&shm, &u32::MAX.to_ne_bytes(), 96).unwrap();
    let process = stage.look(&holding(&copy));
    let wal = &only(&process)["wal"];
    assert_eq!(wal["frames"], good, "the -wal itself tells");
    assert_eq!(wal["checkpointed_frames"], Value::Null);
    assert_eq!(wal["page_size"], 4096);
    assert!(process.0["incomplete"].to_string().contains("is damaged"));
    process.must_not_raise("sqlite-wal-pinned");
}

#[test]
fn a_wal2_database_of_a_process_is_said_not_to_be_decoded() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "3"]);
    let copy = stage.make("copy").join("copy.db");
    std::fs::copy(fixture.path("database"), &copy).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&copy).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[3, 3], 18).unwrap();
    let script = r#"exec 3<"$0"; echo READY; read end"#;
    let holder = Fixture::start(Command::new("bash").args(["-c", script]).arg(&copy));
    let process = stage.look(&holder);
    assert_eq!(only(&process)["wal"], Value::Null);
    assert!(process.0["incomplete"].to_string().contains("wal2"));
}
