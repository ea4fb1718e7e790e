//! What a person under stress sees: every kind of finding on a screen of 80 columns and 24 rows, what it comes to at
//! the end, and every command as it is pasted.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::common::{Fixture, Scan, Stage, fdscan};

const COLUMNS: usize = 80;
const ROWS: usize = 24;

/// States, and what they are found by. Numbers are small: it is the text that is looked at.
const STATES: &[(&[&str], &str)] = &[
    (
        &["watches", "--count", "40", "--mask", "0x3ca"],
        "no finding",
    ),
    (
        &["watches", "--count", "40", "--mask", "0x3ea"],
        "watch-wakes-on-read",
    ),
    (
        &["watches", "--count", "1", "--mask", "0x4"],
        "watch-wakes-on-attrib",
    ),
    (&["self-watch", "--mask", "0x3ca"], "self-watch"),
    (
        &["sqlite-self-watch", "--mask", "0x3ca"],
        "sqlite-self-watch",
    ),
    (
        &["sqlite-connections", "--count", "150"],
        "sqlite-handle-leak",
    ),
    (&["sqlite-parked", "--count", "150"], "sqlite-handle-leak"),
    (&["sqlite-pinned"], "sqlite-wal-pinned"),
    (
        &[
            "wal-large",
            "--megabytes",
            "70",
            "--database-megabytes",
            "1",
        ],
        "sqlite-wal-large",
    ),
    (&["wal-deleted"], "sqlite-wal-deleted"),
    (&["sqlite-deleted"], "sqlite-wal-deleted"),
    (&["sqlite-replaced"], "sqlite-replaced"),
    (&["descriptors", "--count", "200"], "file-handle-leak"),
    (&["file-pattern", "--count", "991"], "file-handle-leak"),
    (
        &["leak", "--what", "pairs", "--count", "220"],
        "socket-leak",
    ),
    (
        &["leak", "--what", "epoll", "--count", "250"],
        "descriptor-leak",
    ),
    (&["deleted-file", "--megabytes", "70"], "deleted-file-held"),
    (&["fd-limit", "--percent", "95"], "fd-limit-near"),
    (&["orphan", "--respawn"], "orphaned-server"),
];

/// What fdscan writes on a terminal of this size, without colour.
fn on_a_screen(args: &[&str]) -> Option<String> {
    if support::tool("script").is_none() {
        support::skip("script(1) is missing (Debian: bsdutils)");
        return None;
    }
    let line = format!(
        "stty cols {COLUMNS} rows {ROWS}; exec '{}' {}",
        env!("CARGO_BIN_EXE_fdscan"),
        args.join(" ")
    );
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .env("NO_COLOR", "1");
    let scan = Scan::run(&mut command);
    assert_eq!(scan.code(), 0, "{}{}", scan.text(), scan.stderr);
    Some(scan.text().replace("\r\n", "\n"))
}

/// Rows that text takes on a screen: a line that is too long goes on in the next one.
fn rows(text: &str) -> usize {
    let lines = text.lines();
    lines
        .map(|line| line.chars().count().div_ceil(COLUMNS).max(1))
        .sum()
}

/// Of a state in which a server is what is looked at, that server.
fn pid(fixture: &Fixture) -> String {
    match fixture.facts("server").first() {
        Some(server) => (*server).to_owned(),
        None => fixture.pid().to_string(),
    }
}

#[test]
fn one_finding_and_what_it_comes_to_fit_a_screen() {
    let stage = Stage::new();
    let mut seen = BTreeSet::new();
    for (at, (state, code)) in STATES.iter().enumerate() {
        let dir = stage.make(&format!("state-{at}"));
        let fixture = match state[0] {
            "leak" | "fd-limit" | "orphan" => stage.mkfds(state),
            _ => stage.mkfds_in(&dir, state),
        };
        let pid = pid(&fixture);
        let findings = stage.scan(&[&pid, "--json"]).json()["processes"][0]["findings"].clone();
        let codes: Vec<_> = findings.as_array().unwrap().iter().collect();
        match *code {
            "no finding" => assert!(codes.is_empty(), "{codes:?}"),
            code => assert!(codes.iter().any(|f| f["code"] == code), "{code}: {codes:?}"),
        }
        let Some(shown) = on_a_screen(&[&pid]) else {
            return;
        };
        if codes.len() <= 1 {
            seen.insert(*code);
            assert!(rows(&shown) <= ROWS, "{} rows:\n{shown}", rows(&shown));
        }
        let all = stage.scan(&[&pid, "--all"]).text().to_owned();
        let messages = codes.iter().map(|f| f["message"].as_str().unwrap());
        for text in messages.chain([&all[..]]) {
            assert_eq!(disagreements(text), Vec::<String>::new(), "{text}");
        }
        // Evidence and tables are for who asks.
        assert!(!shown.contains("\nProcess\n"), "{shown}");
        let last = shown.lines().last().unwrap();
        let comes_to = sums(&codes);
        assert!(
            last.starts_with(&format!("{comes_to}. --tables shows ")),
            "{comes_to} in the last line of\n{shown}"
        );
    }
    // A state that has a second finding where it is tested may be told by the others.
    assert!(seen.len() * 2 > STATES.len(), "{seen:?}");
}

/// One of something that is called many, and many that do what one does.
fn disagreements(text: &str) -> Vec<String> {
    const MANY: &[&str] = &[
        "watches",
        "instances",
        "descriptors",
        "databases",
        "files",
        "processes",
        "frames",
        "connections",
        "directories",
        "sockets",
        "times",
        "are",
        "were",
        "have",
    ];
    let of_line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let pairs = words.windows(2).filter(|pair| {
            let word = pair[1].trim_end_matches(['.', ',', ':', ';', ')']);
            pair[0].trim_start_matches('(') == "1" && MANY.contains(&word)
        });
        pairs.map(|pair| pair.join(" ")).collect::<Vec<_>>()
    };
    text.lines().flat_map(of_line).collect()
}

#[test]
fn one_of_many_is_noticed() {
    assert_eq!(
        disagreements("of 1 files, 1,001 files and 1 file"),
        ["1 files,"]
    );
    assert_eq!(disagreements("(1 were"), ["(1 were"]);
}

/// `1 critical, 2 warnings`
fn sums(findings: &[&Value]) -> String {
    let of = |severity: &str| {
        findings
            .iter()
            .filter(|f| f["severity"] == severity)
            .count()
    };
    let words = [
        (of("critical"), "critical", "critical"),
        (of("warning"), "warning", "warnings"),
        (of("info"), "info", "info"),
    ];
    let words: Vec<_> = words
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    match words.is_empty() {
        true => "No finding".into(),
        false => words.join(", "),
    }
}

#[test]
fn evidence_is_shown_with_all_and_in_json() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["file-pattern", "--count", "300"]);
    let pid = fixture.pid().to_string();
    let finding = stage.look(&fixture);
    let evidence = &finding.finding("file-handle-leak", "warning")["evidence"];
    assert!(evidence["names"].is_array(), "{evidence}");
    let shown = |args: &[&str]| stage.scan(args).text().to_owned();
    assert!(!shown(&[&pid]).contains("    names: "));
    assert!(!shown(&[&pid, "--tables"]).contains("    names: "));
    assert!(shown(&[&pid, "--all"]).contains("    names: "));
}

#[test]
fn a_command_that_two_findings_need_is_printed_once() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--mask", "0xfea"]);
    let pid = fixture.pid().to_string();
    let shown = stage.scan(&[&pid]).text().to_owned();
    let heal = format!("watchfix heal {pid}\n");
    assert_eq!(shown.matches(&heal).count(), 1, "{shown}");
    assert!(shown.contains("The same helps as above."), "{shown}");
}

#[test]
fn several_processes_are_summed_up_together() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let bad = stage.mkfds_in(&dir, &["watches", "--count", "1", "--mask", "0x20"]);
    let good = stage.mkfds(&["idle"]);
    let pids = [bad.pid().to_string(), good.pid().to_string()];
    let scan = stage.scan(&[&pids[0], &pids[1]]);
    let last = scan.text().lines().last().unwrap();
    assert!(
        last.contains(" in 2 processes. --tables shows watches, descriptors."),
        "{last}"
    );
}

#[test]
fn a_locale_without_unicode_gets_ascii() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "5", "--mask", "0xfff"]);
    let pid = fixture.pid().to_string();
    for (locale, ascii) in [("C", true), ("C.UTF-8", false)] {
        for args in [&[&pid[..], "--tables"][..], &[&pid, "--all"], &["top"]] {
            let mut command = fdscan();
            command.args(args).env("LC_ALL", locale);
            let scan = Scan::run(&mut command);
            // Names of other tests' processes are as they are.
            assert_eq!(scan.text().contains("\n ──"), !ascii, "{}", scan.text());
            assert_eq!(scan.text().contains("\n --"), ascii, "{}", scan.text());
        }
    }
}

#[test]
fn a_dumb_terminal_gets_no_colour_and_a_pipe_gets_it_when_it_is_forced() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["fd-limit", "--percent", "95"]);
    let pid = fixture.pid().to_string();
    let mut forced = fdscan();
    forced
        .arg(&pid)
        .env_remove("NO_COLOR")
        .env("CLICOLOR_FORCE", "1");
    let scan = Scan::run(&mut forced);
    assert!(scan.text().contains('\x1b'), "{}", scan.text());
    let mut never = fdscan();
    never
        .args([&pid, "--color", "never"])
        .env("CLICOLOR_FORCE", "1");
    assert!(!Scan::run(&mut never).text().contains('\x1b'));
    if support::tool("script").is_none() {
        return support::skip("script(1) is missing (Debian: bsdutils)");
    }
    // It shows lines one after the other, and no screen.
    let watch = format!("watch {pid} --for 0.2 --interval 0.1");
    for (args, word) in [(&pid, "fd-limit-near"), (&watch, "fds 950")] {
        let line = format!("exec '{}' {args}", env!("CARGO_BIN_EXE_fdscan"));
        let mut dumb = Command::new("script");
        dumb.args(["-qec", &line, "/dev/null"])
            .env("TERM", "dumb")
            .env("SHELL", "/bin/sh")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("NO_COLOR");
        let scan = Scan::run(&mut dumb);
        assert!(scan.text().contains(word), "{:?}", scan.text());
        assert!(!scan.text().contains('\x1b'), "{:?}", scan.text());
    }
}
