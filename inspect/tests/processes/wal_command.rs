//! `fdscan wal DB...`: a database by its path.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::Victim;

use crate::common::{Fixture, Stage, is_root};
use crate::sqlite_exclusive::frames_by_sqlite;
use crate::sqlite_locks::{beside, locks, sqlite3};

/// What `fdscan wal` says about one database. It must be able to say something.
fn look(stage: &Stage, database: &Path) -> Value {
    let run = stage.scan(&["wal", "--json", database.to_str().unwrap()]);
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let mut doc = run.json();
    let list = doc["databases"].as_array_mut().unwrap();
    assert_eq!(list.len(), 1);
    list.remove(0)
}

fn codes(seen: &Value) -> Vec<&str> {
    let list = seen["findings"].as_array().unwrap();
    list.iter().map(|f| f["code"].as_str().unwrap()).collect()
}

fn gaps(seen: &Value) -> String {
    seen["incomplete"].to_string()
}

fn pinned(stage: &Stage, args: &[&str]) -> Fixture {
    let dir = stage.make("state");
    stage.mkfds_in(&dir, &[&["sqlite-pinned"], args].concat())
}

/// A copy of a database and its side files that nobody has open.
fn copy(stage: &Stage, database: &Path, name: &str) -> PathBuf {
    let to = stage.make(name).join("copy.db");
    for suffix in ["", "-wal", "-shm"] {
        fs::copy(beside(database, suffix), beside(&to, suffix)).unwrap();
    }
    to
}

fn write_at(path: &Path, bytes: &[u8], at: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

#[test]
fn the_reader_that_pins_it_and_every_other_holder_are_named() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &[]);
    let database = fixture.path("database");
    let other = sqlite3(&database, "SELECT count(*) FROM entries;");
    let seen = look(&stage, &database);
    assert_eq!(codes(&seen), ["sqlite-wal-pinned"]);
    let evidence = &seen["findings"][0]["evidence"];
    assert_eq!(evidence["pid"], fixture.pid());
    assert_eq!(evidence["kept_frames"], 1500);
    assert_eq!(locks(&seen, fixture.pid()).len(), 1);
    assert!(locks(&seen, other.pid()).is_empty());
    let pids: Vec<_> = seen["holders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| h["pid"].as_u64().unwrap())
        .collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.contains(&u64::from(fixture.pid())) && pids.contains(&u64::from(other.pid())));
    assert_eq!(seen["connections"], 3);
    assert_eq!(seen["libraries"], 2);
}

#[test]
fn the_text_names_the_file_the_marks_and_the_holders() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &[]);
    let database = fixture.path("database");
    let run = stage.scan(&["wal", database.to_str().unwrap()]);
    assert_eq!(run.code(), 0);
    for wanted in [
        "sqlite-wal-pinned",
        "READ(1)",
        "1 process has it open",
        &fixture.pid().to_string(),
    ] {
        assert!(run.text().contains(wanted), "{wanted} in {}", run.text());
    }
}

#[test]
fn fail_on_tells_by_the_exit_status() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &[]);
    let database = fixture.path("database");
    let status = |severity: &str| {
        stage
            .scan(&["wal", database.to_str().unwrap(), "--fail-on", severity])
            .code()
    };
    assert_eq!(status("warning"), 1);
    assert_eq!(status("critical"), 0);
    assert_eq!(status("never"), 0);
}

#[test]
fn a_path_that_leads_to_no_database_is_an_error_that_says_why() {
    let stage = Stage::new();
    let dir = stage.make("files");
    let text = dir.join("text");
    fs::write(&text, "no database at all, but long enough for a header").unwrap();
    let empty = dir.join("empty");
    fs::write(&empty, "").unwrap();
    let wal = dir.join("state.db-wal");
    fs::write(&wal, "").unwrap();
    for (path, wanted) in [
        (&wal, "name the database itself"),
        (&dir.join("missing"), "there is no file"),
        (&dir, "is not a regular file"),
        (&text, "encrypted"),
        (&empty, "it is empty"),
    ] {
        let run = stage.scan(&["wal", "--json", path.to_str().unwrap()]);
        assert_eq!(run.code(), 3);
        assert!(run.stderr.contains(wanted), "{wanted} in {}", run.stderr);
        let doc = run.json();
        assert_eq!(doc["databases"], serde_json::json!([]));
        assert_eq!(doc["errors"][0]["path"], path.to_str().unwrap());
    }
    assert_eq!(stage.scan(&["wal"]).code(), 2);
}

#[test]
fn a_file_one_may_not_read_is_not_permitted() {
    if !is_root() {
        return support::skip("only root can make a file of another user");
    }
    let stage = Stage::unprivileged(60141);
    let dir = stage.make("state");
    let file = dir.join("root.db");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let run = stage.scan_as_user(&["wal", file.to_str().unwrap()]);
    assert_eq!(run.code(), 4, "{}", run.stderr);
}

#[test]
fn one_bad_path_does_not_hide_the_others() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "3"]);
    let database = fixture.path("database");
    let run = stage.scan(&[
        "wal",
        "--json",
        "/nonexistent/x.db",
        database.to_str().unwrap(),
    ]);
    assert_eq!(run.code(), 3);
    let doc = run.json();
    assert_eq!(doc["databases"].as_array().unwrap().len(), 1);
    assert_eq!(doc["errors"].as_array().unwrap().len(), 1);
}

#[test]
fn a_symbolic_link_leads_to_the_side_files_of_its_target() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "3"]);
    let database = fixture.path("database");
    let link = stage.make("links").join("link.db");
    std::os::unix::fs::symlink(&database, &link).unwrap();
    assert_eq!(look(&stage, &link)["database"], database.to_str().unwrap());
}

#[test]
fn what_lies_in_a_side_files_place_is_looked_at_before_it_is_opened() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &[]);
    let database = copy(&stage, &fixture.path("database"), "copy");
    let [log, index] = ["-wal", "-shm"].map(|suffix| beside(&database, suffix));
    // SQLite follows no link here, and who opens a FIFO is noticed by who waits at its other end.
    let elsewhere = database.with_file_name("elsewhere");
    fs::rename(&log, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &log).unwrap();
    fs::remove_file(&index).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&index)
            .status()
            .unwrap()
            .success()
    );
    let mut writer = Command::new("sh");
    let mut writer = Victim::spawn(
        writer
            .args(["-c", "echo waits; : >\"$0\"; echo opened"])
            .arg(&index),
    );
    writer.line_with("waits");
    let said = gaps(&look(&stage, &database));
    assert!(said.contains("it is a symbolic link"), "{said}");
    assert!(said.contains("it is not a regular file"), "{said}");
    assert_eq!(writer.seen(), ["waits"]);
    fs::File::open(&index).unwrap();
    assert_eq!(writer.finish().1, ["waits", "opened"]);
}

#[test]
fn a_damaged_shm_is_said_and_not_believed() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "3"]);
    let database = fixture.path("database");
    let good = look(&stage, &copy(&stage, &database, "good"));
    assert!(good["wal"]["frames"].is_u64());
    // mxFrame of both copies: only the checksum can tell.
    let bad = copy(&stage, &database, "bad");
    for at in [16, 64] {
        write_at(&beside(&bad, "-shm"), &9999u32.to_ne_bytes(), at);
    }
    let seen = look(&stage, &bad);
    assert_eq!(seen["wal"]["frames"], good["wal"]["frames"], "by the -wal");
    assert_eq!(seen["wal"]["checkpointed_frames"], Value::Null);
    assert_eq!(seen["wal"]["read_marks"], Value::Null);
    assert_eq!(seen["wal"]["page_size"], 4096);
    assert!(gaps(&seen).contains("is damaged"), "{seen}");
}

#[test]
fn a_truncated_shm_is_said_and_not_believed() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "3"]);
    let cut = copy(&stage, &fixture.path("database"), "cut");
    // What SQLite leaves when it attaches first (os_unix.c, unixLockSharedMemory).
    let shm = fs::OpenOptions::new()
        .write(true)
        .open(beside(&cut, "-shm"))
        .unwrap();
    shm.set_len(3).unwrap();
    let seen = look(&stage, &cut);
    assert_eq!(seen["wal"]["frames"], frames_by_sqlite(&stage, &cut));
    assert_eq!(seen["wal"]["pending_bytes"], Value::Null);
    assert!(gaps(&seen).contains("cut off"), "{seen}");
}

#[test]
fn a_shm_beside_another_wal_is_said_and_not_believed() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "3"]);
    let mixed = copy(&stage, &fixture.path("database"), "mixed");
    // The salts, and with them the checksum of the header.
    write_at(&beside(&mixed, "-wal"), &[0; 16], 16);
    let seen = look(&stage, &mixed);
    assert_eq!(seen["wal"]["frames"], Value::Null);
    assert!(gaps(&seen).contains("does not describe the -wal"), "{seen}");
}

#[test]
fn wal2_is_recognised_and_not_decoded() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "3"]);
    let wal2 = copy(&stage, &fixture.path("database"), "wal2");
    write_at(&wal2, &[3, 3], 18);
    let seen = look(&stage, &wal2);
    assert_eq!(seen["wal"], Value::Null);
    assert!(gaps(&seen).contains("wal2"), "{seen}");
}

#[test]
fn what_lies_beside_an_encrypted_database_is_shown() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &["--frames", "3"]);
    let encrypted = copy(&stage, &fixture.path("database"), "encrypted");
    write_at(&encrypted, &[0xa5; 100], 0);
    let seen = look(&stage, &encrypted);
    assert!(seen["wal"]["frames"].is_u64());
    assert!(gaps(&seen).contains("encrypted"), "{seen}");
}

#[test]
fn what_a_killed_writer_leaves_is_shown_as_such() {
    let stage = Stage::new();
    let fixture = pinned(&stage, &[]);
    let database = fixture.path("database");
    fixture.victim.signal(libc::SIGKILL);
    drop(fixture);
    let seen = look(&stage, &database);
    assert_eq!(seen["holders"], serde_json::json!([]));
    assert_eq!(seen["wal"]["locks"], serde_json::json!([]));
    assert!(seen["wal"]["frames"].as_u64().unwrap() >= 1500);
    assert!(gaps(&seen).contains("no process is attached"), "{seen}");
    // The reader died with its mark: nothing is pinned.
    assert!(codes(&seen).is_empty(), "{seen}");
}

#[test]
fn a_wal_that_was_deleted_under_its_holder_is_critical() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["wal-deleted"]);
    let database = fixture.path("database");
    let seen = look(&stage, &database);
    assert_eq!(codes(&seen), ["sqlite-wal-deleted"]);
    assert_eq!(seen["findings"][0]["evidence"]["pid"], fixture.pid());
    let remedy = seen["findings"][0]["remedy"].as_str().unwrap();
    assert!(
        Command::new("sh")
            .args(["-c", remedy])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_database_in_rollback_mode_has_no_wal_and_its_locks_are_named() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-locked", "--lock", "reserved"]);
    let seen = look(&stage, &fixture.path("database"));
    assert_eq!(seen["wal"], Value::Null);
    assert_eq!(seen["wal_mode"], false);
    assert_eq!(seen["rollback_locks"][0]["lock"], "reserved");
    assert_eq!(seen["rollback_locks"][0]["pid"], fixture.pid());
}

#[test]
fn nothing_is_created_beside_a_database_nobody_has_open() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "1"]);
    let database = fixture.path("database");
    // Its last connection checkpoints and removes -wal and -shm.
    let (status, _) = fixture.victim.finish();
    assert!(status.success());
    let seen = look(&stage, &database);
    assert_eq!(seen["wal"], Value::Null);
    assert_eq!(seen["wal_mode"], true);
    let left: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, [database.file_name().unwrap()]);
}

#[test]
fn a_database_that_is_written_all_the_time_is_read_without_contradictions() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-busy"]);
    let database = fixture.path("database");
    let pid = fixture.pid().to_string();
    for _ in 0..25 {
        // The schema checker compares frames, bytes, marks and locks with each other.
        let seen = look(&stage, &database);
        assert_eq!(seen["connections"], 2);
        assert!(!codes(&seen).contains(&"sqlite-wal-large"));
        assert_eq!(
            stage.scan(&[&pid, "--json"]).process().list("sqlite").len(),
            1
        );
    }
    let (status, _) = fixture.victim.finish();
    assert!(status.success(), "fdscan is in nobody's way");
}

#[test]
fn without_privileges_other_users_processes_are_said_not_to_be_seen() {
    if !is_root() {
        return support::skip("only root can start a process of another user");
    }
    let stage = Stage::unprivileged(60142);
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-pinned"]);
    let run = stage.scan_as_user(&["wal", "--json", fixture.path("database").to_str().unwrap()]);
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let doc = run.json();
    let seen = &doc["databases"][0];
    assert_eq!(codes(seen), ["sqlite-wal-pinned"]);
    assert!(
        gaps(seen).contains("permission denied: root may read them"),
        "{seen}"
    );
}

#[test]
fn how_long_a_read_and_a_write_lock_are_held_is_told_without_and_with_a_window() {
    let stage = Stage::new();
    let reads = stage.make("reads");
    let reads = stage.mkfds_in(&reads, &["sqlite-pinned"]);
    let writes = stage.make("writes");
    let writes = stage.mkfds_in(&writes, &["sqlite-locked", "--lock", "reserved"]);
    for (window, least) in [(&[][..], 200), (&["--for", "1"], 1000)] {
        for (fixture, code) in [
            (&reads, "sqlite-wal-pinned"),
            (&writes, "sqlite-write-locked"),
        ] {
            let database = fixture.path("database");
            let args = [&["wal", "--json", database.to_str().unwrap()], window].concat();
            let document = stage.scan(&args).json();
            let found = document["databases"][0]["findings"].as_array().unwrap();
            let finding = found.iter().find(|finding| finding["code"] == code);
            let held =
                &finding.unwrap_or_else(|| panic!("{code}: {found:#?}"))["evidence"]["held_ms"];
            assert!(held.as_u64() >= Some(least), "{code} {window:?}: {held}");
        }
    }
}
