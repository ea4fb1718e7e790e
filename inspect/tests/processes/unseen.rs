//! fdscan looks and leaves no trace: what it does is not an event to the process it looks at.

use std::path::Path;

use crate::common::{Fixture, Stage, quiet};

/// How many bytes of events wait in the fixture's instance.
fn queued(fixture: &mut Fixture) -> u64 {
    fixture.victim.send("queued?");
    let line = fixture.victim.line_with("queued=");
    line.strip_prefix("queued=").unwrap().parse().unwrap()
}

/// Looks in every way, as root if the tests run as root and as the victim's user, and counts events.
fn nothing_is_woken(stage: &Stage, mut fixture: Fixture) {
    let before = queued(&mut fixture);
    let pid = fixture.pid().to_string();
    for args in [&[pid.as_str()][..], &[&pid, "--json"], &[&pid, "--all"]] {
        assert_eq!(stage.scan(args).code(), 0);
        assert_eq!(queued(&mut fixture), before, "fdscan {args:?} woke it");
        assert_eq!(stage.scan_as_user(args).code(), 0);
        assert_eq!(
            queued(&mut fixture),
            before,
            "fdscan {args:?} without privilege woke it"
        );
    }
}

/// Every event there is.
const ALL: [&str; 2] = ["--mask", "0xfff"];

fn with_all<'a>(state: &[&'a str]) -> Vec<&'a str> {
    state.iter().chain(&ALL).copied().collect()
}

#[test]
fn watched_directories_are_not_opened() {
    let _quiet = quiet();
    let stage = Stage::unprivileged(60181);
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &with_all(&["watches", "--count", "50"]));
    nothing_is_woken(&stage, fixture);
}

#[test]
fn watched_files_are_not_opened() {
    let _quiet = quiet();
    let stage = Stage::unprivileged(60182);
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &with_all(&["watch-files", "--count", "50"]));
    nothing_is_woken(&stage, fixture);
}

#[test]
fn a_watched_log_is_not_opened() {
    let _quiet = quiet();
    let stage = Stage::unprivileged(60183);
    for on in ["directory", "file"] {
        let dir = stage.make(on);
        let fixture = stage.mkfds_in(&dir, &with_all(&["self-watch", "--on", on]));
        nothing_is_woken(&stage, fixture);
    }
}

#[test]
fn a_watched_database_is_not_opened() {
    let _quiet = quiet();
    let stage = Stage::unprivileged(60184);
    for on in ["directory", "file", "wal"] {
        let dir = stage.make(on);
        let fixture = stage.mkfds_in(&dir, &with_all(&["sqlite-self-watch", "--on", on]));
        nothing_is_woken(&stage, fixture);
    }
}

#[test]
fn the_test_counts_events_that_do_happen() {
    let _quiet = quiet();
    let stage = Stage::unprivileged(60185);
    let dir = stage.make("tree");
    let mut fixture = stage.mkfds_in(&dir, &with_all(&["watch-files", "--count", "1"]));
    assert_eq!(queued(&mut fixture), 0);
    std::fs::read(Path::new(&dir).join("f000000")).unwrap();
    assert_ne!(queued(&mut fixture), 0);
}

#[test]
fn a_watched_program_is_not_opened() {
    let _quiet = quiet();
    let stage = Stage::unprivileged(60186);
    let dir = stage.make("bin");
    // The directory its own program and library lie in: its ELF headers are read.
    let program = dir.join("tool");
    support::install(stage.mkfds_binary(), &program);
    let mut command = stage.command(&program);
    command
        .args(with_all(&["self-watch"]))
        .arg("--dir")
        .arg(&dir);
    let fixture = Fixture::start(&mut command);
    nothing_is_woken(&stage, fixture);
}
