//! Directories whose names have left the kernel's cache: opening their handles makes the kernel list the
//! directory above, which takes its time and which watches report.

use std::path::{Path, PathBuf};

use crate::common::{Fixture, Process, Stage, file_system, forget_names, inode, is_root, quiet};

/// Directories in one: more than chance could make slow.
const COUNT: usize = 400;

/// `COUNT` watched directories below the first of them, which is watched too, out of the cache.
fn siblings(stage: &Stage, dir: &Path, mask: &str) -> Option<Fixture> {
    if !is_root() {
        support::skip("the kernel's caches can be dropped by root only");
        return None;
    }
    if file_system(dir).contains("tmpfs") || file_system(dir).contains("overlay") {
        support::skip_optional(
            "names on a tmpfs stay in the cache, and an overlayfs has no handles",
        );
        return None;
    }
    let count = (COUNT + 1).to_string();
    let fixture = stage.mkfds_in(dir, &["watches", "--count", &count, "--mask", mask]);
    let parent = dir.join("d000000");
    for at in 1..=COUNT {
        let name = format!("d{at:06}");
        std::fs::rename(dir.join(&name), parent.join(&name)).unwrap();
    }
    Some(fixture)
}

fn cold_look(stage: &Stage, fixture: &Fixture, timeout: &str) -> Option<Process> {
    if !forget_names() {
        support::skip_optional("the kernel's caches cannot be dropped here");
        return None;
    }
    let pid = fixture.pid().to_string();
    let args = [&pid, "--json", "--path-timeout", timeout];
    Some(stage.scan(&args).process())
}

fn are_right(process: &Process) -> Vec<PathBuf> {
    let known = |watch: &&serde_json::Value| {
        let path = PathBuf::from(watch["path"].as_str()?);
        assert_eq!(inode(&path), watch["inode"], "{watch}");
        Some(path)
    };
    process.watches().iter().filter_map(known).collect()
}

#[test]
fn a_few_cold_handles_lead_to_all_directories_beside_them() {
    // Another test that drops the caches would make every handle a cold one, each time it is opened.
    let _quiet = quiet();
    let stage = Stage::new();
    let dir = stage.make("tree");
    let Some(fixture) = siblings(&stage, &dir, "0x3ce") else {
        return;
    };
    let Some(process) = cold_look(&stage, &fixture, "5") else {
        return;
    };
    assert_eq!(are_right(&process).len(), COUNT + 1);
    let by_handle = |w: &&&serde_json::Value| w["resolved_by"] == "handle";
    let opened = process.watches().iter().filter(by_handle).count();
    assert!(opened < COUNT / 2, "{opened} cold handles were opened");
}

#[test]
fn where_nothing_may_be_listed_cold_handles_are_opened_all_the_same() {
    // Another test that drops the caches would make every handle a cold one, each time it is opened.
    let _quiet = quiet();
    let stage = Stage::new();
    let dir = stage.make("tree");
    let Some(fixture) = siblings(&stage, &dir, "0x3ce") else {
        return;
    };
    let Some(process) = cold_look(&stage, &fixture, "0") else {
        return;
    };
    assert_eq!(are_right(&process).len(), COUNT + 1);
    for watch in process.watches() {
        assert_eq!(watch["resolved_by"], "handle", "{watch}");
    }
}

#[test]
fn of_cold_handles_the_process_sees_a_handful_of_looks_at_most() {
    let _quiet = quiet();
    let stage = Stage::new();
    let dir = stage.make("tree");
    let Some(mut fixture) = siblings(&stage, &dir, "0xfff") else {
        return;
    };
    let queued = |fixture: &mut Fixture| -> usize {
        fixture.victim.send("queued?");
        let line = fixture.victim.line_with("queued=");
        line.trim_start_matches("queued=").parse().unwrap()
    };
    let before = queued(&mut fixture);
    let Some(process) = cold_look(&stage, &fixture, "5") else {
        return;
    };
    // An event without a name has 16 bytes; a look has an open, some reads and a close.
    let events = (queued(&mut fixture) - before) / 16;
    assert!(events < 60, "{events} events");
    let known = are_right(&process).len();
    let rest = process
        .watches()
        .iter()
        .filter(|w| w["path"].is_null())
        .count();
    assert_eq!(known + rest, COUNT + 1);
    assert!(rest > COUNT / 2, "only {rest} handles were left unopened");
    let gaps = process.0["incomplete"].to_string();
    assert!(gaps.contains("not in the kernel's cache"), "{gaps}");
}

#[test]
fn a_removed_directory_is_not_found_under_another_name_when_all_is_cold() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["deleted-directory"]);
    let gone = fixture.path("path");
    std::fs::create_dir(&gone).unwrap();
    if !is_root() {
        return support::skip("the kernel's caches can be dropped by root only");
    }
    let Some(process) = cold_look(&stage, &fixture, "5") else {
        return;
    };
    let watch = process.watches()[0];
    assert_eq!(watch["inode"], fixture.number("inode"));
    let told = watch["deleted"] == true || watch["path"].is_null();
    assert!(told, "{watch}");
}
