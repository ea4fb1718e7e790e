//! `--dry-run`: what would be changed, where and why.

use super::pass::Failed;
use super::plan::Change;
use super::report::{Group, Lines};
use inspect::gather::{LOOKS, ProcessHandle, may_be_healed};
use inspect::model::{Name, Watch};
use inspect::render::roll_up;
use inspect::words::{agree, number, plural, sanitize};
use std::collections::{BTreeMap, HashMap};

/// What healing would come to.
pub struct Planned {
    /// Watches the kernel lists.
    pub watches: usize,
    /// What would be changed at once.
    pub now: Vec<Change>,
    /// What would be found level by level, as the others are changed.
    pub later: Vec<Failed>,
    /// What would not be changed.
    pub failed: Vec<Failed>,
}

/// Sorts out the changes the rules ask for. Every inode is looked for, as healing would, but what it would find once it
/// has changed others.
pub fn planned(handle: &ProcessHandle, changes: &[Change]) -> Planned {
    let instances = &handle.process().inotify;
    let opener = handle.opener();
    let mut planned = Planned {
        watches: instances.iter().map(|i| i.watches.len()).sum(),
        now: Vec::new(),
        later: Vec::new(),
        failed: Vec::new(),
    };
    for change in changes {
        let Some(instance) = instances.get(change.instance) else {
            continue;
        };
        let likely = || opener.guess(change.instance, change.watch).is_some();
        match opener.open(change.instance, change.watch) {
            Err(why) if !likely() => {
                let waits = instance
                    .watches
                    .get(change.watch)
                    .is_some_and(may_be_healed);
                let list = if waits {
                    &mut planned.later
                } else {
                    &mut planned.failed
                };
                list.push(Failed::of(handle, *change, why.into()));
            }
            _ => planned.now.push(*change),
        }
    }
    // Where no watch reports a look any more, healing lists what it must not list now.
    if planned.now.is_empty() || !quiets(handle, changes) {
        planned.failed.append(&mut planned.later);
    }
    planned
}

impl Planned {
    /// The table.
    pub fn text(&self, handle: &ProcessHandle) -> String {
        let mut lines = Lines::default();
        let total = plural(self.watches, "watch", "watches");
        let pid = handle.process().pid;
        match self.now.len() + self.later.len() {
            0 if self.failed.is_empty() => lines.add(format_args!(
                "nothing to heal: {total} of process {pid} {} the right mask",
                agree(self.watches as u64, "has", "have")
            )),
            some => lines.add(format_args!(
                "would heal {} of {total} of process {pid}:",
                number(some as u64)
            )),
        }
        let instances = &handle.process().inotify;
        let mut groups: BTreeMap<(i32, Group), Vec<Option<&[u8]>>> = BTreeMap::new();
        for change in &self.now {
            let Some(instance) = instances.get(change.instance) else {
                continue;
            };
            let path = path(handle, change);
            let group = groups.entry((instance.fd, Group::of(change))).or_default();
            group.push(path.map(Name::as_bytes));
        }
        for ((fd, group), paths) in &groups {
            let count = plural(paths.len(), "watch", "watches");
            lines.add(format_args!("  fd {fd}, {count}, {group}"));
            let top = roll_up(paths.iter().copied().flatten());
            for (path, below) in &top.rows {
                let path = sanitize(&path.to_string()).into_owned();
                lines.add(format_args!("    {:>8}  {path}", number(*below as u64)));
            }
            if let Some((root, count)) = &top.root {
                let path = sanitize(&root.to_string()).into_owned();
                lines.add(format_args!(
                    "    {:>8}  {path} itself",
                    number(*count as u64)
                ));
            }
            if top.elsewhere > 0 {
                let more = number(top.elsewhere as u64);
                lines.add(format_args!("    {more:>8}  elsewhere"));
            }
        }
        let now = self.now.iter().map(|change| (change, path(handle, change)));
        let later = self
            .later
            .iter()
            .map(|one| (&one.change, path(handle, &one.change)));
        lines.silenced("would hear nothing", "would hear nothing", now.chain(later));
        if !self.later.is_empty() {
            let watches = plural(self.later.len(), "watch", "watches");
            lines.add(format_args!(
                "  {watches} of these would be found level by level, as those above are healed: to look for them now \
                 would wake the process"
            ));
        }
        lines.not_done("would not be changed", &self.failed);
        lines.0
    }
}

fn path<'l>(handle: &'l ProcessHandle, change: &Change) -> Option<&'l Name> {
    let instance = handle.process().inotify.get(change.instance)?;
    instance.watches.get(change.watch)?.path.as_ref()
}

/// Whether no watch reports looks once these changes are made.
fn quiets(handle: &ProcessHandle, changes: &[Change]) -> bool {
    let after: HashMap<_, _> = changes
        .iter()
        .map(|change| ((change.instance, change.wd), change.after))
        .collect();
    let instances = handle.process().inotify.iter().enumerate();
    let mut masks = instances.flat_map(|(at, instance)| {
        let mask = |w: &Watch| after.get(&(at, w.wd)).copied().unwrap_or(w.mask.0);
        instance.watches.iter().map(mask).collect::<Vec<_>>()
    });
    masks.all(|mask| mask & LOOKS == 0)
}
