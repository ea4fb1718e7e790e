//! Where the rules do not reach the program, `run` says so unasked; under an engine asked for by name nothing is started.

use super::given::{Dir, compiled, probe, run, without_rules};
use super::kept::refused;
use std::process::{Command, Output};

/// Without openat2 there is no supervisor.
const NEEDED: &[&str] = &["openat2"];

/// The library, and watchfix beside it.
fn with_library(dir: &Dir, flags: &[&str]) -> Command {
    dir.install(support::libwatchfix());
    let watchfix = dir.install(std::path::Path::new(env!("CARGO_BIN_EXE_watchfix")));
    let mut command = without_rules(watchfix);
    command.arg("run").args(flags).arg("--");
    command
}

fn ended(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_program_that_neither_library_nor_supervisor_reaches_is_named_with_the_reasons() {
    let (dir, watched) = (Dir::new(), Dir::new());
    let adds = ["add".to_owned(), watched.path(""), "0x3ee".to_owned()];
    let (status, said) = ended(&mut refused(
        NEEDED,
        with_library(&dir, &[]).arg(probe()).args(&adds),
    ));
    let line = format!(
        "watchfix: the rules do not reach this program: {} is static: no library can be preloaded into it; it is not \
         supervised: /proc or openat2",
        probe().display()
    );
    assert_eq!(status, Some(0));
    assert!(
        said.starts_with(&line) && said.lines().count() == 1,
        "{said}"
    );
    // One that the library reaches, one that asks for silence, and rules that change nothing.
    let dynamic = compiled("probe.c", "dynamic", "cc", &["-pthread"]).unwrap();
    let nothing = ["--strip", "none", "--ignore", "none", "--settle", "none"];
    for (flags, program) in [
        (&[][..], dynamic.as_path()),
        (&["-q"], probe()),
        (&nothing, probe()),
    ] {
        let mut command = with_library(&dir, flags);
        let (status, said) = ended(&mut refused(NEEDED, command.arg(program).args(&adds)));
        assert_eq!((status, &*said), (Some(0), ""), "{flags:?} {program:?}");
    }
}

#[test]
fn under_an_engine_that_does_not_reach_it_nothing_is_started() {
    let dir = Dir::new();
    for engine in ["preload", "seccomp"] {
        let mut command = with_library(&dir, &["--engine", engine]);
        let (status, said) = ended(&mut refused(NEEDED, command.arg(probe()).arg("user")));
        assert_eq!(status, Some(125), "{said}");
        let line = "watchfix: the engine that was asked for cannot be used: ";
        assert!(
            said.starts_with(line) && said.lines().count() == 1,
            "{said}"
        );
    }
}

/// The outer one's supervisor has it.
#[test]
fn below_another_run_the_inner_rules_are_said_not_to_reach_it() {
    let dir = Dir::new();
    let adds = ["add".to_owned(), dir.path(""), "0x3ee".to_owned()];
    let inner = |flags: &[&str]| {
        let run = run(flags);
        let mut outer = super::given::run(&[]);
        outer.arg(run.get_program()).args(run.get_args());
        ended(outer.arg(probe()).args(&adds))
    };
    let (status, said) = inner(&[]);
    let reason = "it is not supervised: another listener is in force already, as under another watchfix run\n";
    assert!(status == Some(0) && said.ends_with(reason), "{said}");
    assert_eq!(inner(&["--quiet"]), (Some(0), String::new()));
    let (status, said) = inner(&["--engine", "seccomp"]);
    assert!(status == Some(125) && said.lines().count() == 1, "{said}");
}
