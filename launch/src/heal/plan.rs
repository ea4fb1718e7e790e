//! What is to become of each watch.

use inspect::gather::ProcessHandle;
use inspect::model::{Identity, Instance, Process, Watch};
use rules::event::{ALL_EVENTS, EXCL_UNLINK, MASK_ADD, MODIFY, ONESHOT};
use rules::watch::{Fate, hears_nothing, mute, reduce};
use rules::{Rules, record};
use std::collections::HashSet;

/// What fdinfo prints of a mask (fs/notify/inotify/inotify.h, `inotify_mark_user_mask`): UNMOUNT, which
/// every watch has, is not in it, so a watch of which nothing else is left shows 0.
pub const SHOWN: u32 = ALL_EVENTS | ONESHOT | EXCL_UNLINK;

/// Which rule changes a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Its mask alone.
    Strip,
    /// The directory, or a file, of a database; or a settle pattern.
    Settle,
    /// A drop pattern.
    Drop,
    /// It is on a file that is ignored.
    Ignore,
    /// It is one watch too many.
    Budget,
    /// It gets back what it had.
    Undo,
    /// A pause (`watchfix pause`).
    Pause,
}

/// A watch that is to get another mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Place of its instance.
    pub instance: usize,
    /// Its place there.
    pub watch: usize,
    /// Its wd.
    pub wd: i32,
    /// What fdinfo shows.
    pub before: u32,
    /// What the kernel is asked for.
    pub after: u32,
    /// By which rule.
    pub by: By,
}

impl Change {
    /// The watch, with its instance; `None` if the process is not the one that the change was planned for.
    pub fn watched<'p>(&self, process: &'p Process) -> Option<(&'p Instance, &'p Watch)> {
        let instance = process.inotify.get(self.instance)?;
        Some((instance, instance.watches.get(self.watch)?))
    }

    /// The new mask as fdinfo will show it.
    pub fn shown(&self) -> u32 {
        self.after & SHOWN
    }

    /// It asked for nothing but what is taken out: a program that watches reads on purpose hears nothing any more.
    pub fn silences(&self) -> bool {
        matches!(self.by, By::Strip | By::Settle) && hears_nothing(self.before, self.after)
    }

    /// A write is told when the file is closed, and was told at once before.
    pub fn settles(&self) -> bool {
        self.by == By::Settle && self.before & MODIFY != 0 && self.after & MODIFY == 0
    }
}

/// The changes the rules ask for, in the order the watches are listed.
pub fn changes(handle: &ProcessHandle, rules: &Rules<'_>) -> Vec<Change> {
    if rules.off {
        return Vec::new();
    }
    let (process, opener) = (handle.process(), handle.opener());
    let own = own_databases(process, rules);
    let last = last_in_budget(process, rules);
    let mut changes = Vec::new();
    for (instance, seen) in process.inotify.iter().enumerate() {
        for (at, watch) in seen.watches.iter().enumerate() {
            let before = watch.mask.0;
            let by = if last.is_some_and(|last| (instance, watch.wd) > last) {
                By::Budget
            } else {
                let ignored = || opener.is_directory(instance, at) == Some(false);
                by(rules, &own, watch, ignored)
            };
            let after = match by {
                By::Drop | By::Ignore | By::Budget => mute(before) & !MASK_ADD,
                By::Settle => reduce(rules.strip, Fate::Settled, before),
                By::Strip | By::Undo | By::Pause => reduce(rules.strip, Fate::Plain, before),
            };
            let change = Change {
                instance,
                watch: at,
                wd: watch.wd,
                before,
                after,
                by,
            };
            if change.shown() != before & SHOWN {
                changes.push(change);
            }
        }
    }
    changes
}

/// Watches whose path is not known, where rules ask for it.
pub fn unjudged(process: &Process, rules: &Rules<'_>) -> usize {
    if rules.drop.is_empty() && rules.settle.is_empty() {
        return 0;
    }
    let watches = process.inotify.iter().flat_map(|i| &i.watches);
    watches.filter(|watch| watch.path.is_none()).count()
}

fn by(
    rules: &Rules<'_>,
    own: &HashSet<Identity>,
    watch: &Watch,
    is_file: impl FnOnce() -> bool,
) -> By {
    let path = watch.path.as_ref();
    let below = |patterns: &rules::pattern::Patterns<'_>| {
        path.is_some_and(|path| patterns.match_below(path.as_bytes(), rules.home))
    };
    let itself = watch.identity();
    if below(&rules.drop) {
        By::Drop
    } else if path.is_some_and(|path| record::ignored(rules, path.base())) && is_file() {
        By::Ignore
    } else if itself.is_some_and(|itself| own.contains(&itself)) || below(&rules.settle) {
        By::Settle
    } else {
        By::Strip
    }
}

/// The files of the databases it holds open, and the directories they lie in.
fn own_databases(process: &Process, rules: &Rules<'_>) -> HashSet<Identity> {
    let databases = process.sqlite.iter().filter(|_| rules.settle_own);
    databases
        .flat_map(|database| &database.parts)
        .filter(|part| !part.deleted)
        .flat_map(|part| [part.identity, part.parent])
        .flatten()
        .collect()
}

/// The last watch within the budget, by instance and wd: wds are given in order.
fn last_in_budget(process: &Process, rules: &Rules<'_>) -> Option<(usize, i32)> {
    let most = usize::try_from(rules.max_watches?).unwrap_or(usize::MAX);
    let instances = process.inotify.iter().enumerate();
    let mut all: Vec<_> = instances
        .flat_map(|(at, instance)| instance.watches.iter().map(move |w| (at, w.wd)))
        .collect();
    if all.len() <= most {
        return None;
    }
    all.sort_unstable();
    // Nothing is before the first wd, which is 1.
    Some(
        most.checked_sub(1)
            .and_then(|at| all.get(at).copied())
            .unwrap_or((0, 0)),
    )
}
