//! "database is locked": who keeps others waiting is named in the report of each of them, and by the path.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{Fixture, Process, Stage};

/// Begins as every program here: `c` is a connection to the database that is its argument.
const OPEN: &str = "import sqlite3, sys, time\n\
    c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=600)\n";

fn python(database: &Path, script: &str) -> Fixture {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", &format!("{OPEN}{script}")]);
    Fixture::start(python.arg(database))
}

/// A database with a rollback journal and 500 rows, of which a process has read the first one.
fn reader(database: &Path) -> Fixture {
    python(
        database,
        "c.execute('CREATE TABLE t (x)')\n\
         c.execute('BEGIN')\n\
         c.executemany('INSERT INTO t VALUES (?)', [('x' * 300,)] * 500)\n\
         c.execute('COMMIT')\n\
         rows = c.execute('SELECT * FROM t')\n\
         rows.fetchone()\n\
         print('READY', flush=True)\n\
         time.sleep(600)\n",
    )
}

/// Whether a process holds a lock on the pending byte (sqlite/src/os.h, `PENDING_BYTE`).
fn is_pending(pid: u32) -> bool {
    let table = std::fs::read_to_string("/proc/locks").unwrap();
    let own = format!(" {pid} ");
    let mut lines = table.lines().filter(|line| line.contains(&own));
    lines.any(|line| line.contains(" WRITE ") && line.contains(" 1073741824 "))
}

fn with_time(stage: &Stage, fixture: &Fixture, seconds: &str) -> Process {
    let pid = fixture.pid().to_string();
    stage.scan(&[&pid, "--json", "--for", seconds]).process()
}

fn by_path(stage: &Stage, database: &Path) -> Value {
    let scan = stage.scan(&["wal", database.to_str().unwrap(), "--json"]);
    let doc = scan.json();
    let found = doc["databases"][0]["findings"].as_array().unwrap().clone();
    let locked = |finding: &&Value| finding["code"] == "sqlite-write-locked";
    found.iter().find(locked).cloned().unwrap_or_default()
}

#[test]
fn who_reads_while_a_writer_waits_is_to_blame_and_both_reports_say_so() {
    let stage = Stage::new();
    let database = stage.make("state").join("state.db");
    let reader = reader(&database);
    let writer = python(
        &database,
        "print('READY', flush=True)\nc.execute('INSERT INTO t VALUES (1)')\n",
    );
    support::wait_until("the writer does not wait", || is_pending(writer.pid()));
    let found = |finding: &Value| {
        let evidence = &finding["evidence"];
        assert_eq!(evidence["pid"], reader.pid(), "{finding}");
        assert_eq!(evidence["waiting_pid"], writer.pid(), "{finding}");
        assert!(evidence["held_ms"].as_u64() >= Some(100), "{finding}");
    };
    for fixture in [&reader, &writer] {
        let process = stage.look(fixture);
        let finding = process.finding("sqlite-write-locked", "info");
        found(finding);
        let message = finding["message"].as_str().unwrap();
        let this = format!("process {} (", fixture.pid());
        let (_, rest) = message.split_once(&this).unwrap();
        assert!(rest.contains("), this one,"), "{message}");
        let process = with_time(&stage, fixture, "1.5");
        found(process.finding("sqlite-write-locked", "warning"));
    }
    found(&by_path(&stage, &database));
    // Without a writer nobody waits.
    drop(writer);
    stage.look(&reader).must_not_raise("sqlite-write-locked");
}

#[test]
fn who_would_wait_for_a_transaction_is_told_so_in_its_own_report() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let holder = stage.mkfds_in(&dir, &["sqlite-locked", "--lock", "reserved"]);
    let other = python(
        &holder.path("database"),
        "print('READY', flush=True)\ntime.sleep(600)\n",
    );
    let process = stage.look(&other);
    let finding = process.finding("sqlite-write-locked", "info");
    assert_eq!(finding["evidence"]["pid"], holder.pid());
    let says = format!(
        "If process {} writes to it now, it waits for process {}.",
        other.pid(),
        holder.pid()
    );
    assert!(
        finding["message"].as_str().unwrap().contains(&says),
        "{finding}"
    );
}

/// Asks for a row, and says when it was refused.
const REFUSED: &str = "c.execute('PRAGMA busy_timeout = 0')\n\
    try: c.execute('SELECT count(*) FROM sqlite_master').fetchall()\n\
    except sqlite3.OperationalError as e: print('said=' + str(e))\n\
    print('READY', flush=True)\n\
    time.sleep(600)\n";

#[test]
fn a_database_that_one_process_keeps_for_itself_is_a_warning_where_another_one_is_refused() {
    // Before the first access: no -shm. After: with one. In rollback mode the lock outlasts the transaction.
    for (mode, begin) in [
        (
            "before",
            "PRAGMA locking_mode = exclusive; PRAGMA journal_mode = wal;",
        ),
        (
            "after",
            "PRAGMA journal_mode = wal; PRAGMA user_version = 1; PRAGMA locking_mode = exclusive;",
        ),
        ("rollback", "PRAGMA locking_mode = exclusive;"),
    ] {
        let stage = Stage::new();
        let database = stage.make("state").join("state.db");
        let script = format!(
            "c.executescript('{begin} CREATE TABLE t (x); INSERT INTO t VALUES (1);')\n\
             print('READY', flush=True)\n\
             time.sleep(600)\n"
        );
        let holder = python(&database, &script);
        let alone = stage.look(&holder);
        assert_eq!(
            alone.raises("sqlite-write-locked"),
            mode != "rollback",
            "{mode}"
        );
        if mode != "rollback" {
            alone.finding("sqlite-write-locked", "info");
        }
        let other = python(&database, REFUSED);
        assert_eq!(other.fact("said"), "database is locked");
        for fixture in [&holder, &other] {
            let process = with_time(&stage, fixture, "1.2");
            let finding = process.finding("sqlite-write-locked", "warning");
            assert_eq!(finding["evidence"]["pid"], holder.pid(), "{mode}");
            let message = finding["message"].as_str().unwrap();
            assert!(message.contains("for itself alone"), "{message}");
        }
        assert_eq!(
            by_path(&stage, &database)["evidence"]["pid"],
            holder.pid(),
            "{mode}"
        );
    }
}
