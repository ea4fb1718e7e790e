//! A database with a rollback journal that was renamed while it was open: SQLite refuses to write to it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{Fixture, Process, Stage, json_path};

/// Opens the database its argument, or else its directory, names; `write` tries to write, and is answered.
const PROGRAM: &str = "import os, sqlite3, sys\n\
    name = sys.argv[1].split('=')[-1] if len(sys.argv) > 1 else 'state.db'\n\
    c = sqlite3.connect(name, isolation_level=None)\n\
    c.execute('CREATE TABLE IF NOT EXISTS t (x)')\n\
    c.execute('INSERT INTO t VALUES (1)')\n\
    print('READY', flush=True)\n\
    for line in sys.stdin:\n    \
        try: c.execute(line); print('done', flush=True)\n    \
        except sqlite3.OperationalError as e: print(e, flush=True)\n";

fn program(dir: &Path, arguments: &[&str]) -> Fixture {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", PROGRAM]).args(arguments);
    Fixture::start(python.current_dir(dir))
}

fn asked(fixture: &mut Fixture, sql: &str, answer: &str) {
    fixture.victim.send(sql);
    fixture.victim.line_with(answer);
}

const WRITE: &str = "INSERT INTO t VALUES (2)";
const REFUSED: &str = "attempt to write a readonly database";

fn renamed<'p>(process: &'p Process, from: &Path, to: &Path) -> &'p Value {
    let finding = process.finding("sqlite-renamed", "critical");
    let evidence = &finding["evidence"];
    assert_eq!(evidence["database"], json_path(from));
    assert_eq!(evidence["renamed_to"], json_path(to));
    finding
}

fn run(finding: &Value) {
    let remedy = finding["remedy"].as_str().unwrap();
    let ran = Command::new("sh").args(["-c", remedy]).status().unwrap();
    assert!(ran.success(), "{remedy}");
}

#[test]
fn a_database_named_on_the_command_line_is_missed_there_and_the_command_gives_its_name_back() {
    for (argument, to) in [
        ("state.db", "state.db.bak"),
        ("--db=./state.db", "old/state.db"),
    ] {
        let stage = Stage::new();
        let dir = stage.make("state");
        std::fs::create_dir(dir.join("old")).unwrap();
        let mut fixture = program(&dir, &[argument]);
        stage.look(&fixture).must_not_raise("sqlite-renamed");
        let (from, to) = (dir.join("state.db"), dir.join(to));
        std::fs::rename(&from, &to).unwrap();
        asked(&mut fixture, WRITE, REFUSED);
        run(renamed(&stage.look(&fixture), &from, &to));
        asked(&mut fixture, WRITE, "done");
        stage.look(&fixture).must_not_raise("sqlite-renamed");
    }
}

#[test]
fn a_directory_that_was_renamed_takes_its_database_along() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let (from, to) = (dir.join("data"), dir.join("moved"));
    std::fs::create_dir(&from).unwrap();
    let database = from.join("state.db");
    let mut fixture = program(&dir, &[database.to_str().unwrap()]);
    // The clock of files goes on meanwhile.
    stage.look(&fixture).must_not_raise("sqlite-renamed");
    std::fs::rename(&from, &to).unwrap();
    asked(&mut fixture, WRITE, REFUSED);
    renamed(&stage.look(&fixture), &database, &to.join("state.db"));
}

#[test]
fn the_journal_of_a_transaction_has_the_old_name_though_nothing_else_has() {
    for taken in [false, true] {
        let stage = Stage::new();
        let dir = stage.make("state");
        let mut fixture = program(&dir, &[]);
        asked(&mut fixture, "BEGIN", "done");
        asked(&mut fixture, WRITE, "done");
        let (from, to) = (dir.join("state.db"), dir.join("elsewhere"));
        std::fs::rename(&from, &to).unwrap();
        if taken {
            std::fs::write(&from, "another one").unwrap();
        }
        let process = stage.look(&fixture);
        let finding = renamed(&process, &from, &to);
        assert_eq!(finding["evidence"]["name_is_taken"], taken);
        let message = finding["message"].as_str().unwrap();
        assert!(
            message.contains("state.db-journal, which is needed to undo"),
            "{message}"
        );
        assert_eq!(finding["remedy"].is_null(), taken);
    }
}

#[test]
fn a_copy_beside_a_name_that_is_gone_was_not_renamed() {
    let stage = Stage::new();
    let dir = stage.make("state");
    // Made by this very process, as a tool does that moves what it is given away first.
    let fixture = program(&dir, &["state.db.bak", "state.db"]);
    stage.look(&fixture).must_not_raise("sqlite-renamed");
    drop(fixture);
    // It had that name before the process was there.
    let script = PROGRAM.replace(
        "c = sqlite3.connect(name",
        "c = sqlite3.connect(name + '.bak'",
    );
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", &script, "state.db"]).current_dir(&dir);
    let fixture = Fixture::start(&mut python);
    stage.look(&fixture).must_not_raise("sqlite-renamed");
}
