//! `fdscan`: what it says of a process against what was made.

use crate::machine::Machine;
use crate::tree::{DIRECTORIES, Tree};
use crate::watcher::{KINDS, Kind, Watcher};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Watches for MODIFY and CREATE: looking for their paths wakes nobody.
const QUIET: &str = "0x102";

/// What programs ask for that read each other's events, as in incident 1.
const LOUD: &str = "0x3ee";

fn process(machine: &Machine, watcher: &Watcher) -> Value {
    let pid = watcher.pid().to_string();
    // In emulation a second is short.
    let mut answer = machine
        .fdscan(&["--json", "--path-timeout", "30", &pid])
        .json(0);
    answer["processes"][0].take()
}

/// Each path that is given is one that is watched; all are given where looking wakes nobody.
pub fn paths(machine: &Machine) {
    let tree = Tree::new();
    let mut watched = tree.directories();
    watched.push(tree.config());
    for kind in KINDS {
        for mask in [QUIET, LOUD] {
            let watcher = Watcher::new(machine, kind, mask, &watched);
            let seen = process(machine, &watcher);
            let linkage = if kind == Kind::Dynamic {
                "dynamic"
            } else {
                "static"
            };
            assert_eq!(seen["linkage"], linkage, "{kind:?}");
            assert_eq!(seen["fds"]["by_type"]["inotify"], 1, "{}", seen["fds"]);
            let instance = &seen["inotify"][0];
            assert_eq!(instance["watch_count"], watched.len());
            let mut found = 0;
            for watch in instance["watches"].as_array().unwrap() {
                assert_eq!(watch["mask"], mask);
                let of = &watcher.paths[&watch["wd"].as_u64().unwrap()];
                if let Some(path) = watch["path"].as_str() {
                    assert_eq!(path, of.to_str().unwrap(), "a wrong path: {watch}");
                    found += 1;
                }
            }
            if mask == QUIET && !unproved(machine, &tree) {
                assert_eq!(found, watched.len(), "{}", seen["incomplete"]);
            }
            let codes: Vec<_> = seen["findings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| &f["code"])
                .collect();
            let on_read = codes.iter().any(|code| *code == "watch-wakes-on-read");
            assert_eq!(on_read, mask == LOUD, "{codes:?}");
        }
    }
}

/// Whether the kernel has nothing that tells the tree's files apart: on an overlay of two file systems, before Linux 6.6.
pub fn unproved(machine: &Machine, tree: &Tree) -> bool {
    let mut stat = Command::new("stat");
    let stat = stat
        .args(["-f", "-c", "%T"])
        .arg(tree.top())
        .output()
        .unwrap();
    String::from_utf8_lossy(&stat.stdout).trim() == "overlayfs" && !machine.since((6, 6))
}

/// What else reads the process: it is listed, held to limits, reported and exported.
pub fn others(machine: &Machine) {
    let tree = Tree::new();
    let watcher = Watcher::new(machine, Kind::Static, LOUD, &tree.directories());
    let pid = watcher.pid().to_string();
    let top = machine.fdscan(&["top", "--json"]).json(0);
    let listed = top["processes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["pid"] == watcher.pid());
    let listed = listed.unwrap_or_else(|| panic!("top does not list it: {top}"));
    assert_eq!(listed["watches"], DIRECTORIES, "{listed}");
    machine
        .fdscan(&["check", "--max-watches", "100", &pid, "--fail-on", "never"])
        .with(0);
    machine
        .fdscan(&["check", "--max-watches", "40", &pid])
        .with(1);
    let report = machine.fdscan(&["report", "--redact", &pid]).with(0);
    let paths = report.contains("hears-static") || report.contains(tree.top().to_str().unwrap());
    assert!(
        report.contains("41 watches with mask 0x3ee") && !paths,
        "{report}"
    );
    let metrics = machine.fdscan(&["export", &pid]).with(0);
    let line = metrics
        .lines()
        .find(|line| line.starts_with(&format!("fdscan_process_inotify_watches{{pid=\"{pid}\"")));
    assert!(
        line.is_some_and(|line| line.ends_with(&format!("}} {DIRECTORIES}"))),
        "{line:?}"
    );
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
}

/// Reads are heard, and with the rights for it, whose they are.
pub fn events(machine: &Machine) {
    let tree = Tree::new();
    let watcher = Watcher::new(machine, Kind::Static, LOUD, &[tree.top().to_owned()]);
    let ended = AtomicBool::new(false);
    let heard = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Relaxed) {
                let _ = std::fs::read(tree.config());
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        let pid = watcher.pid().to_string();
        let heard = machine.fdscan(&["events", "--json", "--for", "3", &pid]);
        ended.store(true, Relaxed);
        heard.json(0)
    });
    if unproved(machine, &tree) {
        // None can be listened to, and that is what it says.
        let conclusion = heard["conclusion"]["message"].as_str().unwrap();
        return assert!(
            conclusion.starts_with("Cannot tell what wakes it"),
            "{heard}"
        );
    }
    let opens = heard["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["event"] == "open");
    assert!(
        opens.is_some_and(|opens| opens["count"].as_u64() > Some(0)),
        "{heard}"
    );
    if machine.sees_causes() {
        let own = |cause: &Value| {
            cause["pids"]
                .as_array()
                .unwrap()
                .iter()
                .any(|pid| *pid == std::process::id())
        };
        assert!(
            heard["causes"].as_array().unwrap().iter().any(own),
            "{heard}"
        );
    }
}

/// A database in WAL mode that a program has open, with a reader that keeps its log.
pub fn wal(machine: &Machine) {
    let tree = Tree::new();
    let database = tree.path("state.sqlite");
    let mut sqlite = Command::new("sqlite3");
    let mut sqlite = sqlite
        .arg(&database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = sqlite.stdin.take().unwrap();
    let rows = "insert into t values (zeroblob(3000));\n".repeat(20);
    writeln!(
        input,
        "pragma journal_mode=wal;\ncreate table t (x);\n{rows}select 'written';"
    )
    .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(sqlite.stdout.take().unwrap()));
    while lines.next().expect("sqlite3 answers").unwrap() != "written" {}
    let path = database.to_str().unwrap();
    let seen = machine.fdscan(&["wal", "--json", path]).json(0);
    let seen = seen.to_string();
    let text = machine.fdscan(&["wal", "--tables", path]).with(0);
    let process = machine
        .fdscan(&["--json", &sqlite.id().to_string()])
        .json(0);
    drop(input);
    assert!(sqlite.wait().unwrap().success());
    assert!(seen.contains("\"frames\":"), "{seen}");
    assert!(text.contains("sqlite3"), "{text}");
    let of = &process["processes"][0]["sqlite"][0];
    assert_eq!(of["database"], path);
    assert!(of["wal"]["frames"].as_u64() > Some(20), "{of}");
}
