//! `fdscan report`: one file that says everything and cannot do anything.

use std::process::Command;

use crate::common::{Fixture, Scan, Stage, fdscan, waits};
use support::Victim;

fn report(fixture: &Fixture, args: &[&str]) -> String {
    let mut command = fdscan();
    command
        .arg("report")
        .arg(fixture.pid().to_string())
        .args(args);
    let scan = Scan::run(&mut command);
    assert_eq!((scan.code(), scan.stderr.as_str()), (0, ""));
    scan.text().to_owned()
}

#[test]
fn a_report_has_the_findings_the_tables_a_sample_and_the_system() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--mask", "0xfff"]);
    let codes = stage.look(&fixture);
    for format in ["markdown", "html"] {
        let text = report(&fixture, &["--format", format, "--for", "0.3"]);
        for code in codes.codes() {
            assert!(
                text.contains(code),
                "{code} is missing in the {format}: {text}"
            );
        }
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        for part in [
            "Findings",
            "Sample of 0.",
            "Tables",
            "SQLite databases",
            kernel.trim().split('-').next().unwrap(),
        ] {
            assert!(
                text.contains(part),
                "{part} is missing in the {format}: {text}"
            );
        }
        assert!(
            text.contains(&format!("watchfix heal {}", fixture.pid())),
            "{text}"
        );
    }
}

#[test]
fn a_report_in_html_is_one_file_with_plots_and_without_scripts() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let fixture = stage.mkfds_in(&dir, &["sqlite-busy"]);
    let text = report(&fixture, &["--format", "html", "--for", "0.3"]);
    for plot in ["descriptors", "watches", "-wal of "] {
        assert!(
            text.contains(&format!("font-weight=\"bold\">{plot}")),
            "{plot}: {text}"
        );
    }
    for element in [
        "html", "head", "body", "pre", "svg", "table", "tr", "td", "h1", "h2", "p", "text",
    ] {
        let opened = text.matches(&format!("<{element}>")).count()
            + text.matches(&format!("<{element} ")).count();
        assert_eq!(
            opened,
            text.matches(&format!("</{element}>")).count(),
            "{element}"
        );
    }
    for never in [
        "<script", "src=", "href=", "http:", "https:", "@import", "url(",
    ] {
        assert!(!text.contains(never), "{never} in {text}");
    }
}

#[test]
fn names_that_look_like_markup_stay_names() {
    let stage = Stage::new();
    let dir = stage.make("<img src=x>|`a`");
    let fixture = stage.mkfds_in(&dir, &["names"]);
    let text = report(&fixture, &["--format", "html", "--for", "0"]);
    assert!(!text.contains("<img"), "{text}");
    assert!(text.contains("&lt;img src=x&gt;"), "{text}");
    let text = report(&fixture, &["--for", "0"]);
    // Outside of what is verbatim, markup is escaped; inside it, nothing is obeyed.
    let mut verbatim = false;
    for line in text.lines() {
        if line.starts_with("```") {
            verbatim = !verbatim;
        } else if !verbatim {
            assert!(!line.contains(" <img"), "{line}");
            assert!(!line.contains("/<img"), "{line}");
        }
    }
    assert!(!verbatim, "a fence is left open: {text}");
    for control in ["\u{1b}", "\u{202e}", "\u{7f}", "\u{9b}"] {
        assert!(!text.contains(control));
    }
}

#[test]
fn an_interruption_ends_the_sample_and_writes_the_report() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["idle"]);
    for (command, says) in [(&["report"][..], "## Sample of"), (&[], "Growth within")] {
        let mut run = fdscan();
        run.args(command)
            .arg(fixture.pid().to_string())
            .args(["--for", "600"]);
        let run = Victim::spawn(&mut run);
        support::wait_until("it does not wait", || waits(run.pid()));
        run.signal(libc::SIGTERM);
        let (status, lines) = run.finish();
        assert_eq!(status.code(), Some(0), "{lines:?}");
        assert!(lines.join("\n").contains(says), "{lines:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_not_an_error_for_any_command() {
    let stage = Stage::new();
    let dir = stage.make("d");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "2000"]);
    let pid = fixture.pid();
    for command in [
        format!("{pid} --all"),
        format!("{pid} --json"),
        "top".into(),
        format!("events {pid} --for 0.1"),
        format!("check {pid} --fail-on never"),
        format!("report {pid} --for 0"),
        "completions bash".into(),
    ] {
        let script = format!(
            "{} {command} | true; echo ${{PIPESTATUS[0]}}",
            env!("CARGO_BIN_EXE_fdscan")
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n", "{command}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
    }
}

#[test]
fn what_cannot_be_reported_on_has_its_exit_status() {
    let scan = Scan::run(fdscan().args(["report", "4194303"]));
    assert_eq!((scan.code(), scan.text()), (3, ""));
    let scan = Scan::run(fdscan().args(["report", "1", "--format", "pdf"]));
    assert_eq!(scan.code(), 2);
}
