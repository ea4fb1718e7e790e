//! What a guardian that was killed while it told what changed has left in the trees and beside them.

use super::aside::Aside;
use super::changes::names;
use super::known::Known;
use super::operations::{give_back, is_stand_in, remove_entry};
use super::state::{Inode, State};
use super::told::Told;
use inspect::model::PauseRecord;
use std::collections::BTreeMap;
use std::os::fd::AsFd;

/// A guardian that was killed may have left what stood for a name that is gone.
pub fn remove_stand_ins(known: &BTreeMap<Inode, Known>, told: &mut Told) {
    for known in known.values().filter(|known| known.state().is_dir()) {
        let dir = known.fd.as_fd();
        // The number of what is gone may be that of another inode by now.
        let was_another = |name: &[u8], now: &State| {
            let mut before = known.snapshots.iter().flat_map(|one| &one.names);
            before.any(|names| {
                let was = names.get(name);
                was.is_some_and(|was| (was.inode, was.mode) != (now.inode, now.mode))
            })
        };
        let now = names(dir, (i64::MAX, 0)).unwrap_or_default();
        for (name, state) in now {
            if is_stand_in(dir, &name, &state)
                && was_another(&name, &state)
                && let Err(e) = remove_entry(dir, &name, state.is_dir())
            {
                told.failed(&known.path, &name, &e);
            }
        }
    }
}

/// A guardian that was killed may have left entries aside, with symbolic links in their places.
pub fn put_back_what_is_aside(
    record: &PauseRecord,
    known: &BTreeMap<Inode, Known>,
    told: &mut Told,
) {
    for aside in record.aside.iter().filter_map(Aside::left) {
        for known in known.values().filter(|known| known.state().is_dir()) {
            let now = names(known.fd.as_fd(), (i64::MAX, 0)).unwrap_or_default();
            for (name, _) in now.into_iter().filter(|(_, state)| state.is_link()) {
                let dir = (known.fd.as_fd(), &name[..]);
                let Some((number, way)) = aside.number_of(dir.0, &known.path, &name) else {
                    continue;
                };
                if let Err(e) = give_back(dir, (aside.fd().as_fd(), &number), &way) {
                    told.failed(&known.path, &name, &e);
                }
            }
        }
        if aside.remove().is_err() {
            told.left_aside.push(aside.path());
        }
    }
}
