//! Real watchers past their budget of watches (`WATCHFIX_MAX_WATCHES`): none dies, edits within it
//! arrive, and the kernel has no more watches than that.

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
    let watched = || -> BTreeSet<u64> {
        support::watches(victim.pid())
            .iter()
            .map(|w| w.inode)
            .collect()
    };
    let inodes = watched();
    assert_eq!(inodes.len(), BUDGET);
    let (within, past): (Vec<_>, Vec<_>) = entries(dir.path())
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
    let gone = within.iter().rev().find(|p| p.is_dir() && *p != dir.path());
    if let Some(gone) = gone {
        fs::remove_dir_all(gone).unwrap();
        fs::create_dir(gone).unwrap();
    }
    support::wait_until_drained(victim.pid());
    assert!(support::watches(victim.pid()).len() <= BUDGET);

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
