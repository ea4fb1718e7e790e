//! The text: for a person under stress, on a terminal of any width, and in a pipe.

use std::process::Command;

use crate::common::{Fixture, Scan, Stage, fdscan};

/// A process with findings of all three severities, and tables behind them.
fn trouble(stage: &Stage) -> Fixture {
    let dir = stage.make("trouble");
    stage.mkfds_in(&dir, &["sqlite-self-watch", "--mask", "0xfff"])
}

fn text(fixture: &Fixture, args: &[&str]) -> String {
    let mut command = fdscan();
    command.arg(fixture.pid().to_string()).args(args);
    let scan = Scan::run(&mut command);
    assert_eq!(scan.code(), 0, "{}", scan.stderr);
    assert_eq!(scan.stderr, "");
    scan.text().to_owned()
}

/// Lines wider than `width`. Names in these tests are ASCII; what fdscan draws around them is one column
/// wide each. A single word, such as a path in a command, cannot be broken and pasted.
fn too_wide(text: &str, width: usize) -> Vec<String> {
    text.lines()
        .filter(|line| line.chars().count() > width)
        .filter(|line| line.trim_end_matches('\\').split_whitespace().count() > 1)
        .map(str::to_owned)
        .collect()
}

#[test]
fn findings_come_first_and_the_worst_of_them_first() {
    let stage = Stage::new();
    let fixture = trouble(&stage);
    let process = stage.look(&fixture);
    let shown = text(&fixture, &["--tables"]);
    let at = |code: &str| {
        shown
            .find(code)
            .unwrap_or_else(|| panic!("{code} is missing in\n{shown}"))
    };
    // The codes of the JSON document, in its order.
    let codes = process.codes();
    assert!(codes.len() >= 3, "{codes:?}");
    assert!(codes.iter().map(|code| at(code)).is_sorted(), "{shown}");
    assert!(at("sqlite-self-watch") < at("watch-wakes-on-read"));
    assert!(at("watch-wakes-on-read") < at("watch-wakes-on-attrib"));
    // The first table is that of the process.
    let table = shown
        .find("\nProcess\n")
        .unwrap_or_else(|| panic!("no table in\n{shown}"));
    for finding in process.list("findings") {
        let code = finding["code"].as_str().unwrap();
        assert!(at(code) < table, "{code} stands below a table in\n{shown}");
    }
}

#[test]
fn every_finding_says_what_helps() {
    let stage = Stage::new();
    let fixture = trouble(&stage);
    let process = stage.look(&fixture);
    let shown = unwrapped(&text(&fixture, &[]));
    for finding in process.list("findings") {
        for key in ["message", "remedy", "remedy_live"] {
            if let Some(sentence) = finding[key].as_str() {
                assert!(
                    shown.contains(&unwrapped(sentence)),
                    "{sentence}\nin\n{shown}"
                );
            }
        }
    }
}

/// Text without its line breaks and indentation; a shell's ` \` at the end of a line is one, too.
fn unwrapped(text: &str) -> String {
    text.replace(" \\\n", " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_process_without_findings_is_said_to_have_none() {
    let stage = Stage::unprivileged(60171);
    let fixture = stage.mkfds(&["idle"]);
    let scan = stage.scan_as_user(&[&fixture.pid().to_string()]);
    assert_eq!(scan.code(), 0);
    assert!(scan.text().contains(&fixture.pid().to_string()));
    // The words are fdscan's own.
    let said = scan.text().to_lowercase();
    assert!(
        said.contains("nothing wrong") || said.contains("no finding"),
        "{}",
        scan.text()
    );
}

#[test]
fn piped_text_fits_80_columns() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    for fixture in [
        trouble(&stage),
        stage.mkfds_in(&dir, &["watches", "--count", "40", "--mask", "0xfff"]),
        stage.mkfds(&["idle"]),
        stage.mkfds(&["fd-limit", "--percent", "95"]),
    ] {
        for args in [&[][..], &["--tables"], &["--all"]] {
            let wide = too_wide(&text(&fixture, args), 80);
            assert!(wide.is_empty(), "{wide:#?}");
        }
    }
}

#[test]
fn piped_text_has_no_colour() {
    let stage = Stage::new();
    let fixture = trouble(&stage);
    let mut command = fdscan();
    // Terminals set these; a pipe is none all the same.
    command
        .arg(fixture.pid().to_string())
        .env("TERM", "xterm-256color")
        .env("COLORTERM", "truecolor")
        .env_remove("NO_COLOR");
    assert!(!Scan::run(&mut command).text().contains('\x1b'));
}

/// fdscan on a terminal of `columns`, by script(1) and stty(1).
fn on_a_terminal(fixture: &Fixture, columns: usize, no_color: bool) -> Option<String> {
    if support::tool("script").is_none() {
        support::skip("script(1) is missing (Debian: bsdutils)");
        return None;
    }
    let line = format!(
        "stty cols {columns} rows 50; exec '{}' {}",
        env!("CARGO_BIN_EXE_fdscan"),
        fixture.pid()
    );
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .env_remove("COLUMNS")
        .env_remove("NO_COLOR");
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let scan = Scan::run(&mut command);
    assert_eq!(scan.code(), 0, "{}{}", scan.text(), scan.stderr);
    // The terminal adds the carriage returns.
    Some(scan.text().replace("\r\n", "\n"))
}

#[test]
fn a_terminal_gets_colour() {
    let stage = Stage::new();
    let fixture = trouble(&stage);
    if let Some(shown) = on_a_terminal(&fixture, 100, false) {
        assert!(shown.contains("\x1b["), "{shown}");
    }
}

#[test]
fn no_color_is_respected_on_a_terminal() {
    let stage = Stage::new();
    let fixture = trouble(&stage);
    if let Some(shown) = on_a_terminal(&fixture, 100, true) {
        assert!(!shown.contains('\x1b'), "{shown:?}");
    }
}

#[test]
fn the_text_fits_the_terminal() {
    let stage = Stage::new();
    let fixture = trouble(&stage);
    for columns in [60, 80, 132] {
        let Some(shown) = on_a_terminal(&fixture, columns, true) else {
            return;
        };
        let wide = too_wide(&shown, columns);
        assert!(wide.is_empty(), "{columns} columns: {wide:#?}");
    }
}

#[test]
fn thousands_of_watches_are_rolled_up() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "3000"]);
    let shown = text(&fixture, &["--tables"]);
    assert!(
        shown.lines().count() < 100,
        "{} lines",
        shown.lines().count()
    );
    assert!(shown.contains("0x3ee"), "{shown}");
    assert!(shown.replace([',', ' '], "").contains("3000"), "{shown}");
}

#[test]
fn the_whole_list_is_shown_when_asked_for() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "300"]);
    let process = stage.look(&fixture);
    let shown = unwrapped(&text(&fixture, &["--all"]));
    for watch in process.list("inotify")[0]["watches"].as_array().unwrap() {
        // Without root there are only inodes.
        let sign = match watch["path"].as_str() {
            Some(path) => path.rsplit('/').next().unwrap().to_owned(),
            None => watch["inode"].to_string(),
        };
        assert!(shown.contains(&sign), "{watch} is missing");
    }
}

#[test]
fn what_could_not_be_seen_is_said() {
    let stage = Stage::unprivileged(60172);
    let dir = stage.make("tree");
    // Nothing of the process leads to these directories, so no path is known without root.
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "5"]);
    let pid = fixture.pid().to_string();
    let process = stage.look_as_user(&fixture);
    for (args, key) in [(&[&pid[..]][..], "what"), (&[&pid, "--tables"], "why")] {
        let scan = stage.scan_as_user(args);
        let shown = unwrapped(scan.text());
        for gap in process.list("incomplete") {
            let text = unwrapped(gap[key].as_str().unwrap());
            assert!(shown.contains(&text), "{text}\nin\n{shown}");
        }
    }
}
