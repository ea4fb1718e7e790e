//! `--undo` and its record.

use super::stage::{
    Run, ask, bare, directory, heal, keeper, keeper_binary, masks, mkfds, needs_root, ready,
    records_of,
};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where the records of this user are.
fn records() -> PathBuf {
    let user = inspect::effective_user();
    let parent = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usual = PathBuf::from(format!("/run/user/{user}"));
    let name = inspect::gather::records_directory();
    match parent {
        _ if support::is_root() => Path::new("/run").join(name),
        Some(parent) if parent.is_absolute() && parent.is_dir() => parent.join(name),
        _ if usual.is_dir() => usual.join(name),
        _ => records_of(user).into(),
    }
}

pub fn record_of(pid: u32) -> Option<PathBuf> {
    let entries = std::fs::read_dir(records()).ok()?;
    let prefix = format!("{pid}-");
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(&prefix)
    })
}

#[test]
fn the_masks_of_before_come_back_also_after_healing_twice() {
    let (_dir, path) = directory();
    let args = [
        "watches",
        "--count",
        "6",
        "--mask",
        "0x3ee",
        "--mask",
        "0x84000fff",
    ];
    let victim = mkfds(&path, &args);
    let before = masks(victim.pid());
    heal(victim.pid(), &[]).good();
    heal(victim.pid(), &["--strip", "all_events"]).good();
    assert_eq!(masks(victim.pid()).get(&0), Some(&3));
    let said = heal(victim.pid(), &["--undo"]).good();
    assert!(said.starts_with("restored 6 of 6 watches in "), "{said}");
    assert_eq!(masks(victim.pid()), before);
    assert_eq!(record_of(victim.pid()), None);
}

#[test]
fn without_a_record_nothing_is_undone_and_that_is_said() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "1", "--mask", "0x3ee"]);
    let run = heal(victim.pid(), &["--undo"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.contains("there is no record of process"),
        "{}",
        run.err
    );
}

#[test]
fn a_watch_that_was_placed_anew_since_is_left_alone() {
    let (_dir, path) = directory();
    let mut victim = keeper(&["serve"]);
    let fd = ask(&mut victim, "new");
    for name in ["a", "b"] {
        std::fs::create_dir(path.join(name)).unwrap();
        ask(
            &mut victim,
            &format!("add {fd} 3ee {}", path.join(name).display()),
        );
    }
    heal(victim.pid(), &[]).good();
    ask(
        &mut victim,
        &format!("add {fd} 102 {}", path.join("a").display()),
    );
    let said = heal(victim.pid(), &["--undo"]).good();
    assert!(said.contains("left alone: 1 watch"), "{said}");
    assert_eq!(
        masks(victim.pid()),
        BTreeMap::from([(0x102, 1), (0x3ee, 1)])
    );
}

#[test]
fn the_record_is_for_its_owner_alone_and_goes_with_the_process() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "1", "--mask", "0x3ee"]);
    let pid = victim.pid();
    heal(pid, &[]).good();
    let record = record_of(pid).expect("a record was kept");
    let mode = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&record), mode(&records())), (0o600, 0o700));
    victim.finish();
    // Any other run sweeps.
    let other = mkfds(&path, &["watches", "--count", "1", "--mask", "0x3ee"]);
    heal(other.pid(), &[]).good();
    assert!(!record.exists());
}

/// A record is removed with its process. What has another PID here than there, or none, has not ended.
#[test]
fn a_record_of_another_pid_namespace_that_keeps_them_in_the_same_place_stays() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = directory();
    let mut there = support::in_pid_namespace();
    let mut victim = ready(there.arg(keeper_binary()).arg("serve"));
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}", path.display()));
    let keeper = support::first_child(victim.pid());
    let heal_there = |args: &[&str]| {
        let mut beside = bare(support::beside(keeper));
        beside.args([env!("CARGO_BIN_EXE_watchfix"), "heal", "1"]);
        Run::of(beside.args(args).output().unwrap()).good()
    };
    heal_there(&[]);
    let here = mkfds(&path, &["watches", "--count", "1", "--mask", "0x3ee"]);
    heal(here.pid(), &[]).good();
    let said = heal_there(&["--undo"]);
    assert!(said.starts_with("restored 1 of 1 watch, "), "{said}");
    assert_eq!(masks(keeper), BTreeMap::from([(0x3ee, 1)]));
    let namespace = support::pid_namespace(keeper);
    std::fs::remove_dir(format!("/run/watchfix-{namespace}")).unwrap();
}
