//! Which events the process gets while it is examined, as far as its watches are found.

use crate::gather::inotify::activity;
use crate::gather::inotify::activity::{Monitors, Spot};
use crate::gather::inotify::paths::proof::Candidate;
use crate::gather::inotify::side_effects::{LOOKS, SideEffects};
use crate::gather::inotify::watches::ReadInstance;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Process, Woken};
use rules::event;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Which of its watches to listen to.
#[derive(Debug, Clone, Copy)]
pub struct Hearing {
    /// Watches that ask for one of these events.
    events: u32,
    /// Whether events are also counted by file.
    by_file: bool,
}

impl Hearing {
    /// The events that wake the process although it ignores them: reads or, with libwatchfix loaded, whatever the
    /// library may remove by name.
    pub fn of(process: &Process) -> Hearing {
        let by_file = process.has_library();
        Hearing {
            events: if by_file { event::ALL_EVENTS } else { LOOKS },
            by_file,
        }
    }
}

/// Listens for up to `time` to watched inodes, oldest first: the top of a tree comes before what is below it. `None` if
/// none was found or nothing can be listened to.
pub fn listen(
    view: &View<'_>,
    hearing: Hearing,
    read: &[ReadInstance],
    time: Duration,
) -> Option<Woken> {
    let count = count(hearing, read);
    if time.is_zero() || count == 0 {
        return None;
    }
    activity::listen(found(view, hearing, read), count, time)
}

/// Listens to the same inodes for as long as `monitors` are kept.
pub fn place(view: &View<'_>, hearing: Hearing, read: &[ReadInstance], monitors: &mut Monitors) {
    let spots = found(view, hearing, read);
    monitors.place(view.dir().pid, spots, count(hearing, read));
}

/// How many inodes there are to listen to, found or not.
fn count(hearing: Hearing, read: &[ReadInstance]) -> usize {
    SideEffects::asking(hearing.events, read.iter().map(|r| &r.instance)).count()
}

fn found(view: &View<'_>, hearing: Hearing, read: &[ReadInstance]) -> impl Iterator<Item = Spot> {
    read.iter().flat_map(move |entry| {
        let watches = entry.instance.watches.iter().enumerate().rev();
        watches.filter_map(move |(at, watch)| {
            if !watch.mask.has(hearing.events) || watch.deleted {
                return None;
            }
            let path = watch.path.as_ref()?;
            let inode: OwnedFd = view.find(path.as_bytes(), FinalLink::Stay).ok()?;
            // The path may lead to something else by now.
            let candidate = Candidate::new(view.mounts(), inode.as_fd(), b"", path.as_bytes())?;
            let same = candidate.is(watch, entry.handles.get(at));
            same.then(|| Spot {
                inode,
                mask: watch.mask.0 & (event::ALL_EVENTS | event::EXCL_UNLINK),
                path: hearing.by_file.then(|| path.clone()),
            })
        })
    })
}
