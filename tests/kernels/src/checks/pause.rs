//! `watchfix pause` of a program that runs already: nothing meanwhile, each change once afterwards.

use super::diagnosis::unproved;
use crate::machine::Machine;
use crate::tree::{DIRECTORIES, Tree};
use crate::watcher::{Kind, Watcher};
use std::collections::BTreeMap;
use std::fs;
use support::Victim;

/// MODIFY, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF.
const MASK: &str = "0x7c2";

fn unmuted() -> BTreeMap<u32, usize> {
    BTreeMap::from([(0x7c2, DIRECTORIES)])
}

/// What a deploy does: it writes, replaces, makes and removes.
fn deploy(tree: &Tree) {
    support::overwrite(&tree.config(), "deployed");
    support::overwrite(&tree.path("d1/e1/config.toml.new"), "deployed");
    fs::rename(
        tree.path("d1/e1/config.toml.new"),
        tree.path("d1/e1/config.toml"),
    )
    .unwrap();
    support::overwrite(&tree.path("d2/e2/added"), "deployed");
    fs::remove_file(tree.path("d3/e3/config.toml")).unwrap();
}

/// What is heard of it, each once: a file that is another one counts as written to.
fn told() -> Vec<String> {
    [
        "DELETE config.toml",
        "MODIFY config.toml",
        "MODIFY config.toml",
        "MOVED_TO added",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn command(machine: &Machine, tree: &Tree) -> Victim {
    // A change in the very moment a pause begins is told as one made during it: a tick of the kernel's clock goes by.
    let edited = fs::metadata(tree.config()).unwrap().modified().unwrap();
    support::wait_until("the clock goes on", || {
        edited.elapsed().is_ok_and(|past| past.as_millis() > 20)
    });
    let mut pause = machine.program("watchfix");
    // Its command says when it runs, and ends when standard input does.
    pause
        .arg("pause")
        .arg(tree.top())
        .args(["--", "sh", "-c", "echo BEGUN; cat"]);
    Victim::spawn(&mut pause)
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

/// Whether the watches can be changed here at all; if not, that is said, and they are as they were.
fn possible(machine: &Machine, tree: &Tree) -> bool {
    machine.may_heal() && !unproved(machine, tree)
}

/// No event while the command runs; afterwards every change, once, and the masks as before.
pub fn quiet_then_once(machine: &Machine, kind: Kind) {
    let tree = Tree::new();
    let mut watcher = Watcher::new(machine, kind, MASK, &tree.directories());
    let mut pause = command(machine, &tree);
    pause.line_with("BEGUN");
    let meanwhile = watcher.masks();
    deploy(&tree);
    let during = watcher.heard();
    let (status, said) = pause.finish();
    assert_eq!(status.code(), Some(0), "{said:?}");
    assert_eq!(watcher.masks(), unmuted(), "afterwards");
    let after = sorted(watcher.heard());
    if possible(machine, &tree) {
        assert!(
            !meanwhile.contains_key(&0x7c2),
            "not muted: {meanwhile:?} {said:?}"
        );
        assert_eq!(during, [""; 0]);
        assert_eq!(after, told(), "{said:?}");
    } else {
        assert_eq!(meanwhile, unmuted());
        assert!(
            during.contains(&"MODIFY config.toml".to_owned()),
            "{during:?}"
        );
        assert_eq!(after, [""; 0]);
        let said = said.join("\n");
        assert!(
            said.contains("not") && said.contains("watchfix: "),
            "{said}"
        );
    }
}

/// Launcher and guardian are killed: the next `watchfix` gives the masks back and tells what changed.
pub fn guardian_killed(machine: &Machine) {
    let tree = Tree::new();
    if !possible(machine, &tree) {
        return;
    }
    let mut watcher = Watcher::new(machine, Kind::Static, MASK, &tree.directories());
    let mut pause = command(machine, &tree);
    pause.line_with("BEGUN");
    let listed = machine.watchfix(&["pause", "--list", "--json"]).json(0);
    deploy(&tree);
    let own = guardians(tree.top().to_str().unwrap());
    assert!(own.len() > 1, "{own:?} {listed}");
    for pid in own {
        // SAFETY: processes of this check's own, by their PID.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    pause.finish();
    machine.watchfix(&["pause", "--list"]);
    assert_eq!(watcher.masks(), unmuted());
    assert_eq!(sorted(watcher.heard()), told());
}

/// The processes of `watchfix pause` for this directory.
fn guardians(directory: &str) -> Vec<i32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let of_pause = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split(|&byte| byte == 0).collect();
        words[0].ends_with(b"watchfix") && words.contains(&directory.as_bytes())
    };
    pids.filter(of_pause).collect()
}
