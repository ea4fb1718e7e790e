//! `--undo`: watches get back the masks they had.

use super::pass::{self, Pass, Stopped};
use super::paused::paused;
use super::plan::{By, Change};
use super::record::Record;
use super::runtime::Runtime;
use super::target::Target;
use inspect::model::{HealKey, HealedMasks, Watch};
use std::collections::{BTreeMap, HashSet};

/// What was restored.
pub struct Undone {
    /// The changes that were made.
    pub pass: Pass,
    /// Watches that were healed and are still there.
    pub watches: usize,
    /// Of these, watches whose mask is not what heal had set: the process has placed them anew.
    pub changed_since: usize,
}

impl Undone {
    /// Watches that have the mask they had at first.
    pub fn good(&self) -> usize {
        let not = self.changed_since + self.pass.failed.len();
        self.watches.saturating_sub(not)
    }
}

/// Restores what the record says. `None` if there is no record.
///
/// # Errors
/// The process has ended, or the record cannot be read.
pub fn undo(target: &mut Target, runtime: &Runtime) -> Result<Option<Undone>, Stopped> {
    let read = Record::read(runtime, target.handle.process());
    let Some(mut record) = read.map_err(Stopped::Unprepared)? else {
        return Ok(None);
    };
    let mut plan = |target: &Target| changes(target, &record.0.masks);
    let mut pass = pass::run(target, &mut plan, &mut |_, _| Ok(()))?;
    let paused = paused(&target.handle, || Some(&record));
    let muted: HashSet<_> = paused
        .iter()
        .map(|one| (one.change.instance, one.change.watch))
        .collect();
    pass.failed.extend(paused);
    let mut undone = Undone {
        pass,
        watches: 0,
        changed_since: 0,
    };
    let mut left = BTreeMap::new();
    each(
        target,
        &record.0.masks,
        |instance, at, watch, key, masks| {
            undone.watches += 1;
            match watch.mask.0 {
                mask if mask == masks.first => {}
                mask if mask == masks.last => drop(left.insert(key, masks)),
                _ if muted.contains(&(instance, at)) => drop(left.insert(key, masks)),
                _ => undone.changed_since += 1,
            }
        },
    );
    record.0.masks = left;
    record
        .write(runtime, target.handle.process())
        .map_err(Stopped::Unprepared)?;
    Ok(Some(undone))
}

fn changes(target: &Target, record: &BTreeMap<HealKey, HealedMasks>) -> Vec<Change> {
    let mut changes = Vec::new();
    each(target, record, |instance, at, watch, _, masks| {
        if watch.mask.0 == masks.last && masks.last != masks.first {
            changes.push(Change {
                instance,
                watch: at,
                wd: watch.wd,
                before: masks.last,
                after: masks.first,
                by: By::Undo,
            });
        }
    });
    changes
}

/// Visits every watch that is in the record, with its places.
fn each(
    target: &Target,
    record: &BTreeMap<HealKey, HealedMasks>,
    mut visit: impl FnMut(usize, usize, &Watch, HealKey, HealedMasks),
) {
    for (at, instance) in target.handle.process().inotify.iter().enumerate() {
        for (place, watch) in instance.watches.iter().enumerate() {
            let key = HealKey::of(instance.fd, watch);
            if let Some(&masks) = record.get(&key) {
                visit(at, place, watch, key, masks);
            }
        }
    }
}
