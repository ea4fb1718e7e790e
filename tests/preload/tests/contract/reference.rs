//! Against tests/reference-shim: the same hook written again with redhook.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use preload::Probe;

use crate::*;

fn with(preload: &[&Path]) -> Probe {
    let list: Vec<_> = preload.iter().map(|p| p.to_str().unwrap()).collect();
    let mut command = Command::new(preload::probe_program());
    command.env("LD_PRELOAD", list.join(":"));
    Probe::start(&mut command)
}

/// The kernel's mask for each asked mask, all in one instance: one directory each.
fn masks(mut probe: Probe, dir: &Path, asked: &[u32]) -> BTreeMap<u32, u32> {
    let fd = probe.init();
    for (i, mask) in asked.iter().enumerate() {
        assert_eq!(probe.add(fd, *mask, &dir.join(i.to_string())), i as i64 + 1);
    }
    probe.masks(fd)
}

/// Every mask of one and two events, what real watchers ask for, and flags.
fn asked() -> Vec<u32> {
    let mut asked: Vec<u32> = Vec::new();
    for a in 0..12 {
        for b in a..12 {
            asked.push(1 << a | 1 << b);
        }
    }
    asked.extend([
        0x3ee, 0xfee, 0xfc6, 0x7fe, 0x7ce, 0xfff, 0xfce, 0xcc6, 0x7c4, 0xc06, 0x784,
    ]);
    asked.extend([0x400_0fc6, 0x400_0c82, 0x100_0fc6, 0x8000_0004, 0x8000_0fff]);
    asked
}

fn directories(asked: &[u32]) -> tempfile::TempDir {
    let dir = dir();
    for i in 0..asked.len() {
        std::fs::create_dir(dir.path().join(i.to_string())).unwrap();
    }
    dir
}

#[test]
fn both_ask_the_kernel_for_the_same_masks() {
    let asked = asked();
    let dir = directories(&asked);
    let ours = masks(with(&[support::libwatchfix()]), dir.path(), &asked);
    assert_eq!(
        ours,
        masks(with(&[support::reference_shim()]), dir.path(), &asked)
    );
    // And neither is the kernel's own answer.
    assert_ne!(ours, masks(Probe::bare(), dir.path(), &asked));
}

#[test]
fn both_can_be_loaded_together_in_either_order() {
    let asked = asked();
    let dir = directories(&asked);
    let (ours, theirs) = (support::libwatchfix(), support::reference_shim());
    let alone = masks(with(&[ours]), dir.path(), &asked);
    assert_eq!(masks(with(&[ours, theirs]), dir.path(), &asked), alone);
    assert_eq!(masks(with(&[theirs, ours]), dir.path(), &asked), alone);
}
