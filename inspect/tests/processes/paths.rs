//! From an inode to a path: by handle as root, by candidates as anyone, never by a guess.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::common::{
    Fixture, Process, Stage, file_system, forget_names, inode, is_root, json_path, quiet,
};

/// Whether the kernel opens handles here; says so when it does not.
fn handles_can_be_opened(dir: &Path) -> bool {
    if !is_root() {
        support::skip("open_by_handle_at needs CAP_DAC_READ_SEARCH, so root");
        return false;
    }
    let kind = file_system(dir);
    if kind.contains("overlay") {
        support::skip_optional("overlayfs answers ESTALE to a handle of fdinfo");
        return false;
    }
    true
}

#[test]
fn root_resolves_every_directory_by_its_handle() {
    // Nobody drops the kernel's names meanwhile.
    let _quiet = quiet();
    let stage = Stage::new();
    let dir = stage.make("tree");
    if !handles_can_be_opened(&dir) {
        return;
    }
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "5299"]);
    let process = stage.look(&fixture);
    let resolved: BTreeMap<u64, &str> = process
        .watches()
        .iter()
        .map(|w| {
            assert_eq!(w["resolved_by"], "handle", "{w}");
            (w["wd"].as_u64().unwrap(), w["path"].as_str().unwrap())
        })
        .collect();
    assert_eq!(resolved.len(), 5299);
    for (wd, path) in resolved {
        assert_eq!(path, dir.join(format!("d{:06}", wd - 1)).to_str().unwrap());
    }
}

#[test]
fn a_regular_file_nobody_has_looked_up_is_never_called_the_root_directory() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    if !handles_can_be_opened(&dir) {
        return;
    }
    let fixture = stage.mkfds_in(&dir, &["watch-files", "--count", "50"]);
    // With a cold dcache the kernel opens a file's handle as "/", without an error.
    if !forget_names() {
        return support::skip_optional("the kernel's caches cannot be dropped here");
    }
    paths_are_right_or_unknown(&stage.look(&fixture), &fixture);
}

/// A resolved path leads to the watch's inode; an unresolved one is explained (by the schema check).
fn paths_are_right_or_unknown(process: &Process, fixture: &Fixture) {
    let all = process.watches();
    assert!(!all.is_empty(), "PID {} has watches", fixture.pid());
    for watch in all {
        if let Some(path) = watch["path"].as_str() {
            assert_eq!(inode(Path::new(path)), watch["inode"], "{watch}");
        }
    }
}

#[test]
fn regular_files_have_their_own_names_or_no_name() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watch-files", "--count", "300"]);
    paths_are_right_or_unknown(&stage.look(&fixture), &fixture);
}

#[test]
fn without_privilege_every_watch_is_counted_and_no_path_is_a_guess() {
    let stage = Stage::unprivileged(60111);
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "5299"]);
    let process = stage.look_as_user(&fixture);
    assert_eq!(process.watches().len(), 5299);
    for watch in process.watches() {
        assert_ne!(watch["resolved_by"], "handle", "{watch}");
    }
    paths_are_right_or_unknown(&process, &fixture);
    process.finding("watch-wakes-on-read", "info");
}

#[test]
fn without_privilege_the_working_directory_is_a_candidate() {
    let stage = Stage::unprivileged(60112);
    let dir = stage.make("work");
    let fixture = stage.mkfds_with(&["dup", "--dir", "."], |c| {
        c.current_dir(&dir);
    });
    let process = stage.look_as_user(&fixture);
    for watch in process.watches() {
        assert_eq!(watch["path"], dir.to_str().unwrap());
        assert_ne!(watch["resolved_by"], "handle");
    }
}

#[test]
fn without_privilege_the_directory_of_an_open_file_is_a_candidate() {
    let stage = Stage::unprivileged(60113);
    let dir = stage.make("logs");
    let fixture = stage.mkfds_in(&dir, &["self-watch"]);
    let process = stage.look_as_user(&fixture);
    assert_eq!(process.watches()[0]["path"], dir.to_str().unwrap());
    // So the finding does not need root either.
    process.finding("self-watch", "warning");
}

#[test]
fn a_removed_directory_is_not_given_its_old_name_as_if_it_were_there() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["deleted-directory"]);
    let process = stage.look(&fixture);
    let all = process.watches();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["inode"], fixture.number("inode"));
    is_gone_or_unknown(all[0], &fixture.path("path"));
}

/// A path that is told at all is told to be gone.
fn is_gone_or_unknown(watch: &Value, gone: &Path) {
    if let Some(path) = watch["path"].as_str() {
        assert_eq!(path, gone.to_str().unwrap());
        assert_eq!(watch["deleted"], true, "{watch}");
    }
}

#[test]
fn a_new_directory_of_the_same_name_is_not_taken_for_the_removed_one() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["deleted-directory"]);
    let gone = fixture.path("path");
    std::fs::create_dir(&gone).unwrap();
    let process = stage.look(&fixture);
    let watch = process.watches()[0];
    assert_eq!(watch["inode"], fixture.number("inode"));
    is_gone_or_unknown(watch, &gone);
}

#[test]
fn a_directory_really_called_deleted_keeps_its_name() {
    let stage = Stage::new();
    let dir = stage.make("a (deleted)");
    let fixture = stage.mkfds_in(&dir, &["self-watch"]);
    let process = stage.look(&fixture);
    assert_eq!(process.watches()[0]["path"], json_path(&dir));
    process.finding("self-watch", "warning");
}

#[test]
fn a_directory_moved_after_it_was_watched_has_its_new_name() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    if !handles_can_be_opened(&dir) {
        return;
    }
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "1"]);
    let new = dir.join("renamed");
    std::fs::rename(dir.join("d000000"), &new).unwrap();
    let process = stage.look(&fixture);
    assert_eq!(process.watches()[0]["path"], new.to_str().unwrap());
}
