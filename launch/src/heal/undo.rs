//! `--undo`: watches get back the masks they had.

use super::pass::{self, Failed, Pass, Stopped};
use super::paused::paused;
use super::plan::{By, Change};
use super::record::Record;
use super::runtime::Runtime;
use super::target::Target;
use inspect::model::{HealKey, HealedMasks, Watch};
use rules::event::ALL_EVENTS;
use std::collections::{BTreeMap, HashSet};

const MUTE: &str = "it reports nothing: another user's heal or pause has muted it, so undo this one again after that one";

/// What was restored.
pub struct Undone {
    /// The changes that were made.
    pub pass: Pass,
    /// Watches that were healed and are still there.
    pub watches: usize,
    /// Of these, watches whose mask is not what heal had set: the process has placed them anew, or another user has
    /// healed them.
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
    each(target, &record.0.masks, |place, watch, key, masks| {
        undone.watches += 1;
        let is_left = match watch.mask.0 {
            mask if mask == masks.first => false,
            mask if mask == masks.last => true,
            _ if muted.contains(&place) => true,
            // Hardly a process places a watch that reports nothing: somebody else has muted this one.
            mask if mask & ALL_EVENTS == 0 => {
                let failed = Failed::left_alone(&target.handle, place, watch, (By::Undo, MUTE));
                undone.pass.failed.push(failed);
                true
            }
            mask => {
                undone.changed_since += 1;
                // If another user's heal has taken more, this one can be undone after that one.
                mask & !masks.last == 0
            }
        };
        if is_left {
            left.insert(key, masks);
        }
    });
    record.0.masks = left;
    record
        .write(runtime, target.handle.process())
        .map_err(Stopped::Unprepared)?;
    Ok(Some(undone))
}

fn changes(target: &Target, record: &BTreeMap<HealKey, HealedMasks>) -> Vec<Change> {
    let mut changes = Vec::new();
    each(target, record, |(instance, at), watch, _, masks| {
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

/// Visits every watch that is in the record, with the places of its instance and of itself.
fn each(
    target: &Target,
    record: &BTreeMap<HealKey, HealedMasks>,
    mut visit: impl FnMut((usize, usize), &Watch, HealKey, HealedMasks),
) {
    for (at, instance) in target.handle.process().inotify.iter().enumerate() {
        for (place, watch) in instance.watches.iter().enumerate() {
            let key = HealKey::of(instance.fd, watch);
            if let Some(&masks) = record.get(&key) {
                visit((at, place), watch, key, masks);
            }
        }
    }
}
