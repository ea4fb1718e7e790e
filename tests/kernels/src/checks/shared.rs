//! What people share with a machine: `/mnt` of scripts/vm is a directory of the host, by 9p or virtiofs.

use crate::machine::Machine;
use crate::tree::{DIRECTORIES, Tree};
use crate::watcher::{Kind, Watcher};
use std::collections::BTreeMap;

/// ATTRIB is heal's to remove, and nothing in it keeps directories from being listed.
const BEFORE: u32 = 0x3ce;
const AFTER: u32 = 0x3ca;

/// Where an edit is heard, the watches are healed. Where each open makes an inode of its own, as 9p does without a cache, no edit is heard
/// and nobody can reach the watches: heal says so, and leaves no trace.
pub fn heal(machine: &Machine) {
    let tree = Tree::new();
    let mut watcher = Watcher::new(machine, Kind::Static, "0x3ce", &tree.directories());
    support::overwrite(&tree.config(), "edited");
    let hears = !watcher.heard().is_empty();
    let pid = watcher.pid().to_string();
    let healed = machine.watchfix(&["heal", "--json", "--strip", "+attrib", &pid]);
    let (mask, status) = if hears { (AFTER, 0) } else { (BEFORE, 1) };
    let answer = healed.json(status);
    assert_eq!(watcher.masks(), BTreeMap::from([(mask, DIRECTORIES)]));
    let why = answer
        .to_string()
        .contains("makes a new inode for each open");
    assert_eq!(why, !hears, "{answer}");
    assert_eq!(watcher.heard(), [""; 0], "after heal");
    machine.watchfix(&["heal", "--undo", &pid]).with(0);
    assert_eq!(watcher.masks(), BTreeMap::from([(BEFORE, DIRECTORIES)]));
}
