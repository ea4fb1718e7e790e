//! Watches that are seen by other paths than the paused directory: by bind mounts, and in other mount namespaces.

use super::given::{Pause, Tree, USUAL, Watchers, masks, program, tick};
use std::fs;
use std::path::PathBuf;
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
        let inside = |path: &str| {
            let root = PathBuf::from(format!("/proc/{pid}/root"));
            let dir = dir.path().strip_prefix("/").unwrap();
            root.join(dir).join(path)
        };
        let mut watchfix = Command::new("nsenter");
        watchfix.args(["--mount", "--target", &pid.to_string()]);
        watchfix.arg(env!("CARGO_BIN_EXE_watchfix"));
        support::without_rules(&mut watchfix);
        let pause = Pause::by(watchfix, &dir.path().join(paused), &[]);
        assert_eq!(masks(pid), [0], "{watched} {paused}");
        fs::write(inside(watched).join("new"), "x").unwrap();
        assert_eq!(watchers.heard(), [""; 0], "{watched} {paused}");
        let said = pause.end();
        assert_eq!(watchers.heard(), ["0 MOVED_TO new"], "{said}");
        assert_eq!(masks(pid), [0xfce]);
    }
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
