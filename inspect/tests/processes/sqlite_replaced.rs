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

/// A program that adds a row to `live.db` and goes on.
fn adds_a_row(dir: &Path) -> Fixture {
    let script = "import sqlite3, sys, time\n\
        c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        c.execute('INSERT INTO entries (body) VALUES (zeroblob(50000))')\n\
        print('READY', flush=True)\n\
        time.sleep(600)\n";
    let mut python = Command::new("/usr/bin/python3");
    Fixture::start(python.args(["-c", script]).arg(dir.join("live.db")))
}

#[test]
fn a_backup_copied_over_before_anything_was_checkpointed_is_found_if_it_is_of_another_state() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let (live, backup) = (dir.join("live.db"), dir.join("backup.db"));
    // Each run of a program that closes its database leaves another state of the same size.
    let run = |sql: &str| Connection::open(&live).unwrap().execute_batch(sql).unwrap();
    run("PRAGMA journal_mode = wal; CREATE TABLE entries (body);
         INSERT INTO entries (body) VALUES (zeroblob(50000));");
    std::fs::copy(&live, &backup).unwrap();
    run("CREATE TABLE other (a)");
    run("DROP TABLE other; VACUUM");
    let fixture = adds_a_row(&dir);
    let process = stage.look(&fixture);
    process.must_not_raise("sqlite-overwritten");
    std::fs::write(&live, std::fs::read(&backup).unwrap()).unwrap();
    let process = stage.look(&fixture);
    let finding = process.finding("sqlite-overwritten", "critical");
    assert_eq!(finding["evidence"]["shows_by"], "change-counter");
}

#[test]
fn what_was_copied_over_is_whole_again_once_the_backup_is_restored_through_sqlite() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-displaced", "--by", "copy"]);
    let process = stage.look(&fixture);
    let finding = process.finding("sqlite-overwritten", "critical");
    let message = finding["message"].as_str().unwrap();
    let wal = format!("First copy {}-wal elsewhere", fixture.fact("database"));
    assert!(message.contains(&wal), "{message}");
    let mut sqlite3 = Command::new("/usr/bin/sqlite3");
    sqlite3.arg(fixture.path("database"));
    let backup = dir.join("backup.db");
    let ran = sqlite3.arg(format!(".restore '{}'", backup.display()));
    let ran = ran.output().unwrap();
    assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
    let process = stage.look(&fixture);
    process.must_not_raise("sqlite-overwritten");
    let scan = stage.scan(&["wal", fixture.fact("database"), "--json"]);
    let found = &scan.json()["databases"][0]["findings"];
    assert!(!found.to_string().contains("sqlite-overwritten"), "{found}");
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

/// A program with 3,000 rows committed in `state.db`, half of them overwritten in a transaction where it keeps a
/// rollback journal, one more in the -wal where it keeps that.
fn keeper(dir: &Path, mode: &str) -> Fixture {
    let script = "import sqlite3, sys, time\n\
        c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        c.execute('PRAGMA journal_mode = ' + sys.argv[2])\n\
        c.execute('CREATE TABLE entries (id INTEGER PRIMARY KEY, body TEXT)')\n\
        c.execute('BEGIN')\n\
        c.executemany('INSERT INTO entries (body) VALUES (?)', [('x' * 300,)] * 3000)\n\
        c.execute('COMMIT')\n\
        if sys.argv[2] == 'wal':\n    \
            c.execute('PRAGMA wal_checkpoint(RESTART)').fetchall()\n    \
            c.execute('INSERT INTO entries (body) VALUES (1)')\n\
        else:\n    \
            c.execute('PRAGMA cache_size = 10')\n    \
            c.execute('BEGIN')\n    \
            c.execute(\"UPDATE entries SET body = 'half done'\")\n\
        print('READY', flush=True)\n\
        time.sleep(600)\n";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", script]).arg(dir.join("state.db"));
    Fixture::start(python.arg(mode))
}

#[test]
fn what_somebody_unlinked_beside_a_database_is_named_and_the_command_saves_every_row() {
    for (mode, suffix, code, rows) in [
        ("wal", "-shm", "sqlite-shm-deleted", 3001),
        ("delete", "-journal", "sqlite-journal-deleted", 3000),
    ] {
        let stage = Stage::new();
        let dir = stage.make("state");
        let fixture = keeper(&dir, mode);
        stage.look(&fixture).must_not_raise(code);
        std::fs::remove_file(dir.join(format!("state.db{suffix}"))).unwrap();
        run(stage.look(&fixture).finding(code, "critical"));
        assert_eq!(rows_restored(fixture, &dir), rows, "{code}");
    }
}

#[test]
fn a_command_that_could_not_save_says_so_and_the_process_goes_on() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = keeper(&dir, "wal");
    std::fs::remove_file(dir.join("state.db-wal")).unwrap();
    let process = stage.look(&fixture);
    let remedy = process.finding("sqlite-wal-deleted", "critical")["remedy"].clone();
    let remedy = remedy.as_str().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let ran = Command::new("sh").args(["-c", remedy]).output().unwrap();
    assert!(!ran.status.success(), "{remedy}");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", fixture.pid())).unwrap();
    assert!(!stat.contains(") T "), "{stat}");
}

#[test]
fn a_database_whose_directory_has_gone_is_saved_in_the_nearest_one_that_is_there() {
    for (mode, code, rows) in [
        ("wal", "sqlite-wal-deleted", 3001),
        ("delete", "sqlite-deleted", 3000),
    ] {
        let stage = Stage::lasting();
        let top = stage.make("srv");
        let dir = top.join("app").join("state");
        std::fs::create_dir_all(&dir).unwrap();
        let fixture = keeper(&dir, mode);
        std::fs::remove_dir_all(top.join("app")).unwrap();
        let process = stage.look(&fixture);
        let finding = process.finding(code, "critical");
        let message = finding["message"].as_str().unwrap();
        let (place, gone) = (top.display(), dir.display());
        let says = format!(
            "in {place}, because {gone} is gone, with `.saved` appended. If it fails, nothing is saved: copy them elsewhere. Only then end the process, create {gone} again"
        );
        assert!(message.contains(&says), "{message}");
        run(finding);
        assert_eq!(rows_restored(fixture, &top), rows, "{mode}");
    }
}

#[test]
fn a_scratch_database_is_a_warning_and_one_that_somebody_shares_or_removed_in_part_is_critical() {
    let severity_of = |stage: &Stage, dir: &Path, suffixes: &[&str], shared: bool| {
        let fixture = keeper(dir, "wal");
        let other = shared.then(|| {
            let hold = "import sys, time; f = open(sys.argv[1]); print('READY', flush=True); time.sleep(600)";
            let mut python = Command::new("/usr/bin/python3");
            Fixture::start(python.args(["-c", hold]).arg(dir.join("state.db")))
        });
        for suffix in suffixes {
            std::fs::remove_file(dir.join(format!("state.db{suffix}"))).unwrap();
        }
        let process = stage.look(&fixture);
        drop(other);
        let mut findings = process.list("findings").iter();
        let finding = findings.find(|f| {
            f["code"]
                .as_str()
                .is_some_and(|code| code.ends_with("-deleted"))
        });
        finding.unwrap()["severity"].as_str().unwrap().to_owned()
    };
    let all = ["", "-wal", "-shm"];
    // A stage is below the directory for temporary files, a lasting one is not.
    let stage = Stage::new();
    let severity = severity_of(&stage, &stage.make("scratch"), &all, false);
    assert_eq!(severity, "warning");
    let severity = severity_of(&stage, &stage.make("shared"), &all, true);
    assert_eq!(severity, "critical");
    let severity = severity_of(&stage, &stage.make("in-part"), &[""], false);
    assert_eq!(severity, "critical");
    let stage = Stage::lasting();
    let severity = severity_of(&stage, &stage.make("lasting"), &all, false);
    assert_eq!(severity, "critical");
}

#[test]
fn who_asks_for_an_unlinked_database_by_its_name_is_told_who_has_it_open() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = keeper(&dir, "wal");
    let path = dir.join("state.db");
    let link = dir.join("link");
    std::os::unix::fs::symlink(&dir, &link).unwrap();
    std::fs::remove_file(&path).unwrap();
    let pid = fixture.pid();
    for asked in [path.clone(), link.join("state.db")] {
        let scan = stage.scan(&["wal", asked.to_str().unwrap()]);
        assert_eq!(scan.status.code(), Some(3), "{}", scan.stderr);
        for part in [
            format!("process {pid} (python3) at /proc/{pid}/fd/"),
            format!("`fdscan {pid}` says what that means and how to save it"),
        ] {
            assert!(scan.stderr.contains(&part), "{}", scan.stderr);
        }
    }
    drop(fixture);
    let scan = stage.scan(&["wal", path.to_str().unwrap()]);
    assert!(!scan.stderr.contains("unlinked"), "{}", scan.stderr);
}

#[test]
fn a_renamed_database_whose_log_a_newcomer_unlinked_is_saved_with_it() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = keeper(&dir, "wal");
    let old = dir.join("old");
    std::fs::create_dir(&old).unwrap();
    let moved = old.join("state.db");
    std::fs::rename(dir.join("state.db"), &moved).unwrap();
    // A new database takes the name, and SQLite removes the log it finds there.
    let newcomer = Connection::open(dir.join("state.db")).unwrap();
    newcomer
        .execute_batch("CREATE TABLE other (id INTEGER)")
        .unwrap();
    let process = stage.look(&fixture);
    let finding = process.finding("sqlite-wal-deleted", "critical");
    assert_eq!(finding["evidence"]["database"], json_path(&moved));
    run(finding);
    assert_eq!(rows_restored(fixture, &old), 3001);
}
