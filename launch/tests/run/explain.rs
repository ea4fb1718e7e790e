//! `--explain`: what would be used, and nothing is started.

use super::given::{Dir, output, probe, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn explained(command: &str) -> String {
    output(run(&["--explain"]).arg(command))
}

#[test]
fn a_static_program_a_dynamic_one_and_a_script_are_told_apart() {
    let text = explained(probe().to_str().unwrap());
    assert!(
        text.contains("program     static: no library can be preloaded into it\n"),
        "{text}"
    );
    assert!(
        text.contains("library     none: there is no libwatchfix.so in "),
        "{text}"
    );
    assert!(
        text.contains("supervisor  for watches with any of access,modify,"),
        "{text}"
    );
    assert!(
        text.contains("\nreads       of instances that do not wait (O_NONBLOCK) are judged ")
            && text.contains("\nchmod       is told from touch where reads are judged; "),
        "{text}"
    );
    let text = explained("sh");
    assert!(
        text.contains("program     dynamic, 64-bit\nloader      /"),
        "{text}"
    );
    let dir = Dir::new();
    let script = dir.path("script");
    fs::write(&script, "#!/usr/bin/env sh\ntouch started\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let text = explained(&script);
    assert!(
        text.contains("script of   /usr/bin/env sh\nprogram     dynamic, 64-bit\n"),
        "{text}"
    );
    assert!(!fs::exists("started").unwrap());
}

#[test]
fn what_gains_privileges_is_named() {
    let dir = Dir::new();
    let program = dir.path("program");
    fs::copy("/bin/true", &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    assert!(explained(&program).contains("privileges  set-user-ID: "));
}

#[test]
fn a_command_that_cannot_be_started_has_the_status_it_would_have() {
    let dir = Dir::new();
    fs::write(dir.path("file"), "").unwrap();
    for (command, status) in [("no-such-command".to_owned(), 127), (dir.path("file"), 126)] {
        let ended = run(&["--explain"]).arg(&command).output().unwrap();
        assert_eq!(
            (ended.status.code(), ended.stdout.len()),
            (Some(status), 0),
            "{command}"
        );
    }
}

#[test]
fn a_supervisor_that_only_settles_is_told_from_one_that_judges() {
    let text = output(run(&["--explain", "--strip", "none", "--ignore", "none"]).arg("true"));
    let line = "supervisor  for directories with an open database: their watches settle later\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn rules_that_change_nothing_need_no_supervisor() {
    let flags = [
        "--explain",
        "--strip",
        "none",
        "--ignore",
        "none",
        "--settle",
        "none",
    ];
    let text = output(run(&flags).arg("true"));
    assert!(
        text.contains("supervisor  none: the rules change no watch\n"),
        "{text}"
    );
}
