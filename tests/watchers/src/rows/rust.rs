//! Watchers in Rust: the notify crate, which panics on unknown mask bits, and what is built on it.

use std::path::PathBuf;
use std::process::Command;

use super::{READS, SCRIPT, installed};
use crate::{Operation, Reach, Ready, Report, Stop, Tells, Tree, Watcher, report_of};

pub(super) static ROWS: &[Watcher] = &[
    Watcher {
        name: "notify-8",
        command: |tree| notify(tree, Ok(support::binary("notify-watch", "notify8"))),
        stop: Stop::InputClosed,
        ..SCRIPT
    },
    Watcher {
        name: "notify-8-static",
        command: |tree| notify(tree, support::static_binary("notify-watch", "notify8")),
        stop: Stop::InputClosed,
        preload: Reach::Nothing,
        ..SCRIPT
    },
    Watcher {
        name: "notify-9",
        command: |tree| notify(tree, Ok(support::binary("notify-watch", "notify9"))),
        stop: Stop::InputClosed,
        ..SCRIPT
    },
    Watcher {
        name: "notify-9-static",
        command: |tree| notify(tree, support::static_binary("notify-watch", "notify9")),
        stop: Stop::InputClosed,
        preload: Reach::Nothing,
        ..SCRIPT
    },
    Watcher {
        name: "watchexec",
        command: |tree| {
            let mut command = Command::new(installed("bin/watchexec")?);
            command
                .args(["--only-emit-events", "--emit-events-to=stdio", "--watch"])
                .arg(tree.dir())
                .current_dir(tree.aside());
            Ok(command)
        },
        ready: Ready::Watching(&["", "listed"]),
        tells: Tells::Paths(watchexec),
        // Its own, seen bare, where many files are replaced at once.
        chatter: &["[[Error (not fatal)]]", "Native fs watcher error"],
        stop: Stop::Exits(libc::SIGTERM, 0),
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "cargo-watch",
        command: |tree| {
            let mut command = Command::new(installed("bin/cargo-watch")?);
            command
                .args([
                    "watch",
                    "--why",
                    "--ignore-nothing",
                    "--delay",
                    "0.1",
                    "--shell",
                    "true",
                ])
                .args(["--no-restart", "--postpone", "--watch"])
                .arg(tree.dir())
                .arg("-C")
                .arg(tree.dir());
            Ok(command)
        },
        ready: Ready::Watching(&["", "listed"]),
        tells: Tells::Paths(cargo_watch),
        chatter: &[""],
        stop: Stop::Killed,
        misses: &[Operation::Read, Operation::List],
        ..SCRIPT
    },
];

/// `modify:/dir/a.txt`
fn watchexec(line: &str) -> Vec<Report> {
    let report = line.split_once(':');
    report
        .map(|(kind, path)| report_of(kind, path))
        .into_iter()
        .collect()
}

/// `... Paths updated: [PathOp { path: "/dir/a.txt", op: Some(WRITE), cookie: None }, ...]`
fn cargo_watch(line: &str) -> Vec<Report> {
    let operations = line.split("PathOp { path: \"").skip(1);
    let fields = operations.filter_map(|o| o.split_once("\", op: "));
    let without_cookie = |op: &str| op.split(", cookie").next().unwrap_or_default().to_owned();
    fields
        .map(|(path, op)| report_of(&without_cookie(op), path))
        .collect()
}

fn notify(tree: &Tree, program: Result<PathBuf, String>) -> Result<Command, String> {
    let mut command = Command::new(program?);
    command.arg(tree.dir());
    Ok(command)
}
