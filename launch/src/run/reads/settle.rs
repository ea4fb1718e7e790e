//! Settling a watch whose ignored files are written to all the time, and giving it its mask back.

use super::super::owners::{Owner, Owners};
use super::super::rights::Finder;
use super::instance::{Place, Shared, identity, now};
use super::registry::Reads;
use crate::sys::{inotify, lock};
use inspect::gather::own_watches;
use rules::event::{ALL_EVENTS, CLOSE_WRITE, EXCL_UNLINK, MODIFY, ONESHOT};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Flags that stay with a watch; the others are about placing it.
const LASTING: u32 = EXCL_UNLINK | ONESHOT;

impl Reads<'_> {
    /// Takes MODIFY out of these watches' masks for a while; CLOSE_WRITE stands in for it.
    pub fn settle(
        &self,
        owner: &mut Owner,
        (instance, copy): (&Shared, &OwnedFd),
        wds: &[i32],
        finder: &Finder<'_>,
    ) {
        for &wd in wds {
            let known = lock(instance).watches.get(&wd).and_then(|watch| {
                let place = watch.place.clone()?;
                (watch.mask & MODIFY != 0).then_some((watch.mask & LASTING, place))
            });
            let Some((flags, place)) = known else {
                continue;
            };
            let settled =
                |now: u32| (now & MODIFY != 0).then_some(now & !MODIFY | CLOSE_WRITE | flags);
            // From here on: what is read next may already have been raised by the new mask.
            let begun = now();
            if let Some(watch) = lock(instance).watches.get_mut(&wd) {
                watch.burst.begin(begun);
            }
            match change(owner, copy, (wd, &settled), &place, finder) {
                Ok(()) => {
                    finder.log.line(
                        owner.process,
                        format_args!(
                            "\"{}\": its ignored files are written to without a pause; other files there are reported when \
                             they are closed",
                            place.path.to_bytes().escape_ascii()
                        ),
                    );
                    // Behind who is between a look and the waiting.
                    drop(lock(&self.instances));
                    self.settled.notify_all();
                }
                Err(_) => {
                    if let Some(watch) = lock(instance).watches.get_mut(&wd) {
                        watch.burst.end(begun);
                    }
                }
            }
        }
    }

    /// Gives settled watches their masks back when it is time. Does not return.
    pub fn look_after(&self, finder: &Finder<'_>) {
        // Held from the look until the wait, so that a watch settled in between is noticed.
        let mut instances = lock(&self.instances);
        loop {
            let settled = instances.iter().filter_map(|(&key, instance)| {
                let due = lock(instance).due()?;
                Some((due, key, Arc::clone(instance)))
            });
            let first = settled.min_by_key(|&(due, ..)| due);
            let rest = first
                .as_ref()
                .map(|(due, ..)| due.saturating_duration_since(Instant::now()));
            instances = match (first, rest) {
                (Some((_, key, instance)), Some(Duration::ZERO)) => {
                    drop(instances);
                    if self.give_back(key, &instance, finder).is_err() {
                        // It has ended: there is nothing to give back.
                        lock(&self.instances).remove(&key);
                    }
                    lock(&self.instances)
                }
                (_, Some(rest)) => {
                    let waited = self.settled.wait_timeout(instances, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                (_, None) => {
                    let waited = self.settled.wait(instances);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    /// Gives the watches of a process's instance that are due their masks back.
    fn give_back(
        &self,
        (process, fd): (u32, i32),
        instance: &Shared,
        finder: &Finder<'_>,
    ) -> io::Result<()> {
        let mut owners = Owners::default();
        let owner = owners.of(process)?;
        let copy = self.copies.of(owner, fd)?;
        let due = lock(instance).due_until(Instant::now());
        for wd in due {
            let known = lock(instance).watches.get(&wd).and_then(|watch| {
                let place = watch.place.clone()?;
                Some((watch.mask & LASTING, place))
            });
            let done = known.map(|(flags, place)| {
                // CLOSE_WRITE stays: what was written to and is still open has yet to be reported.
                let back = |now: u32| (now & CLOSE_WRITE != 0).then_some(now | MODIFY | flags);
                change(owner, &copy, (wd, &back), &place, finder)
            });
            if let Some(watch) = lock(instance).watches.get_mut(&wd) {
                match done {
                    Some(Ok(())) => watch.burst.end(now()),
                    // Its path leads elsewhere for now, or a pause has muted it: it stays as it is.
                    _ => watch.burst.postpone(),
                }
            }
        }
        Ok(())
    }
}

/// Gives the watch `wd`, which is at `place`, the mask that `mask` makes of the events it reports now. What it reports may have
/// been changed by another program, by `heal` or a pause: then `mask` says no more than it has left.
fn change(
    owner: &mut Owner,
    instance: &OwnedFd,
    (wd, mask): (i32, &dyn Fn(u32) -> Option<u32>),
    place: &Place,
    finder: &Finder<'_>,
) -> io::Result<()> {
    let changed = || io::Error::from(io::ErrorKind::NotFound);
    let watches = own_watches(instance.as_fd());
    let watch = watches.iter().find(|watch| watch.wd == wd);
    let now = watch.ok_or_else(changed)?.mask.0 & ALL_EVENTS;
    let mask = mask(now).ok_or_else(changed)?;
    let rights = finder.guard.rights_of(owner)?;
    rights.act(|| {
        let found = owner.find(&place.path, place.follow, finder.own_root)?;
        if identity(&found) != place.identity {
            return Err(changed());
        }
        match inotify::change_here(instance.as_fd(), found.file.as_fd(), (wd, mask))? {
            true => Ok(()),
            false => Err(changed()),
        }
    })?
}
