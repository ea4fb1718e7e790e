//! What the rules do to the watches of a static program.

use super::given::{Dir, output, probe, run};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;
use support::{DEADLINE, Victim, watches};

fn added(flags: &[&str], path: &str, mask: &str) -> String {
    let text = output(run(flags).arg(probe()).args(["add", path, mask]));
    text.trim_end().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn events_are_stripped_by_the_defaults_and_by_what_is_asked_for() {
    let dir = Dir::new();
    let path = dir.path("");
    assert_eq!(added(&[], &path, "0x3ee"), "0x3ce");
    assert_eq!(added(&["--strip", "+attrib"], &path, "0x3ee"), "0x3ca");
    assert_eq!(added(&["--strip", "none"], &path, "0x3ee"), "0x3ee");
    // Of which nothing is left: a real watch that never fires.
    assert_eq!(added(&[], &path, "0x20"), "0x0");
}

#[test]
fn attribute_changes_are_left_alone_and_the_log_says_so_once() {
    let dir = Dir::new();
    let path = dir.path("");
    let add = [
        "add", &path, "0x3ca", "add", &path, "0x3ee", "add", &path, "0x3ce",
    ];
    let said = |name: &str, flags: &[&str]| {
        let log = dir.path(name);
        let mut command = run(&[flags, &["--log", &log]].concat());
        // Two processes.
        let script = "\"$@\"; \"$@\"";
        output(
            command
                .args(["sh", "-c", script, "sh"])
                .arg(probe())
                .args(add),
        );
        let said = fs::read_to_string(log).unwrap();
        said.matches(": masks cannot tell chmod from touch: ")
            .count()
    };
    assert_eq!(added(&["--strip", "chmod"], &path, "0x3ee"), "0x3ee");
    assert_eq!(said("default", &[]), 1);
    assert_eq!(said("asked", &["--strip", "open,chmod"]), 1);
    assert_eq!(said("not-asked", &["--strip", "open"]), 0);
    assert_eq!(said("taken-out", &["--strip", "+attrib"]), 0);
}

#[test]
fn the_kernel_ignores_the_marks_of_a_judged_mask() {
    let dir = Dir::new();
    let text = output(std::process::Command::new(probe()).args(["add", &dir.path(""), "0xc3ee"]));
    assert!(text.ends_with(" 0x3ee\n"), "{text}");
    // And so it passes the filter as it is.
    assert_eq!(added(&[], &dir.path(""), "0xc3ee"), "0x3ee");
}

#[test]
fn a_watch_on_a_state_directory_or_below_it_never_fires_whatever_its_name() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path("state/sub")).unwrap();
    fs::create_dir(dir.path("src")).unwrap();
    symlink(dir.path("state"), dir.path("link")).unwrap();
    let state = dir.path("state");
    for name in ["state", "state/sub", "link/sub", "src/../state"] {
        assert_eq!(
            added(&["--drop", &state], &dir.path(name), "0x3ce"),
            "0x0",
            "{name}"
        );
        assert_eq!(
            added(&["--drop", &state], &dir.path(name), "0xfce"),
            "0xc00",
            "{name}"
        );
    }
    assert_eq!(
        added(&["--drop", &state], &dir.path("src"), "0x3ce"),
        "0x3ce"
    );
    assert_eq!(
        added(&["--drop", "**/sub"], &dir.path("link/sub"), "0x3ce"),
        "0x0"
    );
}

#[test]
fn a_watch_on_an_ignored_file_never_fires_and_one_on_its_directory_does() {
    let dir = Dir::new();
    fs::write(dir.path("a.sqlite"), "").unwrap();
    fs::write(dir.path("a.toml"), "").unwrap();
    fs::create_dir(dir.path("b.sqlite")).unwrap();
    assert_eq!(added(&[], &dir.path("a.sqlite"), "0x3ce"), "0x0");
    assert_eq!(added(&[], &dir.path("a.toml"), "0x3ce"), "0x3ce");
    assert_eq!(added(&[], &dir.path("b.sqlite"), "0x3ce"), "0x3ce");
    assert_eq!(
        added(&["--ignore", "*.toml"], &dir.path("a.toml"), "0x3ce"),
        "0x0"
    );
}

#[test]
fn a_settled_directory_reports_a_write_when_the_file_is_closed() {
    let dir = Dir::new();
    let path = dir.path("");
    assert_eq!(added(&["--settle", &path], &path, "0xfc6"), "0xfcc");
    assert_eq!(added(&["--settle", "/elsewhere"], &path, "0xfc6"), "0xfc6");
}

#[test]
fn a_directory_with_a_database_of_its_own_process_settles() {
    let dir = Dir::new();
    let (path, database, log) = (dir.path(""), dir.path("s.db"), dir.path("s.db-wal"));
    let text = output(
        run(&[])
            .arg(probe())
            .args(["open", &database, "open", &log, "add", &path, "0xfee"]),
    );
    assert!(text.ends_with("mask 0xfcc\n"), "{text}");
    let mut asked = run(&["--settle", "none"]);
    let text = output(
        asked
            .arg(probe())
            .args(["open", &database, "open", &log, "add", &path, "0xfee"]),
    );
    assert!(text.ends_with("mask 0xfce\n"), "{text}");
}

#[test]
fn a_database_opened_after_its_directory_was_watched_settles_it_too() {
    opened_late(&[], Duration::ZERO, &[]);
}

#[test]
fn a_database_opened_between_two_watches_settles_the_first_one_too() {
    // When what was seen at the first one is believed no more, and before the second look (databases::INTERVALS).
    opened_late(&[], Duration::from_millis(600), &["add", "/", "0xfce"]);
}

#[test]
fn a_watch_that_nobody_judges_settles_later() {
    opened_late(&UNSEEN, Duration::ZERO, &[]);
}

#[test]
fn a_watch_placed_unseen_beside_an_old_database_settles_too() {
    // When the database has been seen already.
    let dir = Dir::new();
    let (path, database, log) = (dir.path(""), dir.path("s.db"), dir.path("s.db-wal"));
    let mut command = run(&UNSEEN);
    command
        .arg(probe())
        .args(["open", &database, "open", &log, "wait"])
        .args(["add", &path, "0xfce", "wait"]);
    let mut victim = Victim::spawn(&mut command);
    victim.line_with("ready ");
    std::thread::sleep(Duration::from_millis(600));
    victim.send("");
    let pid = victim.line_with("ready ");
    let pid = pid.trim_start_matches("ready ").parse().unwrap();
    support::wait_until("the watch stays as it is", || {
        watches(pid).iter().any(|watch| watch.mask == 0xfcc)
    });
}

/// No watch is trapped; with the library nothing would settle.
const UNSEEN: [&str; 6] = ["--strip", "none", "--ignore", "none", "--engine", "seccomp"];

/// Under `flags` a database is opened `after` its directory was watched, and then `further` things are done.
fn opened_late(flags: &[&str], after: Duration, further: &[&str]) {
    let dir = Dir::new();
    let (path, log) = (dir.path(""), dir.path("log"));
    let mut command = run(&[flags, &["--log", &log]].concat());
    command
        .arg(probe())
        .args(["add", "/", "0xfce", "add", &path, "0xfce", "wait"]);
    command.args(["open", &dir.path("s.db"), "open", &dir.path("s.db-wal")]);
    command.args(further).arg("wait");
    let mut victim = Victim::spawn(&mut command);
    let ready = |victim: &mut Victim| -> u32 {
        let line = victim.line_with("ready ");
        line.trim_start_matches("ready ").parse().unwrap()
    };
    let pid = ready(&mut victim);
    std::thread::sleep(after);
    victim.send("");
    ready(&mut victim);
    let start = std::time::Instant::now();
    let masks = || {
        watches(pid)
            .iter()
            .map(|w| (w.wd, w.mask))
            .collect::<Vec<_>>()
    };
    let is_said = || {
        let said = fs::read_to_string(&log).unwrap();
        said.contains("mask 0xfce -> 0xfcc by WATCHFIX_SETTLE")
    };
    while !masks().contains(&(2, 0xfcc)) || !is_said() {
        assert!(start.elapsed() < DEADLINE, "{:x?}", masks());
        // Nothing announces that a mask has changed.
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(masks().contains(&(1, 0xfce)), "{:x?}", masks());
}

#[test]
fn every_decision_is_a_line_of_the_log_and_so_is_what_cannot_be_done() {
    let dir = Dir::new();
    let (path, log) = (dir.path(""), dir.path("log"));
    let mut command = run(&["--log", &log, "--engine", "seccomp"]);
    output(command.arg(probe()).args([
        "add", &path, "0x3ee", "add", &path, "0x3ce", "add", "/no", "0x3ee",
    ]));
    let said = fs::read_to_string(&log).unwrap();
    for line in [
        format!("\"{path}\"): mask 0x3ee -> 0x3ce by WATCHFIX_STRIP"),
        format!("\"{path}\"): mask 0x3ce stays"),
        "\"/no\"): mask 0x3ee is left to the kernel: No such file or directory".to_owned(),
        "events of ignored names in watched directories reach it".to_owned(),
    ] {
        assert_eq!(said.matches(&line).count(), 1, "{line}: {said}");
    }
}
