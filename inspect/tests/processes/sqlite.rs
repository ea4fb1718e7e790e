//! SQLite databases: what belongs together, and what is wrong with it.

use serde_json::Value;
use std::process::Command;

use crate::common::{Fixture, Process, Stage, holds_number, inode, json_path, shorten, waits};
use crate::sqlite_locks::sqlite3;
use support::Victim;

/// What fdscan says about the database at `path`.
fn database<'a>(process: &'a Process, path: &std::path::Path) -> &'a Value {
    let name = json_path(path);
    process
        .list("sqlite")
        .iter()
        .find(|d| d["database"] == name.as_str())
        .unwrap_or_else(|| panic!("{name} is missing in {}", shorten(&process.0)))
}

/// Fails unless fdscan counts the descriptors as mkfds does.
fn counts_agree(process: &Process, fixture: &Fixture) {
    let all = fixture.paths("database");
    assert_eq!(process.list("sqlite").len(), all.len());
    for (i, path) in all.iter().enumerate() {
        let group = database(process, path);
        for key in ["handles", "wal_handles", "shm_handles"] {
            let made = fixture.numbers(key)[i];
            assert_eq!(group[key], made, "{key} of {group}");
        }
        let size = |suffix: &str| {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            std::fs::metadata(name).unwrap().len()
        };
        assert_eq!(group["database_bytes"], size(""));
        assert_eq!(group["wal_bytes"], size("-wal"));
        assert_eq!(group["shm_bytes"], size("-shm"));
        assert_eq!(group["deleted"], false);
    }
}

#[test]
fn a_database_its_wal_and_its_shm_are_one_group() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "3"]);
    let process = stage.look(&fixture);
    counts_agree(&process, &fixture);
    for code in [
        "sqlite-handle-leak",
        "sqlite-wal-large",
        "sqlite-wal-deleted",
        "sqlite-self-watch",
    ] {
        process.must_not_raise(code);
    }
}

#[test]
fn several_databases_are_several_groups() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(
        &dir,
        &["sqlite-connections", "--count", "9", "--databases", "4"],
    );
    counts_agree(&stage.look(&fixture), &fixture);
}

#[test]
fn an_unprivileged_user_sees_the_groups_of_its_own_process() {
    let stage = Stage::unprivileged(60121);
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "140"]);
    let process = stage.look_as_user(&fixture);
    counts_agree(&process, &fixture);
    process.finding("sqlite-handle-leak", "warning");
}

#[test]
fn thirty_two_connections_to_one_database_may_be_a_pool_and_are_a_remark() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "32"]);
    let process = stage.look(&fixture);
    counts_agree(&process, &fixture);
    let finding = process.finding("sqlite-handle-leak", "info");
    assert_eq!(finding["evidence"]["kind"], "connections");
    assert!(holds_number(&finding["evidence"], 32));
}

#[test]
fn thirty_one_connections_to_one_database_are_not_a_leak() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "31"]);
    stage.look(&fixture).must_not_raise("sqlite-handle-leak");
}

#[test]
fn many_connections_to_many_databases_are_not_a_leak() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(
        &dir,
        &["sqlite-connections", "--count", "60", "--databases", "2"],
    );
    stage.look(&fixture).must_not_raise("sqlite-handle-leak");
}

#[test]
fn descriptors_sqlite_parked_are_told_apart_from_connections() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-parked", "--count", "32"]);
    let process = stage.look(&fixture);
    counts_agree(&process, &fixture);
    let finding = process.finding("sqlite-handle-leak", "warning");
    assert_eq!(finding["evidence"]["kind"], "parked");
    assert!(holds_number(&finding["evidence"], 33));
}

#[test]
fn thirty_one_parked_descriptors_are_not_a_leak() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-parked", "--count", "31"]);
    stage.look(&fixture).must_not_raise("sqlite-handle-leak");
}

#[test]
fn a_wal_above_64_mib_and_twice_its_database_is_large() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["wal-large", "--megabytes", "65"]);
    let process = stage.look(&fixture);
    counts_agree(&process, &fixture);
    let finding = process.finding("sqlite-wal-large", "warning");
    assert!(holds_number(
        &finding["evidence"],
        fixture.number("wal_bytes")
    ));
    assert!(holds_number(
        &finding["evidence"],
        fixture.number("database_bytes")
    ));
}

#[test]
fn a_wal_below_64_mib_is_not_large() {
    let stage = Stage::new();
    let dir = stage.make("state");
    // The last write goes about one MiB past the size asked for.
    let fixture = stage.mkfds_in(&dir, &["wal-large", "--megabytes", "62"]);
    assert!(fixture.number("wal_bytes") <= 64 << 20);
    stage.look(&fixture).must_not_raise("sqlite-wal-large");
}

#[test]
fn a_wal_above_64_mib_beside_a_database_of_half_its_size_is_not_large() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(
        &dir,
        &[
            "wal-large",
            "--megabytes",
            "66",
            "--database-megabytes",
            "40",
        ],
    );
    assert!(fixture.number("wal_bytes") > 64 << 20);
    assert!(fixture.number("wal_bytes") <= 2 * fixture.number("database_bytes"));
    stage.look(&fixture).must_not_raise("sqlite-wal-large");
}

#[test]
fn a_removed_wal_that_is_still_open_is_critical() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["wal-deleted"]);
    let process = stage.look(&fixture);
    let finding = process.finding("sqlite-wal-deleted", "critical");
    let database_path = fixture.path("database");
    assert!(
        finding["evidence"]
            .to_string()
            .contains(database_path.to_str().unwrap())
    );
    // It is still one group: the link's " (deleted)" is not part of the name.
    assert_eq!(process.list("sqlite").len(), 1);
    let group = database(&process, &database_path);
    assert_eq!(group["handles"], 1);
    assert_eq!(group["wal_handles"], 1);
    assert!(group["wal_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn what_the_remedy_saves_of_a_removed_database_is_all_of_it() {
    for (state, code) in [
        (&["sqlite-deleted"][..], "sqlite-wal-deleted"),
        (&["sqlite-deleted", "--wal-only"], "sqlite-wal-deleted"),
        (&["sqlite-deleted", "--rollback"], "sqlite-deleted"),
    ] {
        let stage = Stage::lasting();
        let dir = stage.make("state");
        let fixture = stage.mkfds_in(&dir, state);
        let process = stage.look(&fixture);
        let remedy = process.finding(code, "critical")["remedy"].clone();
        let remedy = remedy.as_str().unwrap();
        let shell = Command::new("sh").args(["-c", remedy]).status().unwrap();
        assert!(shell.success(), "{remedy}");
        let database = fixture.path("database");
        // As a power failure: nothing is written any more.
        fixture.victim.signal(libc::SIGKILL);
        drop(fixture);
        for entry in std::fs::read_dir(&dir).unwrap() {
            let saved = entry.unwrap().path();
            if saved.extension().is_some_and(|e| e == "saved") {
                std::fs::rename(&saved, saved.with_extension("")).unwrap();
            }
        }
        let rows: i64 = rusqlite::Connection::open(&database)
            .unwrap()
            .query_row("SELECT count(*) FROM entries", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 3001, "{state:?}: {remedy}");
    }
}

#[test]
fn connections_with_a_rollback_journal_are_a_leak_as_well() {
    for (count, severity) in [("300", "warning"), ("40", "info")] {
        let stage = Stage::new();
        let dir = stage.make("state");
        let fixture = stage.mkfds_in(&dir, &["sqlite-rollback", "--count", count]);
        let process = stage.look(&fixture);
        let evidence = &process.finding("sqlite-handle-leak", severity)["evidence"];
        assert_eq!(evidence["handles"], fixture.number("handles"));
    }
}

#[test]
fn a_wal_in_its_place_is_not_critical() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "1"]);
    stage.look(&fixture).must_not_raise("sqlite-wal-deleted");
}

#[test]
fn a_database_written_in_a_watched_directory_is_critical() {
    let stage = Stage::new();
    let dir = stage.make("codex");
    let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--mask", "0xfee"]);
    let process = stage.look(&fixture);
    let evidence = &process.finding("sqlite-self-watch", "critical")["evidence"];
    let database_path = fixture.path("database");
    assert_eq!(evidence["inode"], inode(&dir));
    assert_eq!(evidence["path"], dir.to_str().unwrap());
    assert_eq!(evidence["database"], database_path.to_str().unwrap());
    assert_eq!(evidence["mask"], "0xfee");
    let group = database(&process, &database_path);
    assert_eq!(evidence["wal_bytes"], group["wal_bytes"]);
    counts_agree(&process, &fixture);
}

#[test]
fn a_database_that_rests_in_a_watched_directory_is_a_warning() {
    let stage = Stage::new();
    let dir = stage.make("rests");
    let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--rested"]);
    let process = stage.look(&fixture);
    let finding = process.finding("sqlite-self-watch", "warning");
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains("not written for 60 min."), "{message}");
    // Somebody writes while it is looked at for longer.
    let pid = fixture.pid().to_string();
    let mut long = stage.scan_command();
    let long = long.args([&pid, "--json", "--for", "600"]);
    let long = Victim::spawn(long);
    support::wait_until("it does not look", || waits(long.pid()));
    let other = sqlite3(
        &fixture.path("database"),
        "INSERT INTO entries (body) VALUES ('more');",
    );
    long.signal(libc::SIGINT);
    drop(other);
    let (_, lines) = long.finish();
    let doc: Value = serde_json::from_str(&lines.join("\n")).unwrap();
    let found = doc["processes"][0]["findings"].as_array().unwrap().iter();
    let mut found = found.filter(|f| f["code"] == "sqlite-self-watch");
    let finding = found.next().unwrap();
    assert_eq!(finding["severity"], "warning");
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains("not seen to write many times a second"),
        "{message}"
    );
}

#[test]
fn a_database_that_is_written_without_end_in_a_watched_directory_is_critical_in_every_mode() {
    let script = "import ctypes, sqlite3, sys\n\
        libc = ctypes.CDLL(None)\n\
        libc.inotify_add_watch(libc.inotify_init1(0), sys.argv[1].encode(), 0xfce)\n\
        c = sqlite3.connect(sys.argv[1] + '/state.db', isolation_level=None)\n\
        c.execute('PRAGMA journal_mode = ' + sys.argv[2])\n\
        c.execute('PRAGMA synchronous = off')\n\
        c.execute('CREATE TABLE entries (id INTEGER PRIMARY KEY, body TEXT)')\n\
        print('READY', flush=True)\n\
        while True:\n    \
            c.execute('INSERT OR REPLACE INTO entries VALUES (1, 1)')\n";
    for mode in ["wal", "delete"] {
        let stage = Stage::new();
        let dir = stage.make("state");
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-c", script]).arg(&dir);
        let fixture = Fixture::start(python.arg(mode));
        let process = stage.look(&fixture);
        let finding = process.finding("sqlite-self-watch", "critical");
        assert_eq!(finding["evidence"]["often"], true, "{mode}");
    }
}

#[test]
fn an_unprivileged_user_is_told_that_its_own_process_watches_its_database() {
    let stage = Stage::unprivileged(60122);
    let dir = stage.make("codex");
    let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch"]);
    let process = stage.look_as_user(&fixture);
    let evidence = &process.finding("sqlite-self-watch", "critical")["evidence"];
    assert_eq!(evidence["inode"], inode(&dir));
    assert_eq!(evidence["path"], dir.to_str().unwrap());
}

#[test]
fn a_watch_on_the_database_itself_is_critical() {
    let stage = Stage::new();
    for on in ["file", "wal"] {
        let dir = stage.make(on);
        let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--on", on]);
        let process = stage.look(&fixture);
        let evidence = &process.finding("sqlite-self-watch", "critical")["evidence"];
        assert_eq!(evidence["inode"], inode(&fixture.path("watched")));
        assert_eq!(
            evidence["database"],
            fixture.path("database").to_str().unwrap()
        );
    }
}

#[test]
fn a_database_below_the_watched_directory_is_not_critical() {
    let stage = Stage::new();
    let dir = stage.make("codex");
    let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--elsewhere"]);
    stage.look(&fixture).must_not_raise("sqlite-self-watch");
}

#[test]
fn a_settled_mask_on_a_databases_directory_is_not_critical() {
    let stage = Stage::new();
    let dir = stage.make("codex");
    // What `settle` leaves of 0xfce: measured to end the loop.
    let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--mask", "0xfcc"]);
    let process = stage.look(&fixture);
    process.must_not_raise("sqlite-self-watch");
    process.must_not_raise("self-watch");
}
