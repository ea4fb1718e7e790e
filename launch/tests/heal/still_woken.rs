//! A program that logs into a database in a directory that it watches: what heal ends, and its message where it does not.

use super::remedies::{fdscan, report, started};
use super::stage::{directory, heal, masks, ready};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use support::Victim;

/// Logs the events it reads into NAME, with journal mode MODE. It says `rest` whenever nothing is left to be read, so
/// never again once a row it writes is the reason for the next.
const LOGS: &str = r#"
import ctypes, os, select, sqlite3, struct, sys
name, mode, mask = sys.argv[1:]
libc = ctypes.CDLL(None)
db = sqlite3.connect(name, isolation_level=None)
db.execute("pragma journal_mode = " + mode)
db.execute("pragma synchronous = off")
db.execute("create table if not exists log (mask)")
db.execute("insert into log values (0)")
fd = libc.inotify_init1(os.O_NONBLOCK)
wd = libc.inotify_add_watch(fd, b".", int(mask, 16))
print("READY", flush=True)
while True:
    select.select([fd], [], [])
    try: text = os.read(fd, 65536)
    except BlockingIOError: continue
    while text:
        of, bits, _, length = struct.unpack("iIII", text[:16])
        # A record without a watch is none: what the library removed may leave one.
        if of == wd: db.execute("insert into log values (?)", (bits,))
        text = text[16 + length:]
    if not select.select([fd], [], [], 0)[0]: print("rest", flush=True)
"#;

fn logs(dir: &Path, name: &str, mode: &str, mask: &str) -> Victim {
    // It is there already: its directory does not change with it.
    edit(dir);
    let mut python = Command::new("/usr/bin/python3");
    let python = python.args(["-c", LOGS, name, mode, mask]);
    let victim = ready(python.current_dir(dir));
    edit(dir);
    victim
}

fn edit(dir: &Path) {
    std::fs::write(dir.join("edited.txt"), "x").unwrap();
}

/// What `fdscan events` concludes of a loop.
fn concluded(pid: u32) -> Value {
    let pid = pid.to_string();
    let mut command = Command::new(fdscan());
    let run = command.args(["events", &pid, "--for", "3", "--json"]);
    let output = run.env_remove("SUDO_UID").output().unwrap();
    let mut doc: Value = serde_json::from_slice(&output.stdout).unwrap();
    doc["conclusion"].take()
}

#[test]
fn a_loop_through_a_log_ends_and_is_not_told_as_one_that_goes_on() {
    for mode in ["wal", "memory"] {
        // With the second mask the database is known only once reads raise no events any more.
        for mask in ["3ce", "fee"] {
            let (_dir, path) = directory();
            let mut victim = logs(&path, "logs.db", mode, mask);
            let changed = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
            let database = path.join("logs.db");
            // What came when it was made is past.
            support::wait_until("the loop does not begin", || {
                mode == "wal" || changed(&database) > changed(&path)
            });
            let said = heal(victim.pid(), &[]).good();
            assert!(said.contains("settled "), "{mode} {mask}: {said}");
            victim.line_with("rest");
            assert!(!said.contains("still woken"), "{mode} {mask}: {said}");
        }
    }
}

#[test]
fn a_loop_through_a_rollback_journal_is_said_to_go_on_with_the_start_that_ends_it() {
    for (mode, name, mask, ignored) in [
        ("delete", "logs.db", "3ce", "+logs.db"),
        ("truncate", "logs.db", "3ce", "+logs.db"),
        ("persist", "logs.db", "3ee", "+logs.db"),
        ("delete", "log", "fee", "+log:log-journal"),
    ] {
        let (_dir, path) = directory();
        let victim = logs(&path, name, mode, mask);
        let pid = victim.pid();
        let said = heal(pid, &[]).good();
        assert!(said.starts_with("healed 1 of 1 watch"), "{said}");
        let line = format!(
            "still woken: {name} is in rollback mode: at each commit {name}-journal is created"
        );
        assert!(said.contains(&line), "{said}");
        let mut lines = said
            .lines()
            .skip_while(|line| !line.starts_with("still woken"));
        let command = lines.nth(1).unwrap().trim_start().to_owned();
        assert!(
            command.contains(&format!("WATCHFIX_IGNORE={ignored} ")),
            "{command}"
        );
        let settled = masks(pid);

        // Again: nothing is left to be done, and heal says so.
        let again = heal(pid, &["--json"]).good();
        let doc: Value = serde_json::from_str(&again).unwrap();
        let process = &doc["processes"][0];
        assert_eq!(process["changes"], serde_json::json!([]));
        assert_eq!(process["still_woken"][0]["next_start"], command);
        let found = report(pid)["findings"].take();
        let mut found = found.as_array().unwrap().iter();
        let found = found.find(|f| f["code"] == "sqlite-self-watch").unwrap();
        assert_eq!(found["severity"], "warning");
        assert_eq!(
            (&found["remedy"], &found["remedy_live"]),
            (&Value::from(&command[..]), &Value::Null)
        );
        let concluded = concluded(pid);
        let message = concluded["message"].as_str().unwrap();
        assert!(
            message.contains("only another start ends a loop of that"),
            "{message}"
        );
        assert_eq!(concluded["remedy_live"], Value::Null, "{message}");
        assert_eq!(concluded["remedy"], command, "{message}");
        assert_eq!(masks(pid), settled);

        drop(victim);
        let mut again = started(&command);
        edit(&path);
        again.line_with("rest");
    }
}

#[test]
fn an_idle_watch_without_writes_of_its_own_is_told_nothing() {
    let (_dir, path) = directory();
    let other = path.join("elsewhere");
    std::fs::create_dir(&other).unwrap();
    let victim = logs(&path, "elsewhere/logs.db", "delete", "3ce");
    let said = heal(victim.pid(), &[]).good();
    assert!(!said.contains("still woken"), "{said}");
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ce, 1)]));
}

/// Whether a start can ignore names is a question of how a static program reads.
#[test]
fn a_static_program_is_told_the_start_that_ends_it_where_its_reads_do_not_wait() {
    let (build, _) = directory();
    let source = support::root().join("launch/tests/c/journal.c");
    let program = support::compile_c("cc", &source, build.path(), &["-static"]).unwrap();
    for (name, added) in [("logs.db", "--ignore +logs.db "), ("logs.sqlite", "")] {
        for (flags, helps) in [("800", true), ("0", false)] {
            let (_dir, path) = directory();
            edit(&path);
            let made =
                format!("import sqlite3; sqlite3.connect('{name}').execute('create table a (b)')");
            let mut python = Command::new("/usr/bin/python3");
            let python = python.args(["-c", &made]).current_dir(&path);
            assert!(python.status().unwrap().success());
            let mut command = Command::new(&program);
            let victim = ready(command.args([name, flags]).current_dir(&path));
            edit(&path);
            let said = heal(victim.pid(), &[]).good();
            let line = format!("still woken: {name} is in rollback mode: ");
            assert!(said.contains(&line), "{said}");
            let command = said.lines().find(|line| line.contains(" run "));
            let concluded = concluded(victim.pid());
            let message = concluded["message"].as_str().unwrap();
            if !helps {
                let ends = "only a database in WAL mode, or elsewhere, ends ";
                assert!(command.is_none() && said.contains(ends), "{said}");
                assert!(message.contains(ends), "{message}");
                assert_eq!(concluded["remedy"], Value::Null, "{message}");
                continue;
            }
            let command = command.unwrap().trim_start();
            assert!(command.contains(&format!(" run {added}-- ")), "{command}");
            assert!(message.contains("only another start ends "), "{message}");
            assert_eq!(concluded["remedy"], command, "{message}");
            drop(victim);
            let mut again = started(command);
            edit(&path);
            again.line_with("rest");
        }
    }
}
