//! Which watches of a process a pause mutes, and whose records the supervisor of `watchfix run` withholds instead.

use super::held::Held;
use super::masks::{muted, reports_looks, without_reads};
use super::scope::Scope;
use crate::heal::{By, Change, Target};
use inspect::model::Watch;
use std::collections::HashSet;

/// What is done to the watches of a process.
pub struct Plan<'a> {
    scope: &'a Scope,
    /// It sees paths as this program does.
    has_paths: bool,
    held: &'a mut Held,
    /// Only reads are not to be heard any more.
    reads: bool,
    /// What is withheld, by instance and watch descriptor.
    pub withheld: HashSet<(usize, i32)>,
    /// So much of it was not withheld before.
    pub more: usize,
}

impl<'a> Plan<'a> {
    /// Nothing is done yet.
    pub fn new((scope, has_paths): (&'a Scope, bool), held: &'a mut Held, reads: bool) -> Plan<'a> {
        Plan {
            scope,
            has_paths,
            held,
            reads,
            withheld: HashSet::new(),
            more: 0,
        }
    }

    fn is_heard(&self, watch: &Watch) -> bool {
        self.scope.fires(watch) && self.scope.place(watch, self.has_paths).is_some()
    }

    /// The masks to change, as the watches are now. What its supervisor withholds from now on is not among them.
    pub fn changes(&mut self, target: &Target) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        for (instance, seen) in target.handle.process().inotify.iter().enumerate() {
            let watches = seen.watches.iter().enumerate();
            let heard = watches.filter(|(_, watch)| self.is_heard(watch));
            let of_it: Vec<_> = heard.map(|(at, watch)| mute(instance, at, watch)).collect();
            let wds: Vec<i32> = of_it.iter().map(|change| change.wd).collect();
            if !wds.is_empty()
                && seen.thread.is_none()
                && let Ok(new) = self.held.hold(target.pid(), seen.fd, &wds)
            {
                self.withheld
                    .extend(wds.into_iter().map(|wd| (instance, wd)));
                self.more += new;
            } else {
                changes.extend(of_it);
            }
        }
        // One watch would report the look at what another one is on.
        if self.reads || changes.iter().any(|change| reports_looks(change.before)) {
            changes.retain(|change| reports_looks(change.before));
        }
        changes
    }
}

/// Mutes it, or takes the reads out first.
fn mute(instance: usize, at: usize, watch: &Watch) -> Change {
    let before = watch.mask.0;
    Change {
        instance,
        watch: at,
        wd: watch.wd,
        before,
        after: match reports_looks(before) {
            true => without_reads(before),
            false => muted(before),
        },
        by: By::Pause,
    }
}
