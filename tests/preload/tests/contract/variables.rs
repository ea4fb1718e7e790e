//! What the variables may be, the message when they are something else, and the log.

use std::fs;

use preload::Probe;

use crate::*;

/// Uses inotify under these variables; returns the masks of a watch and what was said.
fn said(variables: &[(&str, &str)]) -> (u32, Vec<String>) {
    let dir = dir();
    let mut probe = Probe::shimmed(variables);
    let fd = probe.init();
    probe.init();
    probe.add(fd, 0x3ee, dir.path());
    let mask = probe.masks(fd)[&1];
    let (status, lines) = probe.0.finish();
    assert!(status.success());
    (
        mask,
        lines
            .into_iter()
            .filter(|l| l.starts_with("watchfix"))
            .collect(),
    )
}

#[test]
fn a_rule_that_cannot_be_read_is_said_once_and_left_at_its_default() {
    let wrong = [
        (
            "WATCHFIX_STRIP",
            "open,opne",
            "WATCHFIX_STRIP: \"opne\" at byte 6 is not an event; allowed: access, ",
        ),
        (
            "WATCHFIX_STRIP",
            "open,,",
            "WATCHFIX_STRIP: \"\" at byte 6 is empty; ",
        ),
        (
            "WATCHFIX_DROP",
            "state",
            "WATCHFIX_DROP: \"state\" at byte 1 is not an absolute directory; allowed: /absolute",
        ),
        (
            "WATCHFIX_DROP",
            "/a:/b\\",
            "WATCHFIX_DROP: \"/b\\\\\" at byte 4 ends in the middle of an escape; ",
        ),
        (
            "WATCHFIX_IGNORE",
            "a/b",
            "WATCHFIX_IGNORE: \"a/b\" at byte 1 has a slash",
        ),
        (
            "WATCHFIX_IGNORE",
            "+*.log:\u{1b}\\",
            "WATCHFIX_IGNORE: \"\\x1b\\\\\" at byte 8 ends in",
        ),
        (
            "WATCHFIX_LOG",
            "log",
            "WATCHFIX_LOG: \"log\" at byte 1 is not known; allowed: stderr, ",
        ),
        (
            "WATCHFIX_LOG",
            "/no/such/directory/log",
            "WATCHFIX_LOG: \"/no/such/directory/log\" at byte 1 cannot be opened for writing; ",
        ),
        (
            "WATCHFIX_OFF",
            "yes",
            "WATCHFIX_OFF: \"yes\" at byte 1 is not known; allowed: 1 or 0",
        ),
    ];
    for (variable, value, sentence) in wrong {
        let (mask, lines) = said(&[(variable, value)]);
        assert_eq!(mask, 0x3ce, "{variable}={value}");
        assert_eq!(lines.len(), 1, "{variable}={value}: {lines:?}");
        let line = lines[0].strip_prefix("watchfix: ").unwrap();
        assert!(line.starts_with(sentence), "{line}");
    }
}

#[test]
fn every_wrong_rule_is_named_and_the_right_ones_hold() {
    let (mask, lines) = said(&[
        ("WATCHFIX_STRIP", "open"),
        ("WATCHFIX_DROP", "x"),
        ("WATCHFIX_IGNORE", "/"),
    ]);
    assert_eq!(mask, 0x3ce);
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn rules_that_can_be_read_are_not_spoken_of() {
    let (_, lines) = said(&[("WATCHFIX_STRIP", "open"), ("WATCHFIX_IGNORE", "+*.log")]);
    assert_eq!(lines, [""; 0]);
}

/// A daemon may have opened a file of its own as descriptor 2.
#[test]
fn nothing_is_written_to_what_is_no_longer_standard_error() {
    let dir = dir();
    let file = dir.path().join("data");
    write(&file, "");
    let mut probe = Probe::shimmed(&[("WATCHFIX_STRIP", "opne"), ("WATCHFIX_LOG", "stderr")]);
    probe.number("close 2");
    write(&file, "x");
    assert_eq!(probe.number(&format!("open {}", file.display())), 2);
    let fd = probe.init();
    probe.add(fd, 0x3ee, dir.path());
    assert_eq!(fs::read(&file).unwrap(), b"x");
    assert!(probe.0.seen().iter().all(|l| !l.starts_with("watchfix")));
}

#[test]
fn the_log_has_one_line_per_decision() {
    let dir = dir();
    let log = dir.path().join("log");
    let watched = dir.path().join("w");
    fs::create_dir(&watched).unwrap();
    let mut probe = Probe::shimmed(&[("WATCHFIX_LOG", log.to_str().unwrap())]);
    let pid = probe.0.pid();
    let fd = probe.init();
    probe.add(fd, 0xfee, &watched);
    write(watched.join("a.sqlite"), "");
    let file = watched.join("f\u{202e}\n");
    write(&file, "");
    age(&file);
    probe.read(fd);
    chmod(&watched.join("f\u{202e}\n"));
    probe.read(fd);
    let text = fs::read_to_string(&log).unwrap();
    let start = format!("watchfix[{pid}]: ");
    let lines: Vec<_> = text
        .lines()
        .map(|l| l.strip_prefix(&start).unwrap())
        .collect();
    let name = "\"f\\xe2\\x80\\xae\\x0a\"";
    assert_eq!(
        lines,
        [
            format!(
                "inotify_add_watch({fd}, \"{}\"): mask 0xfee -> 0xfce",
                watched.display()
            ),
            format!("fd {fd} wd 1: create \"a.sqlite\" removed"),
            format!("fd {fd} wd 1: close_write \"a.sqlite\" removed"),
            format!("fd {fd} wd 1: attrib {name} removed"),
        ]
    );
}

/// Else every decision would be an event, and every event a decision.
#[test]
fn events_of_the_logs_own_file_are_ignored() {
    let dir = dir();
    let log = dir.path().join("log.txt");
    let mut probe = Probe::shimmed(&[("WATCHFIX_LOG", log.to_str().unwrap())]);
    let fd = probe.init();
    probe.add(fd, 0xfff, dir.path());
    write(dir.path().join("a.sqlite"), "");
    write(dir.path().join("f"), "x");
    let seen = probe.read(fd);
    assert!(seen.iter().all(|s| s.name == "f"), "{seen:?}");
    // Reading logged three removals into the watched directory.
    let before = fs::metadata(&log).unwrap().len();
    assert_eq!(probe.read(fd), preload::filler(true));
    assert_eq!(fs::metadata(&log).unwrap().len(), before);
}

#[test]
fn the_environment_counts_as_it_was_at_the_start() {
    // `env -i` in between: the variables are gone, and the preload with them.
    let out = std::process::Command::new("env")
        .args(["-i", "sh", "-c", "grep -c libwatchfix /proc/self/maps"])
        .env("LD_PRELOAD", support::libwatchfix())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "0");
}
