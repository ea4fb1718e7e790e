//! `fdscan check`: a gate that opens and closes for the right reason, around processes and commands.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Scan, Stage, fdscan, pid_exists, violations, while_reading};
use support::Victim;

fn check(args: &[&str]) -> Scan {
    Scan::run(fdscan().arg("check").args(args))
}

fn rule<'a>(doc: &'a Value, name: &str) -> &'a Value {
    let rules = doc["rules"].as_array().unwrap();
    let found = rules.iter().find(|rule| rule["rule"] == name);
    found.unwrap_or_else(|| panic!("no rule {name} in {doc:#}"))
}

#[test]
fn a_process_within_its_limits_passes_and_one_above_is_named() {
    let stage = Stage::new();
    let dir = stage.make("watched");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "50", "--mask", "0x3ca"]);
    let pid = fixture.pid().to_string();
    let within = [
        "--max-fds",
        "100",
        "--max-watches",
        "50",
        "--deny-event",
        "open",
        &pid,
    ];
    let scan = check(&within);
    assert_eq!(scan.code(), 0, "{}", scan.text());
    assert_eq!(
        scan.text()
            .lines()
            .filter(|line| line.starts_with("ok "))
            .count(),
        4
    );
    let scan = check(&["--max-watches", "49", "--json", &pid]);
    assert_eq!(scan.code(), 1);
    let doc = scan.json();
    let broken = rule(&doc, "max-watches");
    assert_eq!(
        (&broken["measured"], &broken["process"]["pid"]),
        (&50.into(), &fixture.pid().into())
    );
    assert_eq!(doc["command"], Value::Null);
}

#[test]
fn every_rule_is_broken_by_the_process_it_is_about() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let many = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "9"]);
    let large = stage.make("large");
    let large = stage.mkfds_in(&large, &["wal-large", "--megabytes", "5"]);
    let read = stage.make("reads");
    let reads = stage.mkfds_in(&read, &["watches", "--count", "3", "--mask", "0x22"]);
    let pids = [&many, &large, &reads].map(|fixture| fixture.pid().to_string());
    let limits = [
        "--json",
        "--max-fds",
        "8",
        "--max-watches",
        "2",
        "--max-wal",
        "1MiB",
        "--max-connections",
        "8",
        "--deny-event",
        "access",
        "--deny-event",
        "open",
    ];
    let args: Vec<&str> = limits
        .into_iter()
        .chain(pids.iter().map(String::as_str))
        .collect();
    let scan = while_reading(&read.join("d000001"), || check(&args));
    assert_eq!(scan.code(), 1);
    let doc = scan.json();
    for (name, measured, pid) in [
        ("max-watches", 3, reads.pid()),
        ("max-connections", 9, many.pid()),
        ("deny-event", 3, reads.pid()),
    ] {
        let rule = rule(&doc, name);
        assert_eq!(rule["measured"], measured, "{rule}");
        assert_eq!(rule["process"]["pid"], pid, "{rule}");
    }
    let wal = rule(&doc, "max-wal");
    assert!(wal["measured"].as_u64().unwrap() >= 5 << 20, "{wal}");
    assert_eq!(wal["process"]["pid"], large.pid());
    assert!(wal["path"].as_str().unwrap().contains("/large/"), "{wal}");
    // By default a warning breaks the check.
    let found = rule(&doc, "fail-on");
    assert_eq!(
        (&found["severity"], &found["passed"]),
        (&"warning".into(), &false.into())
    );
    let code = &doc["findings"][0]["code"];
    assert!(!code.is_null(), "{doc:#}");
}

#[test]
fn a_finding_breaks_the_check_from_its_severity_on() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "1", "--mask", "0x22"]);
    let pid = fixture.pid().to_string();
    for (severity, idle, woken) in [
        ("info", 1, 1),
        ("warning", 0, 1),
        ("critical", 0, 0),
        ("never", 0, 0),
    ] {
        let status = || check(&["--fail-on", severity, &pid]).code();
        assert_eq!(status(), idle, "{severity}");
        let status = while_reading(&dir.join("d000000"), status);
        assert_eq!(status, woken, "{severity}");
    }
}

#[test]
fn what_cannot_be_looked_at_does_not_pass() {
    let scan = check(&["--max-fds", "9", "4194303"]);
    assert_eq!(
        (scan.code(), scan.stderr.as_str()),
        (3, "fdscan: there is no process 4194303\n")
    );
    let stage = Stage::unprivileged(60_241);
    // Of PID 1 another user may see the number of descriptors and no more.
    if crate::common::is_root() {
        let scan = stage.scan_as_user(&["check", "--max-watches", "9", "1"]);
        assert_eq!(scan.code(), 4, "{}{}", scan.text(), scan.stderr);
    }
}

#[test]
fn a_command_keeps_its_status_when_nothing_is_broken() {
    for (script, status) in [
        ("exit 0", 0),
        ("exit 3", 3),
        ("kill -9 $$", 137),
        ("kill -15 $$", 143),
    ] {
        let scan = check(&["--fail-on", "never", "--", "sh", "-c", script]);
        assert_eq!(scan.code(), status, "{script}: {}", scan.stderr);
    }
    assert_eq!(check(&["/nonexistent/tool"]).code(), 127);
    assert_eq!(check(&["--", "/nonexistent/tool"]).code(), 127);
    assert_eq!(check(&["--", "/etc/passwd"]).code(), 126);
}

#[test]
fn a_command_needs_no_dashes_and_a_number_is_not_a_command() {
    let scan = check(&[
        "--fail-on",
        "never",
        "--json",
        "printf",
        "%s.",
        "--json",
        "-p",
        "--",
        "12",
    ]);
    assert_eq!((scan.code(), scan.stderr.as_str()), (0, "--json.-p.--.12."));
    assert_eq!(scan.json()["command"]["exit_status"], 0);
    let own = std::process::id().to_string();
    // Options may stand behind a PID, which is not a command.
    let scan = check(&[
        &own,
        "--fail-on",
        "never",
        "--max-watches",
        "1000000",
        "--json",
    ]);
    assert_eq!(
        scan.json()["processes"][0]["pid"],
        std::process::id(),
        "{}",
        scan.stderr
    );
    assert_eq!(check(&["-p", &own, "true"]).code(), 2);
}

#[test]
fn a_command_s_output_is_its_own_and_the_document_is_alone() {
    let scan = check(&["--", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!(scan.text(), "out\n");
    assert!(scan.stderr.starts_with("err\n"), "{}", scan.stderr);
    // It may have ended before it could be looked at: that is said, and breaks nothing.
    assert!(
        scan.stderr.contains("  fail-on warning:"),
        "{}",
        scan.stderr
    );
    let scan = check(&["--json", "--", "sh", "-c", "echo out; exit 7"]);
    assert_eq!((scan.code(), scan.stderr.as_str()), (7, "out\n"));
    let doc = scan.json();
    assert_eq!(doc["command"]["exit_status"], 7);
    assert_eq!(doc["command"]["command"], "sh -c echo out; exit 7");
}

#[test]
fn json_goes_to_a_file_as_well_and_the_text_stays() {
    let stage = Stage::new();
    let file = stage.make("d").join("check.json");
    let path = file.to_str().unwrap();
    let scan = check(&["--json-file", path, "--", "sh", "-c", "echo out; exit 7"]);
    assert_eq!((scan.code(), scan.text()), (7, "out\n"), "{}", scan.stderr);
    assert!(scan.stderr.contains("ok       fail-on"), "{}", scan.stderr);
    let read = || -> Value { serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap() };
    let doc = read();
    assert_eq!(violations(&doc), Vec::<String>::new());
    assert_eq!(doc["command"]["exit_status"], 7);
    // What is there is replaced, and a broken rule is in it.
    let own = std::process::id().to_string();
    assert_eq!(
        check(&["--json-file", path, "--max-fds", "0", &own]).code(),
        1
    );
    assert_eq!(rule(&read(), "max-fds")["passed"], false);
    let nowhere = format!("{path}/no/directory");
    let scan = check(&["--json-file", &nowhere, &own]);
    assert_eq!(scan.code(), 2);
    assert!(
        scan.stderr.contains("could not be written"),
        "{}",
        scan.stderr
    );
}

/// Runs mkfds below `fdscan check`, holds its state for as long as two looks take, and returns the status
/// and the document.
fn check_fixture(rules: &[&str], program: &[&str], dir: &Path) -> (i32, Value) {
    // Looking takes at most a tenth of the time, so says check/run.rs, and a look is a part of a whole run. A process
    // that has as little as the fixture is looked at: this one has what all tests have.
    let mut little = Victim::spawn(Command::new("sh").args(["-c", "echo READY; read end"]));
    little.line_with("READY");
    let began = Instant::now();
    check(&["--fail-on", "never", &little.pid().to_string()]);
    let hold = Duration::from_secs(1).max(began.elapsed() * 25);
    little.finish();
    let mut command = fdscan();
    command
        .args(["check", "--json"])
        .args(rules)
        .arg("--")
        .args(program);
    command.arg("--dir").arg(dir);
    let mut run = Victim::spawn(&mut command);
    run.line_with("READY");
    std::thread::sleep(hold);
    let (status, lines) = run.finish();
    let document = lines.iter().find(|line| line.starts_with('{')).unwrap();
    let document: Value = serde_json::from_str(document).unwrap();
    assert_eq!(violations(&document), Vec::<String>::new());
    (status.code().unwrap(), document)
}

#[test]
fn a_mask_that_was_woken_while_the_command_ran_breaks_the_rule_and_an_idle_one_does_not() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let program = [
        stage.mkfds_binary().to_str().unwrap(),
        "dup",
        "--mask",
        "0x20",
    ];
    let (status, doc) = check_fixture(&[], &program, &dir);
    assert_eq!(
        (status, &doc["findings"]),
        (0, &serde_json::json!([])),
        "{doc:#}"
    );
    let (status, doc) = while_reading(&dir, || check_fixture(&[], &program, &dir));
    assert_eq!(status, 1, "{doc:#}");
    let found = &doc["findings"][0];
    assert_eq!(
        (&found["code"], &found["severity"]),
        (&"watch-wakes-on-read".into(), &"warning".into())
    );
}

#[test]
fn the_peak_of_a_whole_tree_is_held_to_the_rules() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let mkfds = stage.mkfds_binary().to_str().unwrap();
    // A shell that has more to do stays the parent.
    let script = format!("{mkfds} watches --count 40 --mask 0x22 \"$@\"; exit 5");
    let program = ["sh", "-c", &script, "sh"];
    let rules = [
        "--max-watches",
        "39",
        "--deny-event",
        "open",
        "--max-fds",
        "500",
        "--fail-on",
        "never",
    ];
    let (status, doc) = check_fixture(&rules, &program, &dir);
    assert_eq!(status, 1, "{doc:#}");
    assert_eq!(doc["command"]["exit_status"], 5);
    for name in ["max-watches", "deny-event"] {
        let rule = rule(&doc, name);
        assert_eq!(rule["measured"], 40);
        assert_eq!(rule["process"]["comm"], "mkfds");
        assert_ne!(rule["process"]["pid"], doc["command"]["pid"]);
        assert_eq!(rule["first"]["process"], rule["process"]);
        let first = rule["first"]["seconds"].as_f64().unwrap();
        assert!(first <= doc["command"]["seconds"].as_f64().unwrap());
    }
    assert_eq!(rule(&doc, "max-fds")["passed"], true);
    // Within the limits, the command's own status counts.
    let again = stage.make("again");
    let (status, doc) = check_fixture(
        &["--max-watches", "40", "--fail-on", "never"],
        &program,
        &again,
    );
    assert_eq!((status, &doc["passed"]), (5, &true.into()));
}

#[test]
fn a_daemon_stays_in_sight_and_is_named_when_it_is_left() {
    // It holds the pipe of its parent's standard input and ends with the test.
    let script = "setsid sh -c 'echo up >&2; read x <&3' 3<&0 & exit 0";
    let mut command = fdscan();
    command.args(["check", "--json", "--", "sh", "-c", script]);
    let mut run = Victim::spawn(&mut command);
    let document = run.lines_until("a document", |line| line.starts_with('{'));
    let document: Value = serde_json::from_str(document.last().unwrap()).unwrap();
    let left = document["command"]["left_running"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{document:#}");
    let pid = u32::try_from(left[0]["pid"].as_u64().unwrap()).unwrap();
    assert!(pid_exists(pid));
    let (status, _) = run.finish();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn an_interruption_ends_the_command_and_still_reports() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let mut command = fdscan();
        command.args(["check", "--", "sh", "-c", "echo $$; exec sleep 1000"]);
        let mut run = Victim::spawn(&mut command);
        let pid: u32 = run.lines_until("a PID", |_| true)[0].parse().unwrap();
        run.signal(signal);
        let (status, lines) = run.finish();
        assert_eq!(status.code(), Some(128 + signal), "{lines:?}");
        assert!(
            lines.iter().any(|line| line.contains("fail-on warning")),
            "{lines:?}"
        );
        assert!(!pid_exists(pid), "signal {signal} left {pid} behind");
    }
}

#[test]
fn a_second_interruption_ends_a_command_that_ignores_the_first() {
    let mut command = fdscan();
    let script = "trap 'echo no' TERM; echo up; while :; do sleep 0.05; done";
    command.args(["check", "--", "sh", "-c", script]);
    let mut run = Victim::spawn(&mut command);
    run.line_with("up");
    run.signal(libc::SIGTERM);
    run.line_with("no");
    run.signal(libc::SIGTERM);
    let (status, lines) = run.finish();
    assert_eq!(status.code(), Some(137), "{lines:?}");
}

#[test]
fn on_github_a_broken_rule_is_an_annotation_and_elsewhere_it_is_not() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "1", "--mask", "0x22"]);
    let watched = dir.join("d000000");
    let pid = fixture.pid().to_string();
    let run = |args: &[&str]| {
        let mut command = fdscan();
        command
            .env("GITHUB_ACTIONS", "true")
            .arg("check")
            .args(args)
            .arg(&pid);
        while_reading(&watched, || Scan::run(&mut command))
    };
    let scan = run(&["--max-fds", "1"]);
    let lines = || {
        scan.text()
            .lines()
            .filter(|line| line.starts_with("::error title=fdscan%3A "))
    };
    assert_eq!(lines().count(), 3, "{}", scan.text());
    assert!(lines().any(|line| line.contains("max-fds 1::") && line.contains(&pid)));
    assert!(lines().any(|line| line.contains("watch-wakes-on-read::")));
    let scan = run(&["--max-fds", "1", "--json"]);
    scan.json();
    assert_eq!(
        scan.stderr.matches("::error ").count(),
        3,
        "{}",
        scan.stderr
    );
    assert!(!run(&["--fail-on", "never"]).text().contains("::error"));
    let plain = Scan::run(
        Command::new(env!("CARGO_BIN_EXE_fdscan"))
            .env_remove("GITHUB_ACTIONS")
            .args(["check", "--max-fds", "1", &pid]),
    );
    assert!(!plain.text().contains("::error"));
}

#[test]
fn a_command_line_without_a_question_is_a_usage_error() {
    for args in [
        &[][..],
        &["--max-fds", "x", "1"],
        &["--max-wal", "1.5G", "1"],
        &["--deny-event", "read", "1"],
        &["1", "--", "true"],
    ] {
        let scan = check(args);
        assert_eq!(scan.code(), 2, "{args:?}: {}", scan.stderr);
        assert_eq!(scan.text(), "");
    }
}
