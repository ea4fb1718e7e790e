//! `watchfix run`: what the program it starts hears, and what is said where it cannot be covered.

use crate::machine::{Ended, Machine};
use crate::tree::{DIRECTORIES, Tree};
use crate::watcher::{Kind, Watcher, masks};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// How a program is covered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cover {
    /// By library or supervisor: names are filtered.
    Reads,
    Masks,
    Nothing,
}

fn run(machine: &Machine, flags: &[&str], kind: Kind) -> Command {
    let mut command = machine.program("watchfix");
    command
        .arg("run")
        .args(flags)
        .arg("--")
        .arg(machine.file(kind.name()));
    command
}

fn supervised(machine: &Machine) -> Cover {
    match (machine.may_supervise(), machine.judges_reads()) {
        (true, true) => Cover::Reads,
        (true, false) => Cover::Masks,
        (false, _) => Cover::Nothing,
    }
}

/// The library for dynamic programs, the supervisor for all others.
pub fn auto(machine: &Machine, kind: Kind) {
    let cover = if kind == Kind::Dynamic {
        Cover::Reads
    } else {
        supervised(machine)
    };
    covered(machine, &["--engine", "auto"], kind, cover);
}

/// The supervisor for all; where there can be none, nothing is started.
pub fn seccomp(machine: &Machine, kind: Kind) {
    let flags = ["--engine", "seccomp"];
    if supervised(machine) == Cover::Nothing {
        let ended = Ended::of(&mut run(machine, &flags, kind));
        assert_eq!(ended.status, Some(125), "{ended:?}");
        return assert!(ended.err.contains("Yama"), "{}", ended.err);
    }
    covered(machine, &flags, kind, supervised(machine));
}

fn covered(machine: &Machine, flags: &[&str], kind: Kind, cover: Cover) {
    let tree = Tree::new();
    let mut watcher = Watcher::by(run(machine, flags, kind), "0x3ee", &tree.directories());
    let said = watcher.said();
    let uncovered = said.contains("the rules do not reach this program");
    assert_eq!(uncovered, cover == Cover::Nothing, "{said}");
    let mask = if cover == Cover::Nothing {
        0x3ee
    } else {
        0x3ce
    };
    // The launcher may be between.
    let pid = watching(watcher.pid());
    assert_eq!(masks(pid), BTreeMap::from([(mask, DIRECTORIES)]));
    watcher.heard();
    fs::read(tree.config()).unwrap();
    let reads = watcher.heard();
    assert_eq!(
        reads.is_empty(),
        cover != Cover::Nothing,
        "after a read: {reads:?}"
    );
    support::overwrite(&tree.path("state.sqlite"), "");
    let names = watcher.heard();
    assert_eq!(
        names.is_empty(),
        cover == Cover::Reads,
        "a database's file: {names:?}"
    );
    support::overwrite(&tree.config(), "edited");
    let mut edits = watcher.heard();
    // What an OPEN stands between is not joined by the kernel: the file is emptied, and written.
    edits.retain(|event| !event.starts_with("OPEN"));
    edits.dedup();
    assert_eq!(edits, ["MODIFY config.toml", "CLOSE_WRITE config.toml"]);
    assert_eq!(watcher.end().code(), Some(0));
}

/// The process that has watches: `pid` or the one below it.
fn watching(pid: u32) -> u32 {
    let mut found = None;
    support::wait_until("a process has watches", || {
        found = below(pid)
            .into_iter()
            .find(|&pid| !support::inotify_fds(pid).is_empty() && !masks(pid).is_empty());
        found.is_some()
    });
    found.unwrap()
}

/// `pid` and all processes below it.
fn below(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut at = 0;
    while at < all.len() {
        let tasks = fs::read_dir(format!("/proc/{}/task", all[at]))
            .into_iter()
            .flatten()
            .flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(
                children
                    .split(' ')
                    .filter_map(|pid| pid.trim().parse::<u32>().ok()),
            );
        }
        at += 1;
    }
    all
}

/// As if the command had been started directly.
pub fn status(machine: &Machine) {
    for engine in ["auto", "seccomp"] {
        if engine == "seccomp" && supervised(machine) == Cover::Nothing {
            continue;
        }
        let ended = machine.watchfix(&[
            "run", "--quiet", "--engine", engine, "--", "sh", "-c", "exit 9",
        ]);
        assert_eq!(ended.status, Some(9), "{engine}: {ended:?}");
        let ended = machine.watchfix(&[
            "run",
            "--quiet",
            "--engine",
            engine,
            "--",
            "sh",
            "-c",
            "kill -9 $$",
        ]);
        assert!(
            matches!(ended.status, None | Some(137)),
            "{engine}: {ended:?}"
        );
    }
}

/// It promises a supervisor, and judged reads, exactly where there are some.
pub fn explain(machine: &Machine) {
    let program = machine.file(Kind::Static.name());
    let said = machine
        .watchfix(&["run", "--explain", "--", program.to_str().unwrap()])
        .with(0);
    let cover = supervised(machine);
    assert_eq!(
        said.contains("\nsupervisor  for watches with any of "),
        cover != Cover::Nothing,
        "{said}"
    );
    assert_eq!(
        said.contains("\nreads       of instances that do not wait (O_NONBLOCK) are judged "),
        cover == Cover::Reads,
        "{said}"
    );
}

/// A call that a signal interrupts has placed nothing, or what the repeated one gets.
pub fn signals(machine: &Machine) {
    if supervised(machine) == Cover::Nothing {
        return;
    }
    let tree = Tree::new();
    let program = machine.file("kernels");
    for hertz in ["100", "300"] {
        let words = [
            "run",
            "--engine",
            "seccomp",
            "--",
            program.to_str().unwrap(),
            "signals",
            "300",
        ];
        let ended = machine
            .watchfix(&[&words[..], &[tree.top().to_str().unwrap(), hertz]].concat())
            .with(0);
        assert!(
            ended.starts_with("placed 300 ") && ended.contains("passed over 0 errors []"),
            "{hertz} Hz: {ended}"
        );
    }
}

/// The processes of watchfix below `pid`, the launcher first.
fn of_watchfix(pid: u32) -> Vec<u32> {
    let named = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "watchfix\n")
    };
    below(pid).into_iter().filter(named).collect()
}

fn kill(pid: u32) {
    // SAFETY: a process that this check has started, by its PID.
    unsafe { libc::kill(pid as i32, libc::SIGKILL) };
}

/// The program goes on, unfiltered.
pub fn supervisor_killed(machine: &Machine) {
    after_kill(machine, false);
}

/// Nobody holds the listener any more where the launcher is killed as well: the kernel refuses new watches, and reads where these are
/// judged (seccomp_unotify(2)). docs/run.md says so.
pub fn both_killed(machine: &Machine) {
    after_kill(machine, true);
}

fn after_kill(machine: &Machine, launcher: bool) {
    if supervised(machine) == Cover::Nothing {
        return;
    }
    let tree = Tree::new();
    let directories = tree.directories();
    // Of another process, so that its end does not end the program.
    let mut watcher = Watcher::by(
        run(machine, &["--engine", "seccomp"], Kind::Static),
        "0x3ee",
        &directories[..2],
    );
    let mut own = of_watchfix(watcher.pid());
    let first = own.remove(0);
    assert!(
        !own.is_empty(),
        "there is no supervisor: {:?}",
        below(watcher.pid())
    );
    own.iter().for_each(|&pid| kill(pid));
    if launcher {
        kill(first);
    }
    let added = watcher.try_add("0x3ee", &directories[2]);
    assert_eq!(
        added
            .as_ref()
            .err()
            .is_some_and(|why| why.contains("not implemented")),
        launcher,
        "{added:?}"
    );
    watcher.heard();
    support::overwrite(&tree.config(), "edited");
    let heard = watcher.heard();
    let deaf = launcher && machine.judges_reads();
    assert_eq!(
        heard.contains(&"CLOSE_WRITE config.toml".to_owned()),
        !deaf,
        "{heard:?}"
    );
}
