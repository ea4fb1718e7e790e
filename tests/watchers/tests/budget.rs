//! Real watchers past their budget of watches (`WATCHFIX_MAX_WATCHES`, `--max-watches`): none dies, edits within
//! it arrive, and the kernel has no more watches than that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::Victim;
use tempfile::TempDir;

const BUDGET: usize = 5;

/// Directories with a file each: every watcher wants more watches than its budget.
fn tree() -> TempDir {
    let dir = tempfile::Builder::new().prefix("tree").tempdir().unwrap();
    for i in 0..12 {
        let below = dir.path().join(format!("d{i}"));
        fs::create_dir(&below).unwrap();
        support::overwrite(&below.join("file"), "before\n");
    }
    dir
}

/// What is in the tree, itself included.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_path_buf()];
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            all.extend(entries(&entry.path()));
        } else {
            all.push(entry.path());
        }
    }
    all
}

/// `command` watches the tree that is its last argument, recursively.
fn lives_within_its_budget(tool: &str, args: &[&str]) {
    let Some(tool) = support::tool(tool) else {
        return support::skip(&format!("no {tool}: scripts/install-test-tools says why"));
    };
    let dir = tree();
    let mut command = Command::new(tool);
    command
        .args(args)
        .arg(dir.path())
        .env("LD_PRELOAD", support::libwatchfix())
        .env("WATCHFIX_MAX_WATCHES", BUDGET.to_string());
    let mut victim = Victim::spawn(&mut command);
    victim.line_with("READY");
    let pid = victim.pid();
    edits_within_arrive(&mut victim, pid, dir.path());
    stops_cleanly(victim);
}

/// Edits whatever is in `dir`, of which process `pid` watches as much as its budget lets it, and `victim` tells.
fn edits_within_arrive(victim: &mut Victim, pid: u32, dir: &Path) {
    let watches = support::watches(pid);
    let inodes: BTreeSet<u64> = watches.iter().map(|w| w.inode).collect();
    assert_eq!(inodes.len(), BUDGET);
    let (within, past): (Vec<_>, Vec<_>) = entries(dir)
        .into_iter()
        .partition(|path| inodes.contains(&path.metadata().unwrap().ino()));
    assert_eq!(within.len(), BUDGET);

    for path in &past {
        if path.is_dir() {
            support::overwrite(&path.join("unseen"), "new\n");
        } else {
            support::append(path, "more\n");
        }
    }
    for path in &within {
        let edited = if path.is_dir() {
            let new = path.join("new");
            support::overwrite(&new, "new\n");
            new
        } else {
            support::append(path, "more\n");
            path.clone()
        };
        let report = format!("\t{}", edited.display());
        victim.lines_until(&report, |line| line.ends_with(&report));
    }
    // A directory that goes makes room, and one that comes wants a watch.
    let gone = within.iter().rev().find(|p| p.is_dir() && *p != dir);
    if let Some(gone) = gone {
        fs::remove_dir_all(gone).unwrap();
        fs::create_dir(gone).unwrap();
    }
    support::wait_until_drained(pid);
    assert!(support::watches(pid).len() <= BUDGET);
}

fn stops_cleanly(victim: Victim) {
    victim.signal(libc::SIGTERM);
    let (status, lines) = victim.finish();
    assert!(status.success(), "{status}: {lines:#?}");
    assert!(lines.iter().any(|line| line == "STOPPED"), "{lines:#?}");
    for line in &lines {
        let words = ["ERROR", "Error", "Traceback", "panicked", "Unhandled"];
        assert!(!words.iter().any(|w| line.contains(w)), "{lines:#?}");
    }
}

fn script(name: &str) -> String {
    watchers::script(name).to_str().unwrap().to_owned()
}

#[test]
fn node_fs_watch_recursive() {
    lives_within_its_budget("watchfix-node", &[&script("fs_watch.js"), "--recursive"]);
}

#[test]
fn chokidar() {
    lives_within_its_budget("watchfix-node", &[&script("chokidar.js"), "chokidar4"]);
}

#[test]
fn parcel() {
    let parcel = support::root().join("target/tools/node_modules/@parcel/watcher");
    if !parcel.is_dir() {
        return support::skip("no @parcel/watcher: scripts/install-test-tools says why");
    }
    lives_within_its_budget("watchfix-node", &[&script("parcel.js")]);
}

#[test]
fn watchdog() {
    lives_within_its_budget("watchfix-python", &[&script("watchdog_watch.py")]);
}

#[test]
fn watchfiles() {
    lives_within_its_budget("watchfix-python", &[&script("watchfiles_watch.py")]);
}

/// The tree's directories, as arguments.
fn directories(dir: &Path) -> Vec<PathBuf> {
    let all = entries(dir).into_iter();
    all.filter(|path| path.is_dir()).collect()
}

/// A command that `watchfix run` starts with the budget.
fn run(log: &Path, program: &Path) -> Command {
    let mut command = Command::new(support::watchfix());
    command.args(["run", "--max-watches", &BUDGET.to_string(), "--log"]);
    command.arg(log).arg("--").arg(program);
    command
}

/// The process whose budget the log says is used up: it says so once.
fn who_used_it_up(log: &Path) -> u32 {
    let text = fs::read_to_string(log).unwrap();
    let said: Vec<_> = text.lines().filter(|l| l.contains("are used up")).collect();
    let [line] = said.as_slice() else {
        panic!("{text}")
    };
    let pid = line
        .strip_prefix("watchfix[")
        .and_then(|l| l.split(']').next());
    pid.and_then(|pid| pid.parse().ok()).expect(line)
}

#[test]
fn a_static_go_program_under_watchfix_run() {
    let go = match watchers::rows::static_go() {
        Ok(program) => program,
        Err(why) => return support::skip(&why),
    };
    let (dir, aside) = (tree(), TempDir::new().unwrap());
    let log = aside.path().join("log");
    let mut command = run(&log, &go);
    let mut victim = Victim::spawn_group(command.args(directories(dir.path())));
    victim.line_with("READY");
    edits_within_arrive(&mut victim, who_used_it_up(&log), dir.path());
    // Among them the removals of the watches that were never made.
    stops_cleanly(victim);
    who_used_it_up(&log);
}

/// As root of a user namespace in which every user may have so many watches.
fn where_watches_are_few(most: usize, command: &Command) -> Command {
    let mut few = Command::new("unshare");
    few.args(["--user", "--map-root-user", "sh", "-c"]);
    few.arg("echo $0 >/proc/sys/user/max_inotify_watches && exec \"$@\"");
    few.arg(most.to_string());
    few.arg(command.get_program()).args(command.get_args());
    few
}

#[test]
fn others_of_its_user_still_get_the_watches_that_a_static_go_program_would_have_used_up() {
    let go = match watchers::rows::static_go() {
        Ok(program) => program,
        Err(why) => return support::skip(&why),
    };
    let tried = where_watches_are_few(1, &Command::new("true")).output();
    if !tried.is_ok_and(|run| run.status.success()) {
        return support::skip("this user may not make a user namespace");
    }
    let (dir, aside) = (tree(), TempDir::new().unwrap());
    let directories = directories(dir.path());
    let others = 3;
    let most = BUDGET + others;
    assert!(directories.len() > most);

    let mut bare = Command::new(&go);
    let died = where_watches_are_few(most, bare.args(&directories)).output();
    let died = died.unwrap();
    assert!(!died.status.success());
    let why = String::from_utf8_lossy(&died.stderr).into_owned();
    assert!(why.contains("no space left on device"), "{why}");

    let log = aside.path().join("log");
    let command = &mut run(&log, &go);
    let command = &mut where_watches_are_few(most, command.args(&directories));
    let mut victim = Victim::spawn_group(command);
    victim.line_with("READY");
    let pid = who_used_it_up(&log);
    let beside = |directories: &[PathBuf]| {
        let mut other = Command::new("nsenter");
        let pid = pid.to_string();
        other.args(["--user", "--preserve-credentials", "--target", &pid]);
        Victim::spawn(other.arg(&go).args(directories))
    };
    let mut other = beside(&directories[..others]);
    other.line_with("READY");
    // And no more: the limit is in force.
    let (status, lines) = beside(&directories[..1]).finish();
    assert!(!status.success(), "{lines:#?}");
    stops_cleanly(other);
    stops_cleanly(victim);
}
