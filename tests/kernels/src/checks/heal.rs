//! `watchfix heal` of a process that runs already, against the masks that the kernel shows.

use super::diagnosis::unproved;
use crate::machine::Machine;
use crate::tree::{DIRECTORIES, Tree};
use crate::watcher::{Kind, Watcher};
use std::collections::BTreeMap;
use support::Victim;

const BEFORE: u32 = 0x3ee;
const AFTER: u32 = 0x3ce;

fn all(mask: u32, count: usize) -> BTreeMap<u32, usize> {
    BTreeMap::from([(mask, count)])
}

/// Where it is refused: status 4, a sentence that says what is missing, and the process is as it was.
fn refused(machine: &Machine, watcher: &Watcher, ended: crate::machine::Ended) {
    assert_eq!(ended.status, Some(4), "{ended:?}");
    let missing = if machine.profile {
        "CAP_SYS_PTRACE"
    } else {
        "kernel.yama.ptrace_scope"
    };
    assert!(ended.err.contains(missing), "{}", ended.err);
    assert_eq!(watcher.masks(), all(BEFORE, DIRECTORIES));
}

/// A dry run changes nothing and says what heal then does; undo gives back what was.
pub fn and_undo(machine: &Machine, kind: Kind) {
    let tree = Tree::new();
    let mut watcher = Watcher::new(machine, kind, "0x3ee", &tree.directories());
    let pid = watcher.pid().to_string();
    let dry = machine.watchfix(&["heal", "--dry-run", "--json", &pid]);
    assert_eq!(watcher.masks(), all(BEFORE, DIRECTORIES));
    let healed = machine.watchfix(&["heal", "--json", &pid]);
    if !machine.may_heal() {
        return refused(machine, &watcher, healed);
    }
    let masks = watcher.masks();
    let count = masks.get(&AFTER).copied().unwrap_or(0);
    let status = if unproved(machine, &tree) {
        healed.status.unwrap()
    } else {
        0
    };
    for answer in [dry.json(status), healed.json(status)] {
        let of = &answer["processes"][0];
        assert_eq!(
            (of["watches"].as_u64(), of["as_asked"].as_u64()),
            (Some(DIRECTORIES as u64), Some(count as u64)),
            "{answer}"
        );
    }
    assert_eq!(masks.values().sum::<usize>(), DIRECTORIES, "{masks:?}");
    if !unproved(machine, &tree) {
        assert_eq!(masks, all(AFTER, DIRECTORIES));
        watcher.heard();
        std::fs::read(tree.config()).unwrap();
        std::fs::read_dir(tree.top()).unwrap().count();
        assert_eq!(watcher.heard(), [""; 0], "after reads");
        support::overwrite(&tree.config(), "edited");
        assert_eq!(
            watcher.heard(),
            ["MODIFY config.toml", "CLOSE_WRITE config.toml"]
        );
    }
    machine.watchfix(&["heal", "--undo", &pid]).with(0);
    assert_eq!(watcher.masks(), all(BEFORE, DIRECTORIES), "after --undo");
}

/// Watches that come later are healed too; it ends with the process.
pub fn follow(machine: &Machine, kind: Kind) {
    let tree = Tree::new();
    let mut directories = tree.directories();
    let later = directories.split_off(1);
    let mut watcher = Watcher::new(machine, kind, "0x3ee", &directories);
    let mut command = machine.program("watchfix");
    command.args(["heal", "--follow", &watcher.pid().to_string()]);
    if unproved(machine, &tree) {
        return;
    }
    let follow = Victim::spawn(&mut command);
    if machine.may_heal() {
        support::wait_until("the first watch is healed", || {
            watcher.masks() == all(AFTER, 1)
        });
        later.iter().for_each(|path| watcher.add("0x3ee", path));
        support::wait_until("all later watches are healed", || {
            watcher.masks() == all(AFTER, DIRECTORIES)
        });
        watcher.end();
    }
    let (status, said) = follow.finish();
    let wanted = if machine.may_heal() { 0 } else { 4 };
    assert_eq!(status.code(), Some(wanted), "{said:?}");
}
