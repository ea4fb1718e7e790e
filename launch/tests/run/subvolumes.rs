//! A database settles its directory where subvolumes share inode numbers, and no other directory of that number.

use super::given::{Dir, output, probe};
use std::path::Path;
use std::process::Command;
use support::{DEADLINE, Victim, watches};

/// `watchfix run` in a mount namespace of its own, where `a/d` and `b/d` below the directory lie in two subvolumes and
/// have one inode number.
fn run_beside_subvolumes(dir: &Dir) -> Option<Command> {
    if !support::has_btrfs() {
        return None;
    }
    let script = format!(
        "{} umount -l top; shift; exec \"$0\" \"$@\"",
        support::subvolumes("mkdir top/$s/d;")
    );
    let watchfix = Path::new(env!("CARGO_BIN_EXE_watchfix"));
    let mut command = support::in_own_mounts(watchfix, Path::new(&dir.path("")), &script)?;
    support::with_usual_signals(support::without_rules(&mut command));
    command.args(["run", "--"]);
    Some(command)
}

#[test]
fn a_database_in_a_subvolume_settles_its_directory_and_no_other_one() {
    for (watched, mask) in [("a/d", "0xfcc"), ("b/d", "0xfce")] {
        let dir = Dir::new();
        let Some(mut run) = run_beside_subvolumes(&dir) else {
            return;
        };
        let (database, log) = (dir.path("a/d/s.db"), dir.path("a/d/s.db-wal"));
        let add = [
            "open",
            &database,
            "open",
            &log,
            "add",
            &dir.path(watched),
            "0xfee",
        ];
        let text = output(run.arg(probe()).args(add));
        assert!(
            text.ends_with(&format!("mask {mask}\n")),
            "{watched}: {text}"
        );
    }
}

#[test]
fn a_database_opened_late_settles_the_directory_it_lies_in() {
    let dir = Dir::new();
    let Some(mut run) = run_beside_subvolumes(&dir) else {
        return;
    };
    run.arg(probe()).args(["add", &dir.path("b/d"), "0xfce"]);
    run.args(["add", &dir.path("a/d"), "0xfce", "wait"]);
    run.args([
        "open",
        &dir.path("a/d/s.db"),
        "open",
        &dir.path("a/d/s.db-wal"),
        "wait",
    ]);
    let mut victim = Victim::spawn(&mut run);
    let line = victim.line_with("ready ");
    let pid: u32 = line.trim_start_matches("ready ").parse().unwrap();
    victim.send("");
    victim.line_with("ready ");
    let start = std::time::Instant::now();
    let masks = || {
        let all = watches(pid);
        all.iter().map(|w| (w.wd, w.mask)).collect::<Vec<_>>()
    };
    while !masks().contains(&(2, 0xfcc)) {
        assert!(start.elapsed() < DEADLINE, "{:x?}", masks());
        // Nothing announces that a mask has changed.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(masks().contains(&(1, 0xfce)), "{:x?}", masks());
}
