//! Paths by `open_by_handle_at(2)`: five microseconds a watch, and no event for anybody.
//!
//! That is so while the kernel knows the directory's name. When its caches are cold it opens and lists the
//! parent to find the name again (fs/exportfs/expfs.c, `get_name`), for every handle anew: ten thousand
//! directories in one cost as many listings of it, and every watch on it sees them. So the time each
//! handle takes is looked at ([`Pace`]). Once they are cold, a handle shows where a directory lies, and the
//! walk lists that once for all that lie there; where the process has seen it ([`Heed`]), no handle is opened any
//! more.

use super::super::inotify::ReadInstance;
use super::super::view::Last;
use super::super::wakes::LOOKS;
use super::heed::Heed;
use super::look::Look;
use super::pace::Pace;
use super::patience::Patience;
use super::resolver::{Names, Resolver};
use super::{Pending, Why};
use crate::model::{Device, Name, Process, ResolvedBy, Watch};
use crate::sys::{FileHandle, OwnPlace};
use std::os::fd::AsFd;
use std::thread::Builder;

/// Watches between two looks at the clock.
const STRIDE: usize = 16;
/// Watches from which on a thread of its own costs less than it saves.
const MANY: usize = 256;
/// More did not help on two processors and one disk.
const THREADS: usize = 8;

/// A path, and what was seen on the way.
pub struct Found {
    /// As the process sees it.
    pub path: Name,
    /// It is the last path the directory had.
    pub deleted: bool,
    /// The kernel had to look for the name.
    pub slow: bool,
}

/// Finds paths by handle.
pub struct Finder<'a> {
    look: Look<'a>,
    resolver: Resolver<'a>,
    names: Option<Names>,
    pace: Pace,
    heed: Heed,
    /// Directories whose watches reported that the kernel looked for a name.
    seen: usize,
}

impl<'a> Finder<'a> {
    /// For the watches in `read`.
    pub fn new(look: Look<'a>, process: &Process, read: &[ReadInstance]) -> Finder<'a> {
        let Look { view, wakes } = look;
        let instances = read.iter().map(|r| &r.instance);
        Finder {
            look,
            resolver: Resolver::new(view.dir(), view.mounts(), wakes, process, instances),
            names: Names::open().ok(),
            pace: Pace::default(),
            heed: Heed::default(),
            seen: 0,
        }
    }

    /// Resolves what it can and returns the rest. It ends when handles turn out to be cold.
    pub fn resolve(&mut self, read: &mut [ReadInstance], patience: &mut Patience) -> Vec<Pending> {
        let count = read.iter().map(|r| r.instance.watches.len()).sum();
        if count >= MANY {
            let done = std::thread::scope(|scope| {
                let work = || {
                    let place = OwnPlace::of_this_thread().ok();
                    self.one_by_one(read, count, place.as_ref(), patience)
                };
                let thread = Builder::new().spawn_scoped(scope, work).ok()?;
                // It has not panicked: that ends the program.
                thread.join().ok()
            });
            if let Some(pending) = done {
                return pending;
            }
        }
        self.one_by_one(read, count, None, patience)
    }

    fn one_by_one(
        &mut self,
        read: &mut [ReadInstance],
        mut left: usize,
        place: Option<&OwnPlace>,
        patience: &mut Patience,
    ) -> Vec<Pending> {
        let mut pending = Vec::new();
        let mut untried = None;
        for (instance, entry) in read.iter_mut().enumerate() {
            // The kernel tells the newest watch first (fs/notify/mark.c). The oldest is the top of a tree:
            // when its name is known, most below it are.
            for (at, watch) in entry.instance.watches.iter_mut().enumerate().rev() {
                left -= 1;
                if untried.is_none() && left.is_multiple_of(STRIDE) {
                    if patience.is_over() {
                        untried = Some(Why::TimeUp);
                    } else if self.is_cold() {
                        untried = Some(Why::Cold);
                    }
                    patience.show(left);
                }
                let done = match untried {
                    // Known from an earlier look at the same process.
                    _ if watch.path.is_some() => continue,
                    Some(why) => Err(why),
                    None => self.open_with(place, watch, entry.handles.to_open(at).as_ref()),
                };
                match done {
                    Ok(found) => found.note_in(watch),
                    Err(why) => pending.push(Pending {
                        instance,
                        watch: at,
                        why,
                    }),
                }
            }
        }
        pending
    }

    /// Lets the kernel look for the names of many handles side by side, on threads that wait for the disk.
    /// Nothing comes of it but that opening them again is fast; and nothing at all is done where the
    /// process would see it.
    pub fn find_names(&self, handles: &[(Device, u64, FileHandle)], patience: &Patience) {
        if !self.look.wakes.is_empty() {
            return;
        }
        let work = |first: usize| {
            for (device, inode, handle) in handles.iter().skip(first).step_by(THREADS) {
                if patience.is_over() {
                    return;
                }
                let _ = self
                    .resolver
                    .open(*device, *inode, Some(handle), |_| Ok(()));
            }
        };
        std::thread::scope(|scope| {
            for first in 1..THREADS {
                // What a thread that cannot be started would have done is done later, one by one.
                let _ = Builder::new().spawn_scoped(scope, move || work(first));
            }
            work(0);
        });
    }

    /// Whether names have left the kernel's cache.
    pub fn is_cold(&self) -> bool {
        self.pace.is_cold()
    }

    /// The path of one watch.
    pub fn open(&mut self, watch: &Watch, handle: Option<&FileHandle>) -> Result<Found, Why> {
        self.open_with(None, watch, handle)
    }

    fn open_with(
        &mut self,
        place: Option<&OwnPlace>,
        watch: &Watch,
        handle: Option<&FileHandle>,
    ) -> Result<Found, Why> {
        if self.pace.is_too_many(self.seen) {
            return Err(Why::Forgotten);
        }
        let names = self.names.as_mut().ok_or(Why::Failed)?;
        let (resolver, pace, heed) = (&self.resolver, &mut self.pace, &mut self.heed);
        heed.forget();
        let found = resolver.open(watch.device, watch.inode, handle, |opened| {
            let again = || match handle.map(|handle| opened.mount.open(handle, watch.inode)) {
                Some(Ok(again)) => again.took,
                _ => opened.took,
            };
            let slow = pace.is_slow(opened.took, again);
            let (path, deleted) = resolver.path_of(&opened, names, place)?;
            // What lies in it is opened after it.
            if pace.is_suspicious() && watch.mask.has(LOOKS) {
                heed.take(path.as_bytes(), opened.fd.as_fd());
            }
            Ok(Found {
                path,
                deleted,
                slow,
            })
        })?;
        if found.slow && !found.deleted {
            let parent = found.path.parent();
            self.seen += usize::from(parent.is_some_and(|parent| self.has_woken(parent)));
        }
        Ok(found)
    }

    /// Whether the process was told that the kernel looked for a name in this directory. The first time for each
    /// nothing can be said.
    fn has_woken(&mut self, parent: &[u8]) -> bool {
        if !self.look.is_seen(parent) {
            return false;
        }
        if let Some(saw) = self.heed.saw(parent) {
            return saw;
        }
        if let Ok(directory) = self.look.view.find(parent, Last::Follow) {
            self.heed.take(parent, directory.as_fd());
        }
        false
    }
}

impl Found {
    /// Writes it down with its watch.
    pub fn note_in(self, watch: &mut Watch) {
        watch.path = Some(self.path);
        watch.deleted = self.deleted;
        watch.resolved_by = Some(ResolvedBy::Handle);
    }
}
