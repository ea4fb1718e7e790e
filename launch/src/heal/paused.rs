//! Watches that `watchfix pause` has muted: whatever is made of them meanwhile, they get back the masks they had before it.

use super::pass::Failed;
use super::plan::By;
use super::record::Record;
use inspect::gather::ProcessHandle;
use inspect::model::HealKey;
use rules::event::ALL_EVENTS;
use std::borrow::Borrow;

const WHY: &str = "muted by a pause (watchfix pause --list): try again after it";

/// Those of a process that is paused, but for what heal itself has muted.
pub fn paused<R: Borrow<Record>>(
    handle: &ProcessHandle,
    record: impl FnOnce() -> Option<R>,
) -> Vec<Failed> {
    let process = handle.process();
    if inspect::gather::paused(process).is_none() {
        return Vec::new();
    }
    let record = record();
    let record = record.as_ref().map(Borrow::borrow);
    let mut failed = Vec::new();
    for (instance, seen) in process.inotify.iter().enumerate() {
        for (at, watch) in seen.watches.iter().enumerate() {
            let mask = watch.mask.0;
            let healed =
                record.and_then(|record: &Record| record.0.masks.get(&HealKey::of(seen.fd, watch)));
            if mask & ALL_EVENTS != 0 || healed.is_some_and(|masks| masks.last == mask) {
                continue;
            }
            let why = (By::Pause, WHY);
            failed.push(Failed::left_alone(handle, (instance, at), watch, why));
        }
    }
    failed
}
