//! The walk: what neither handles nor known places show is found by listing, within its time, on the
//! right file systems, and unseen by the process.

use std::path::Path;

use crate::common::{Fixture, Process, Stage, forget_names, inode, is_root, quiet};

/// Directories are found by their parents, and without opens nobody is woken.
const QUIET: &str = "0x3ce";
/// Long enough for any machine the tests run on.
const PATIENT: [&str; 3] = ["--json", "--path-timeout", "60"];

fn look(stage: &Stage, fixture: &Fixture, args: &[&str]) -> Process {
    let pid = fixture.pid().to_string();
    stage.scan(&[&[pid.as_str()], args].concat()).process()
}

fn look_as_user(stage: &Stage, fixture: &Fixture, args: &[&str]) -> Process {
    let pid = fixture.pid().to_string();
    let args = [&[pid.as_str()], args].concat();
    stage.scan_as_user(&args).process()
}

/// Every watch has a path that leads to its inode.
fn all_are_found(process: &Process, by: &str) {
    assert!(!process.watches().is_empty());
    for watch in process.watches() {
        assert_eq!(watch["resolved_by"], by, "{watch}");
        let path = watch["path"].as_str().unwrap();
        assert_eq!(inode(Path::new(path)), watch["inode"], "{watch}");
    }
}

/// No watch has a path, and each says why in these words; so does the roll-up.
fn none_is_found(process: &Process, why: &str) {
    for watch in process.watches() {
        assert!(watch["path"].is_null(), "{watch}");
        let reason = watch["unresolved"].as_str().unwrap();
        assert!(reason.contains(why), "{reason}");
    }
    let gap = process
        .list("incomplete")
        .iter()
        .find(|gap| gap["what"] == "paths of watches")
        .unwrap();
    assert_eq!(gap["count"], process.watches().len());
    assert!(gap["why"].as_str().unwrap().contains(why), "{gap}");
}

/// `mkfds` in `dir`, which it names nowhere.
fn hidden_in(stage: &Stage, dir: &Path, args: &[&str]) -> Fixture {
    let mut command = stage.command(Path::new("sh"));
    let script = "cd \"$1\" && shift && exec \"$@\" <&0";
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    command.args(["-c", script, "sh"]).arg(dir);
    command
        .arg(stage.mkfds_binary())
        .args(args)
        .args(["--dir", "."]);
    Fixture::start(&mut command)
}

#[test]
fn without_privilege_thousands_of_directories_are_found() {
    let stage = Stage::unprivileged(60301);
    let dir = stage.make("tree");
    let fixture = hidden_in(
        &stage,
        &dir,
        &["watches", "--count", "5299", "--mask", QUIET],
    );
    all_are_found(&look_as_user(&stage, &fixture, &PATIENT), "walk");
}

#[test]
fn files_without_a_name_in_the_cache_are_found() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let args = ["watch-files", "--count", "50", "--mask", QUIET];
    let fixture = hidden_in(&stage, &dir, &args);
    // With a cold dcache the kernel opens a file's handle as "/", without an error.
    if !is_root() || !forget_names() {
        return support::skip_optional("the kernel's caches cannot be dropped here");
    }
    let process = look(&stage, &fixture, &PATIENT);
    for watch in process.watches() {
        // Another test may have looked a name up again: then its handle is enough.
        let path = watch["path"].as_str().unwrap_or_else(|| panic!("{watch}"));
        assert_eq!(inode(Path::new(path)), watch["inode"]);
    }
}

#[test]
fn a_file_with_two_names_has_one_of_them() {
    let stage = Stage::unprivileged(60302);
    let dir = stage.make("tree");
    let args = ["watch-files", "--count", "1", "--mask", QUIET];
    let fixture = hidden_in(&stage, &dir, &args);
    std::fs::hard_link(dir.join("f000000"), dir.join("other")).unwrap();
    all_are_found(&look_as_user(&stage, &fixture, &PATIENT), "walk");
}

#[test]
fn without_time_nothing_is_listed() {
    let stage = Stage::unprivileged(60303);
    let dir = stage.make("tree");
    let fixture = hidden_in(&stage, &dir, &["watches", "--count", "3", "--mask", QUIET]);
    let process = look_as_user(&stage, &fixture, &["--json", "--path-timeout", "0"]);
    none_is_found(&process, "--path-timeout 0");
}

#[test]
fn a_walk_that_finds_nothing_ends_in_time_and_says_so() {
    let stage = Stage::unprivileged(60304);
    let dir = stage.make("tree");
    let fixture = hidden_in(&stage, &dir, &["deleted-directory", "--mask", QUIET]);
    let process = look_as_user(&stage, &fixture, &["--json", "--path-timeout", "0.000001"]);
    none_is_found(&process, "the time for finding paths was up");
}

#[test]
fn a_timeout_must_be_a_time() {
    let stage = Stage::new();
    for wrong in ["-1", "x", "nan", "inf", ""] {
        let scan = stage.scan(&["1", &format!("--path-timeout={wrong}")]);
        assert_eq!(scan.code(), 2, "{wrong}");
        assert!(scan.stderr.contains("seconds"), "{}", scan.stderr);
    }
}

#[test]
fn a_deleted_directory_is_not_searched_for_by_root() {
    if !is_root() {
        return support::skip("open_by_handle_at needs CAP_DAC_READ_SEARCH, so root");
    }
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["deleted-directory"]);
    let process = look(&stage, &fixture, &PATIENT);
    let watch = process.watches()[0];
    assert!(
        watch["deleted"] == true || watch["unresolved"].as_str().unwrap().contains("deleted"),
        "{watch}"
    );
}

#[test]
fn a_directory_whose_listing_would_wake_the_process_is_not_listed() {
    let _quiet = quiet();
    let stage = Stage::unprivileged(60305);
    let dir = stage.make("tree");
    let args = ["watches", "--count", "2", "--mask", "0xfff"];
    let mut fixture = hidden_in(&stage, &dir, &args);
    // Now the one lies in the other, whose watch reports who lists it.
    std::fs::rename(dir.join("d000001"), dir.join("d000000/inner")).unwrap();
    let queued = |fixture: &mut Fixture| {
        fixture.victim.send("queued?");
        fixture.victim.line_with("queued=")
    };
    let before = queued(&mut fixture);
    let process = look_as_user(&stage, &fixture, &PATIENT);
    assert_eq!(queued(&mut fixture), before);
    for watch in process.watches() {
        if watch["wd"] == 1 {
            assert_eq!(watch["path"], dir.join("d000000").to_str().unwrap());
        } else {
            let reason = watch["unresolved"].as_str().unwrap();
            assert!(reason.contains("would wake the process"), "{watch}");
        }
    }
    // A handle needs no listing, and opening it is not an event either.
    let process = look(&stage, &fixture, &PATIENT);
    assert_eq!(queued(&mut fixture), before);
    assert!(!is_root() || process.watches().iter().all(|w| w["path"].is_string()));
}
