//! Exit statuses: what scripts and CI depend on.

use crate::common::{Fixture, Stage};

fn status(stage: &Stage, fixture: &Fixture, args: &[&str]) -> i32 {
    let pid = fixture.pid().to_string();
    let mut all = vec![pid.as_str()];
    all.extend(args);
    let text = stage.scan_as_user(&all);
    assert_eq!(text.stderr, "");
    all.push("--json");
    let json = stage.scan_as_user(&all);
    json.json();
    assert_eq!(
        text.code(),
        json.code(),
        "text and JSON differ in their status"
    );
    text.code()
}

/// The statuses for --fail-on info, warning, critical, never, and without it.
fn statuses(stage: &Stage, fixture: &Fixture) -> [i32; 5] {
    [
        status(stage, fixture, &["--fail-on", "info"]),
        status(stage, fixture, &["--fail-on", "warning"]),
        status(stage, fixture, &["--fail-on", "critical"]),
        status(stage, fixture, &["--fail-on", "never"]),
        status(stage, fixture, &[]),
    ]
}

#[test]
fn nothing_found_is_0_whatever_is_asked_for() {
    let stage = Stage::unprivileged(60141);
    let fixture = stage.mkfds(&["idle"]);
    assert_eq!(statuses(&stage, &fixture), [0, 0, 0, 0, 0]);
}

#[test]
fn a_remark_is_1_from_fail_on_info() {
    let stage = Stage::unprivileged(60142);
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "1", "--mask", "0x4"]);
    assert_eq!(statuses(&stage, &fixture), [1, 0, 0, 0, 0]);
}

#[test]
fn a_warning_is_1_from_fail_on_warning() {
    let stage = Stage::unprivileged(60143);
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["self-watch"]);
    assert_eq!(statuses(&stage, &fixture), [1, 1, 0, 0, 0]);
}

#[test]
fn a_critical_finding_is_1_from_fail_on_critical() {
    let stage = Stage::unprivileged(60144);
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["wal-deleted"]);
    assert_eq!(statuses(&stage, &fixture), [1, 1, 1, 0, 0]);
}

#[test]
fn one_process_with_findings_among_several_is_enough() {
    let stage = Stage::unprivileged(60145);
    let dir = stage.make("state");
    let bad = stage.mkfds_in(&dir, &["wal-deleted"]);
    let good = stage.mkfds(&["idle"]);
    let (bad_pid, good_pid) = (bad.pid().to_string(), good.pid().to_string());
    for pids in [[&bad_pid, &good_pid], [&good_pid, &bad_pid]] {
        let scan = stage.scan_as_user(&[pids[0], pids[1], "--json", "--fail-on", "critical"]);
        assert_eq!(scan.code(), 1);
        let doc = scan.json();
        let listed: Vec<String> = doc["processes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["pid"].to_string())
            .collect();
        // In the order they were asked for.
        assert_eq!(listed.iter().collect::<Vec<_>>(), pids);
    }
}

#[test]
fn wrong_usage_is_2_with_a_message_and_no_document() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["idle"]);
    let pid = fixture.pid().to_string();
    for args in [
        &[][..],
        &["--json"],
        &[""],
        &["0"],
        &["-1"],
        &["99999999999999999999999"],
        &["1,"],
        &[":0"],
        &[":65536"],
        &[":http"],
        &[&pid, "0", "--json"],
        &[&pid, "--no-such-flag"],
        &[&pid, "--fail-on"],
        &[&pid, "--fail-on", "serious"],
        &[&pid, "--fail-on", "Critical "],
    ] {
        let scan = stage.scan(args);
        assert_eq!(scan.code(), 2, "fdscan {args:?}: {}", scan.stderr);
        assert_ne!(scan.stderr, "", "fdscan {args:?} says nothing");
        assert!(scan.stdout.is_empty(), "fdscan {args:?} prints a result");
    }
}

#[test]
fn help_and_version_are_0() {
    let stage = Stage::new();
    for flag in ["--help", "--version"] {
        let scan = stage.scan(&[flag]);
        assert_eq!(scan.code(), 0);
        assert!(scan.text().contains("fdscan"));
    }
}

#[test]
fn the_help_names_the_exit_statuses() {
    let help = Stage::new().scan(&["--help"]);
    for word in ["Exit", "fail-on"] {
        assert!(help.text().contains(word), "{}", help.text());
    }
}
