//! From watched inodes to paths: by file handle if that is permitted, then by comparing likely places, then by a
//! bounded walk of the watched devices. If a server may be dead, a child process does it ([`served`]). Every path is
//! proved ([`proof`]). A path that is not found or cannot be proved stays `None`, with the reason.

mod candidates;
mod deadline;
mod handle_events;
mod handle_timing;
mod handles;
mod listen;
mod listing;
mod look;
mod open;
mod proof;
mod reasons;
mod resolver;
mod roots;
mod search;
mod served;
mod walk;
mod wanted;

use crate::gather::inotify::activity::Monitors;
use crate::gather::inotify::paths::deadline::Deadline;
use crate::gather::inotify::paths::handles::Finder;
pub use crate::gather::inotify::paths::listen::Hearing;
use crate::gather::inotify::paths::listen::listen as listen_to;
use crate::gather::inotify::paths::look::Look;
pub use crate::gather::inotify::paths::open::Opener;
pub use crate::gather::inotify::paths::reasons::may_be_healed;
use crate::gather::inotify::paths::reasons::{HandleFailure, Pending, Search};
use crate::gather::inotify::paths::search::{Searched, search};
pub use crate::gather::inotify::paths::served::answering;
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::inotify::watches::ReadInstance;
use crate::gather::subject::Subject;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::options::Options;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::View;
use crate::model::{WatchTree, Woken};
use std::collections::BTreeMap;
use std::time::Duration;

/// What else was learned.
#[derive(Default)]
pub struct Resolution {
    /// The events before directories were listed. `None` if they were not asked for, or if nothing was left to find.
    pub woken: Option<Woken>,
    /// Where the remaining watches are.
    pub trees: Vec<WatchTree>,
}

/// Finds the paths of all watches in `read`.
pub fn resolve(
    subject: &mut Subject<'_>,
    read: &mut [ReadInstance],
    options: &Options,
) -> Resolution {
    let Subject {
        dir,
        mounts,
        process,
        gaps,
    } = subject;
    let total = read.iter().map(|r| r.instance.watches.len()).sum();
    if total == 0 {
        return Resolution::default();
    }
    let mut deadline = Deadline::new(options.path_timeout, total, options.progress);
    let side_effects = &SideEffects::of(read.iter().map(|r| &r.instance));
    let view = &View::of(dir, mounts);
    let look = Look { view, side_effects };
    let mut finder = Finder::new(look, process, read);
    let mut pending = finder.resolve(read, &mut deadline);
    served::resolve(look, process, read, &mut pending, options);
    if pending.is_empty() {
        return Resolution::default();
    }
    let Searched { woken, scope, left } = search(
        look,
        process,
        &mut finder,
        read,
        pending,
        &mut deadline,
        options,
    );
    let mut reasons: BTreeMap<(HandleFailure, Option<Search>), usize> = BTreeMap::new();
    for (one, search) in left {
        *reasons.entry((one.why, search)).or_insert(0) += 1;
    }
    mounts.identify(dir, crate::gather::inotify::watches::watches(read));
    let trees = scope.trees(read);
    read.iter_mut().for_each(ReadInstance::drop_vague_guesses);
    for ((why, search), count) in reasons {
        let text = match search {
            Some(search) if !why.is_untried() => format!("{}; {}", why.text(), search.text()),
            _ => why.text().to_owned(),
        };
        gaps.count(count, "paths of watches", text);
    }
    Resolution { woken, trees }
}

/// Listens for up to `time` to those of its watches that are known.
pub fn listen(
    dir: &ProcDir,
    mounts: &Mounts,
    hearing: Hearing,
    read: &[ReadInstance],
    time: Duration,
) -> Option<Woken> {
    listen_to(&View::of(dir, mounts), hearing, read, time)
}

/// Listens to the same watches for as long as `monitors` are kept.
pub fn place(
    dir: &ProcDir,
    mounts: &Mounts,
    hearing: Hearing,
    read: &[ReadInstance],
    monitors: &mut Monitors,
) {
    listen::place(&View::of(dir, mounts), hearing, read, monitors);
}
