//! What the process is told while it is looked at, as far as its watches are found.

use crate::gather::inotify::activity;
use crate::gather::inotify::activity::Monitors;
use crate::gather::inotify::paths::proof::Candidate;
use crate::gather::inotify::side_effects::{LOOKS, SideEffects};
use crate::gather::inotify::watches::ReadInstance;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::Woken;
use rules::event;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Listens for up to `time` to watched inodes whose watches report looks, oldest first: the top of a tree is placed
/// before what lies below it. `None` where there is none that was found, or nothing can be listened to.
pub fn listen(
    view: &View<'_>,
    side_effects: &SideEffects,
    read: &[ReadInstance],
    time: Duration,
) -> Option<Woken> {
    if time.is_zero() || side_effects.is_empty() {
        return None;
    }
    activity::listen(found(view, read), side_effects.count(), time)
}

/// Listens to the same inodes for as long as `monitors` are kept.
pub fn place(
    view: &View<'_>,
    side_effects: &SideEffects,
    read: &[ReadInstance],
    monitors: &mut Monitors,
) {
    monitors.place(view.dir().pid, found(view, read), side_effects.count());
}

fn found(view: &View<'_>, read: &[ReadInstance]) -> impl Iterator<Item = (OwnedFd, u32)> {
    read.iter().flat_map(move |entry| {
        let watches = entry.instance.watches.iter().enumerate().rev();
        watches.filter_map(move |(at, watch)| {
            if !watch.mask.has(LOOKS) || watch.deleted {
                return None;
            }
            let path = watch.path.as_ref()?.as_bytes();
            let inode: OwnedFd = view.find(path, FinalLink::Stay).ok()?;
            // Something else may lie there by now.
            let candidate = Candidate::new(view.mounts(), inode.as_fd(), b"", path)?;
            let same = candidate.is(watch, entry.handles.get(at));
            let asked = watch.mask.0 & (event::ALL_EVENTS | event::EXCL_UNLINK);
            same.then_some((inode, asked))
        })
    })
}
