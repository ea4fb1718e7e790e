//! Watches that are seen by other paths than the paused directory: by bind mounts, and in other mount namespaces.

use super::given::{Pause, Tree, USUAL, Watchers, masks, program, tick};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::in_own_mounts;
use tempfile::TempDir;

/// The watchers' mount namespace has a directory, `data/app`, bound to `bind`, and a part of it, `data/app/sub`, to `part`.
const BOUND: &str = "mkdir -p data/app/sub bind part; mount --bind data/app bind; mount --bind data/app/sub part; \
    shift; exec \"$0\" \"$@\"";

#[test]
fn what_is_watched_by_another_path_of_the_paused_directory_is_paused() {
    for (watched, paused) in [
        ("data/app", "bind"),
        ("bind", "data/app"),
        ("data/app/sub", "part"),
        ("part", "data"),
    ] {
        let dir = TempDir::new().unwrap();
        let Some(command) = in_own_mounts(program(), dir.path(), BOUND) else {
            return;
        };
        let mut watchers = Watchers::by(command, &[(USUAL, &dir.path().join(watched))]);
        let pid = watchers.0.pid();
        let pause = Pause::by(watchfix_in(pid), &dir.path().join(paused), &[]);
        assert_eq!(masks(pid), [0], "{watched} {paused}");
        fs::write(inside(pid, &dir.path().join(watched)).join("new"), "x").unwrap();
        assert_eq!(watchers.heard(), [""; 0], "{watched} {paused}");
        let said = pause.end();
        assert_eq!(watchers.heard(), ["0 MOVED_TO new"], "{said}");
        assert_eq!(masks(pid), [0xfce]);
    }
}

/// Above what is bound there is the tree again, by its other path.
#[test]
fn the_times_of_a_directory_that_is_bound_stay() {
    let dir = TempDir::new().unwrap();
    let Some(command) = in_own_mounts(program(), dir.path(), BOUND) else {
        return;
    };
    let bind = dir.path().join("bind");
    let watches = [(USUAL, &*bind), (USUAL, &*bind.join("sub"))];
    let mut watchers = Watchers::by(command, &watches);
    let pid = watchers.0.pid();
    let root = fs::File::open(inside(pid, &bind)).unwrap();
    root.set_modified(std::time::UNIX_EPOCH).unwrap();
    watchers.heard();
    let pause = Pause::by(watchfix_in(pid), &bind, &[]);
    fs::write(inside(pid, &bind.join("sub/new")), "x").unwrap();
    let said = pause.end();
    assert_eq!(watchers.heard(), ["1 MOVED_TO new"], "{said}");
    let modified = root.metadata().unwrap().modified().unwrap();
    assert_eq!(modified, std::time::UNIX_EPOCH);
}

#[test]
fn a_directory_that_is_new_is_paused_for_who_sees_it_in_another_mount_namespace() {
    let tree = Tree::new();
    let own = TempDir::new().unwrap();
    let script = "cd /; shift; exec \"$0\" \"$@\"";
    let Some(command) = in_own_mounts(program(), own.path(), script) else {
        return;
    };
    let mut watchers = Watchers::by(command, &[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    tree.write("new/inside", "");
    tick();
    watchers.add(0, USUAL, &tree.path("new"));
    let pid = watchers.0.pid();
    support::wait_until("the new watch is muted", || masks(pid) == [0, 0]);
    tree.write("new/inside", "written");
    assert_eq!(watchers.heard(), [""; 0]);
    let said = pause.end();
    assert_eq!(
        watchers.heard(),
        [
            "0 MODIFY inside",
            "0 CLOSE_WRITE inside",
            "0 MOVED_TO,ISDIR new"
        ],
        "{said}"
    );
}

/// On a mount below DIR entries go aside in one of its directories, for all of them.
#[test]
fn what_is_new_in_several_directories_of_a_mount_below_is_told_in_each() {
    let dir = TempDir::new().unwrap();
    let script = "mkdir app app/sub; mount -t tmpfs s app/sub; mkdir -p app/sub/b app/sub/z/q; \
        shift; exec \"$0\" \"$@\"";
    let Some(command) = in_own_mounts(program(), dir.path(), script) else {
        return;
    };
    let sub = dir.path().join("app/sub");
    let watched = ["b", "z", "z/q"];
    let paths = watched.map(|name| sub.join(name));
    let watches: Vec<_> = paths.iter().map(|path| (USUAL, &**path)).collect();
    let mut watchers = Watchers::by(command, &watches);
    let pid = watchers.0.pid();
    let pause = Pause::by(watchfix_in(pid), &dir.path().join("app"), &[]);
    for name in watched {
        fs::write(inside(pid, &sub.join(name)).join("new"), "x").unwrap();
    }
    assert_eq!(watchers.heard(), [""; 0]);
    let said = pause.end();
    let mut heard = watchers.heard();
    heard.sort();
    let all = ["0 MOVED_TO new", "1 MOVED_TO new", "2 MOVED_TO new"];
    assert_eq!(heard, all, "{said}");
}

/// watchfix in the mount namespace of a process.
fn watchfix_in(pid: u32) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--mount", "--target", &pid.to_string()]);
    command.arg(env!("CARGO_BIN_EXE_watchfix"));
    support::without_rules(&mut command);
    command
}

/// A path as that process sees it.
fn inside(pid: u32, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    root.join(path.strip_prefix("/").unwrap())
}
