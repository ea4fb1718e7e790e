//! The search for names that file handles did not lead to: likely places are compared, then directories are listed.

use crate::gather::inotify::paths::deadline::Deadline;
use crate::gather::inotify::paths::handles::Finder;
use crate::gather::inotify::paths::listen::{Hearing, listen};
use crate::gather::inotify::paths::look::Look;
use crate::gather::inotify::paths::reasons::{Pending, Search};
use crate::gather::inotify::paths::roots::WalkScope;
use crate::gather::inotify::paths::wanted::Wanted;
use crate::gather::inotify::paths::{candidates, walk};
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::inotify::watches::ReadInstance;
use crate::gather::subject::options::Options;
use crate::model::{Process, Woken};
use std::time::Duration;

/// What a search has led to, beside the paths.
pub struct Searched {
    /// The events before directories were listed.
    pub woken: Option<Woken>,
    /// The trees that the walk was limited to.
    pub scope: WalkScope,
    /// What was not found, and how the search for it ended.
    pub left: Vec<(Pending, Option<Search>)>,
}

/// Searches for the names of watches whose handles did not lead to one.
pub fn search(
    look: Look<'_>,
    process: &Process,
    finder: &mut Finder<'_>,
    read: &mut [ReadInstance],
    pending: Vec<Pending>,
    deadline: &mut Deadline,
    options: &Options,
) -> Searched {
    let Look { view, side_effects } = look;
    let mut places = candidates::known(read);
    let mut wanted = Wanted::new(view.mounts(), read, pending);
    places.extend(candidates::resolve(view, process, &mut wanted));
    wanted.prove_guesses();
    let mut woken = None;
    let mut scope = WalkScope::default();
    if !side_effects.is_empty() && wanted.left() > 0 {
        places.extend(candidates::usual(view, &places, &mut wanted));
        scope = WalkScope::of(view, wanted.read());
        woken = listen(view, Hearing::of(process), wanted.read(), options.listen);
    }
    deadline.wait_longer(
        woken
            .as_ref()
            .map_or(Duration::ZERO, |woken| woken.listened),
    );
    // One more event does not matter to a process that others wake all the time.
    let nobody = SideEffects::default();
    let look = match options.wake || woken.as_ref().is_some_and(Woken::by_looks) {
        true => Look {
            side_effects: &nobody,
            ..look
        },
        false => look,
    };
    let outcome = walk::run(look, finder, places, &scope, &mut wanted, deadline);
    let left = wanted.give_up(|device| outcome.of(device));
    Searched { woken, scope, left }
}
