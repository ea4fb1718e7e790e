//! Locks that outlast their transaction: who keeps a database for itself, as browsers do, is not "locked".

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::Victim;

use crate::common::{Process, Stage, violations};
use crate::sqlite_locks::sqlite3;

const CODE: &str = "sqlite-write-locked";

/// Debian's sqlite3 that has done `sql` on a new database.
fn keeps(stage: &Stage, name: &str, vfs: &str, sql: &str) -> (Victim, PathBuf) {
    let database = stage.make(name).join("state.db");
    let uri = format!("file:{}{vfs}", database.display());
    let victim = sqlite3(Path::new(&uri), &format!("CREATE TABLE t (x); {sql}"));
    (victim, database)
}

fn look(stage: &Stage, holder: &Victim) -> Process {
    let pid = holder.pid().to_string();
    stage.scan(&[&pid, "--for", "1.2", "--json"]).process()
}

/// What is said of a database by its path.
fn by_path(stage: &Stage, database: &Path) -> Vec<Value> {
    let path = database.to_str().unwrap();
    let doc = stage.scan(&["wal", path, "--for", "1.2", "--json"]).json();
    assert_eq!(violations(&doc), Vec::<String>::new());
    let findings = doc["databases"][0]["findings"].as_array().unwrap();
    let locked = findings.iter().filter(|f| f["code"] == CODE);
    locked.cloned().collect()
}

#[test]
fn a_lock_that_is_kept_when_its_transaction_has_ended_is_not_a_transaction() {
    let stage = Stage::new();
    let insert = "INSERT INTO t VALUES (1);";
    for mode in ["delete", "truncate", "persist"] {
        let sql =
            format!("PRAGMA locking_mode = exclusive; PRAGMA journal_mode = {mode}; {insert}");
        let (holder, database) = keeps(&stage, mode, "", &sql);
        let process = look(&stage, &holder);
        let locks = &process.list("sqlite")[0]["rollback_locks"];
        assert_eq!(locks[0]["lock"], "exclusive", "{mode}: {locks}");
        process.must_not_raise(CODE);
        assert_eq!(by_path(&stage, &database), Vec::<Value>::new(), "{mode}");
    }
    let (holder, database) = keeps(&stage, "unix-excl", "?vfs=unix-excl", insert);
    let process = look(&stage, &holder);
    let locks = &process.list("sqlite")[0]["rollback_locks"];
    assert_eq!(locks[0]["lock"], "exclusive", "{locks}");
    process.must_not_raise(CODE);
    assert_eq!(by_path(&stage, &database), Vec::<Value>::new());
}

#[test]
fn a_transaction_that_lasts_is_a_note_as_long_as_nobody_else_has_the_database_open() {
    let stage = Stage::new();
    let sql = "PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE; INSERT INTO t VALUES (1);";
    let (holder, database) = keeps(&stage, "state", "", sql);
    look(&stage, &holder).finding(CODE, "info");

    // Who waits for it.
    let open = r#"exec 3<"$0"; echo OPEN; read end"#;
    let mut other = Victim::spawn(Command::new("sh").args(["-c", open]).arg(database));
    other.line_with("OPEN");
    let process = look(&stage, &holder);
    let finding = process.finding(CODE, "warning");
    assert_eq!(finding["evidence"]["pid"], holder.pid());
}

#[test]
fn transactions_that_come_one_after_the_other_are_not_one() {
    let stage = Stage::new();
    let sql = "PRAGMA locking_mode = exclusive; INSERT INTO t VALUES (0);";
    let (mut holder, _) = keeps(&stage, "many", "", sql);
    // Whenever it is looked at, it is in a transaction.
    let rounds =
        "BEGIN; INSERT INTO t VALUES (1); .system sleep 0.15\nCOMMIT;".replace("; .", ";\n.");
    for _ in 0..400 {
        holder.send(&rounds);
    }
    look(&stage, &holder).must_not_raise(CODE);
}
