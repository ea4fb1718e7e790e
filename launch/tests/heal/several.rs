//! Several processes at once, and the answer as data.

use super::stage::{Run, directory, masks, mkfds, watchfix};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use support::Victim;

fn run(args: &[&str]) -> Run {
    Run::of(watchfix().arg("heal").args(args).output().unwrap())
}

fn document(run: &Run) -> Value {
    let doc =
        serde_json::from_str(&run.out).unwrap_or_else(|e| panic!("{e}: {}{}", run.out, run.err));
    let wrong = violations(&doc);
    assert!(wrong.is_empty(), "{wrong:?} in {doc}");
    doc
}

/// What is not as the schema `watchfix-heal/1` has it: keys, and the kinds of their values.
fn violations(doc: &Value) -> Vec<String> {
    const CHANGE: &[(&str, &str)] = &[
        ("fd", "number"),
        ("wd", "number"),
        ("path", "text?"),
        ("before", "mask"),
        ("after", "mask"),
        ("rule", "text"),
        ("hears_nothing", "truth"),
    ];
    const REST: &[(&str, &str)] = &[
        ("wd", "number"),
        ("place", "text"),
        ("mask", "mask"),
        ("why", "text"),
    ];
    const PROCESS: &[(&str, &str)] = &[
        ("pid", "number"),
        ("comm", "text?"),
        ("status", "number"),
        ("error", "text?"),
        ("watches", "number?"),
        ("as_asked", "number?"),
        ("seconds", "number?"),
        ("changes", "list"),
        ("not_changed", "list"),
        ("found_later", "list"),
        ("vanished", "number"),
        ("unjudged", "number"),
        ("changed_since", "number"),
        ("restart", "text?"),
        ("threads_left", "list"),
        ("still_woken", "list"),
    ];
    const DOCUMENT: &[(&str, &str)] = &[
        ("schema", "text"),
        ("watchfix_version", "text"),
        ("action", "text"),
        ("processes", "list"),
        ("errors", "list"),
        ("notes", "list"),
    ];
    let mut wrong = Vec::new();
    let mut check = |value: &Value, keys: &[(&str, &str)]| {
        let object = value.as_object().cloned().unwrap_or_default();
        for (key, kind) in keys {
            let found = object.get(*key);
            let fits = found.is_some_and(|found| match kind.trim_end_matches('?') {
                _ if found.is_null() => kind.ends_with('?'),
                "number" => found.as_f64().is_some_and(|n| n >= 0.0),
                "text" => found.is_string(),
                "truth" => found.is_boolean(),
                "mask" => found.as_str().is_some_and(|mask| mask.starts_with("0x")),
                _ => found.is_array(),
            });
            if !fits {
                wrong.push(format!("{key}: {found:?}"));
            }
        }
        for key in object
            .keys()
            .filter(|key| !keys.iter().any(|(known, _)| known == key))
        {
            wrong.push(format!("{key} is not in the schema"));
        }
    };
    check(doc, DOCUMENT);
    for error in doc["errors"].as_array().unwrap() {
        check(error, &[("pid", "number?"), ("why", "text")]);
    }
    for process in doc["processes"].as_array().unwrap() {
        check(process, PROCESS);
        for change in process["changes"].as_array().unwrap() {
            check(change, CHANGE);
        }
        for key in ["not_changed", "found_later"] {
            process[key]
                .as_array()
                .unwrap()
                .iter()
                .for_each(|rest| check(rest, REST));
        }
    }
    wrong
}

fn watcher(count: &str) -> (tempfile::TempDir, Victim) {
    let (dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", count, "--mask", "0x3ee"]);
    (dir, victim)
}

/// No process has this PID: PID_MAX_LIMIT is 2^22, and PIDs stay below it.
const NOBODY: &str = "4194304";

#[test]
fn several_processes_are_healed_each_with_its_own_report() {
    let pair = [watcher("3"), watcher("4")];
    let pids = pair.each_ref().map(|(_, victim)| victim.pid());
    let [a, b] = pids.map(|pid| pid.to_string());
    let said = run(&["--dry-run", &format!("{a},{b}")]).good();
    assert_eq!(said.matches("would heal ").count(), 2, "{said}");
    let said = run(&[&a, &b]).good();
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with(&format!(
            "mkfds (PID {a}): healed 3 of 3 watches, 0x3ee -> 0x3ce, in "
        )),
        "{said}"
    );
    assert!(
        lines[1].starts_with(&format!(
            "mkfds (PID {b}): healed 4 of 4 watches, 0x3ee -> 0x3ce, in "
        )),
        "{said}"
    );
    let back = format!("{a},{b}");
    assert_eq!(
        lines[2],
        format!("to undo: watchfix heal --undo {back}; to heal later watches too: --follow")
    );
    let again = run(&[&a, &b]).good();
    assert!(!again.contains("--undo"), "{again}");
    for undo in [&["--undo", &back][..], &["--undo", &a, "-p", &b]] {
        let said = run(undo).good();
        assert_eq!(said.matches(": restored ").count(), 2, "{said}");
        for (pid, count) in pids.into_iter().zip([3, 4]) {
            assert_eq!(masks(pid), BTreeMap::from([(0x3ee, count)]));
        }
        run(&[&a, &b]).good();
    }
}

#[test]
fn the_exit_status_tells_the_worst_and_the_others_are_healed() {
    let (_dir, victim) = watcher("2");
    let (pid, none) = (victim.pid().to_string(), NOBODY);
    let healed = run(&[none, &pid]);
    assert_eq!(healed.code, 3);
    assert_eq!(
        healed.err,
        format!("watchfix: there is no process {none}\n")
    );
    assert!(
        healed.out.contains("healed 2 of 2 watches"),
        "{}",
        healed.out
    );
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ce, 2)]));
    let named = run(&[&pid, "no-such-process-here"]);
    assert_eq!(named.code, 3);
    assert_eq!(
        named.err,
        "watchfix: no process is called 'no-such-process-here'\n"
    );
    // It has no record any more: 1, and of two processes the higher one counts.
    run(&["--undo", &pid]).good();
    assert_eq!(run(&["--undo", &pid]).code, 1);
    assert_eq!(run(&["--undo", &pid, none]).code, 3);
}

#[test]
fn the_answer_as_data_says_what_the_text_says() {
    let (_dir, victim) = watcher("3");
    let pid = victim.pid().to_string();
    let plan = document(&run(&["--json", "--dry-run", &pid]));
    assert_eq!(plan["action"], "dry-run");
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ee, 3)]));
    let healed = run(&["--json", &pid, NOBODY]);
    assert_eq!(healed.code, 3);
    let doc = document(&healed);
    assert_eq!(
        (&doc["schema"], &doc["action"]),
        (&json!("watchfix-heal/1"), &json!("heal"))
    );
    let process = &doc["processes"][0];
    for (key, value) in [
        ("pid", json!(victim.pid())),
        ("comm", json!("mkfds")),
        ("status", json!(0)),
        ("error", Value::Null),
        ("watches", json!(3)),
        ("as_asked", json!(3)),
        ("not_changed", json!([])),
    ] {
        assert_eq!(process[key], value, "{key}");
    }
    // What was planned is what was done.
    assert_eq!(process["changes"], plan["processes"][0]["changes"]);
    assert_eq!(process["changes"].as_array().unwrap().len(), 3);
    let change = &process["changes"][0];
    assert_eq!(
        (&change["before"], &change["after"], &change["rule"]),
        (&json!("0x3ee"), &json!("0x3ce"), &json!("strip"))
    );
    assert!(
        change["path"]
            .as_str()
            .is_some_and(|path| path.starts_with('/')),
        "{change}"
    );
    let gone = &doc["processes"][1];
    assert_eq!(
        (&gone["status"], &gone["error"]),
        (&json!(3), &json!(format!("there is no process {NOBODY}")))
    );
    assert_eq!(gone["watches"], Value::Null);

    let undone = document(&run(&["--json", "--undo", &pid]));
    let process = &undone["processes"][0];
    assert_eq!(
        (&process["as_asked"], &process["changes"][0]["rule"]),
        (&json!(3), &json!("undo"))
    );
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ee, 3)]));
}

#[test]
fn data_of_names_and_of_rules_that_are_off() {
    let doc = document(&run(&["--json", "no-such-process-here"]));
    assert_eq!(doc["processes"], json!([]));
    assert_eq!(
        doc["errors"][0]["why"],
        "no process is called 'no-such-process-here'"
    );
    let (_dir, victim) = watcher("1");
    let mut off = watchfix();
    off.args(["heal", "--json", &victim.pid().to_string()])
        .env("WATCHFIX_OFF", "1");
    let run = Run::of(off.output().unwrap());
    assert_eq!(
        document(&run)["notes"],
        json!(["WATCHFIX_OFF=1 is set: nothing is changed"])
    );
    assert_eq!(masks(victim.pid()), BTreeMap::from([(0x3ee, 1)]));
}

#[test]
fn who_listens_on_a_port_is_healed_and_named() {
    let (_dir, path) = directory();
    let script = "import ctypes, socket, sys; l = ctypes.CDLL(None); f = l.inotify_init1(0); \
                  l.inotify_add_watch(f, sys.argv[1].encode(), 0x3ee); s = socket.socket(); s.bind(('127.0.0.1', 0)); \
                  s.listen(); print('port=%d' % s.getsockname()[1]); print('READY', flush=True); sys.stdin.read()";
    let mut victim = Victim::spawn(
        Command::new("/usr/bin/python3")
            .args(["-c", script])
            .arg(&path),
    );
    let lines = victim.lines_until("READY", |line| line == "READY");
    let port = lines[0].strip_prefix("port=").unwrap();
    let run = run(&[&format!(":{port}")]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.out.starts_with("healed 1 of 1 watch, 0x3ee -> 0x3ce"),
        "{}",
        run.out
    );
    let said = format!(
        "watchfix: port {port} is listened on (tcp 127.0.0.1) by python3 (PID {})\n",
        victim.pid()
    );
    assert_eq!(run.err, said);
}

#[test]
fn only_one_process_can_be_followed_and_following_has_no_document() {
    let pair = [watcher("1"), watcher("1")];
    let [a, b] = pair.each_ref().map(|(_, victim)| victim.pid().to_string());
    let run1 = run(&["--follow", &a, &b]);
    assert_eq!(run1.code, 2);
    assert_eq!(
        run1.err,
        format!("watchfix: --follow takes one process, and these are 2: {a}, {b}\n")
    );
    assert_eq!(run(&["--follow", "--json", &a]).code, 2);
    assert_eq!(masks(pair[0].1.pid()), BTreeMap::from([(0x3ee, 1)]));
}
