//! Paths by `open_by_handle_at(2)`: five microseconds a watch, and no event for anybody.
//!
//! That is so while the kernel knows the directory's name. When its caches are cold it opens and lists the
//! parent to find the name again (fs/exportfs/expfs.c, `get_name`), for every handle anew: ten thousand
//! directories in one cost as many listings of it, and every watch on it sees them. So the time each
//! handle takes is looked at ([`HandleTiming`]). Once they are cold, a handle shows where a directory lies, and the
//! walk lists that once for all that lie there; where the process has seen it ([`LookupWatches`]), no handle is opened any
//! more.

use crate::gather::inotify::paths::deadline::{Clock, Deadline};
use crate::gather::inotify::paths::handle_events::LookupWatches;
use crate::gather::inotify::paths::handle_timing::HandleTiming;
use crate::gather::inotify::paths::look::Look;
use crate::gather::inotify::paths::resolver::{Names, Resolver};
use crate::gather::inotify::paths::{HandleFailure, Pending};
use crate::gather::inotify::side_effects::LOOKS;
use crate::gather::inotify::watches::{Handles, ReadInstance};
use crate::gather::subject::view::FinalLink;
use crate::model::{Device, Name, Process, ResolvedBy, Watch};
use crate::sys::{FileHandle, OwnWorkingDirectory};
use std::cmp::Reverse;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

/// Watches between two looks at the clock.
const STRIDE: usize = 16;
/// Watches from which on a thread of its own costs less than it saves.
const MANY: usize = 256;
/// Watches from which on more threads than one do: as many as there are processors.
const VERY_MANY: usize = 16_384;
/// Watches a thread takes at a time.
const PART: usize = 1024;
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
    round: Round<'a>,
    worker: Worker,
}

/// What threads that find them side by side share.
struct Round<'a> {
    look: Look<'a>,
    resolver: Resolver<'a>,
    /// One of them has seen that names have left the kernel's cache.
    cold: AtomicBool,
    /// Watches that none of them has come to.
    left: AtomicUsize,
}

/// What each of them has of its own.
struct Worker {
    names: Option<Names>,
    timing: HandleTiming,
    lookups: LookupWatches,
    /// Directories whose watches reported that the kernel looked for a name.
    seen: usize,
}

/// Some watches of one instance, which one thread looks for.
struct Part<'r> {
    instance: usize,
    /// The place of its first watch in the instance.
    first: usize,
    watches: &'r mut [Watch],
    handles: &'r Handles,
}

impl<'a> Finder<'a> {
    /// For the watches in `read`.
    pub fn new(look: Look<'a>, process: &Process, read: &[ReadInstance]) -> Finder<'a> {
        let Look { view, side_effects } = look;
        let instances = read.iter().map(|r| &r.instance);
        Finder {
            round: Round {
                look,
                resolver: Resolver::new(
                    view.dir(),
                    view.mounts(),
                    side_effects,
                    process,
                    instances,
                ),
                cold: AtomicBool::new(false),
                left: AtomicUsize::new(0),
            },
            worker: Worker::new(),
        }
    }

    /// Resolves what it can and returns the rest, oldest first. It ends when handles turn out to be cold.
    pub fn resolve(&mut self, read: &mut [ReadInstance], deadline: &mut Deadline) -> Vec<Pending> {
        let count = read.iter().map(|r| r.instance.watches.len()).sum();
        let threads = match count {
            ..MANY => 0,
            MANY..VERY_MANY => 1,
            // Each of them would wake the process some times before it knows that names are not cached.
            _ if !self.round.look.side_effects.is_empty() => 1,
            _ => std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS)),
        };
        *self.round.left.get_mut() = count;
        let clock = deadline.clock();
        let parts = Mutex::new(parts(read).into_iter());
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        let round = &self.round;
        let mut pending = std::thread::scope(|scope| {
            let mut others = Vec::new();
            let mut shows = Some(&mut *deadline);
            for _ in 0..threads {
                let mut deadline = shows.take();
                let work = move || {
                    let place = OwnWorkingDirectory::of_this_thread().ok();
                    let mut worker = Worker::new();
                    let mut pending = Vec::new();
                    while let Some(part) = next() {
                        let deadline = deadline.as_deref_mut();
                        pending.extend(worker.work(round, place.as_ref(), part, clock, deadline));
                    }
                    (worker, pending)
                };
                others.extend(Builder::new().spawn_scoped(scope, work));
            }
            let mut pending = Vec::new();
            if others.is_empty() {
                while let Some(part) = next() {
                    pending.extend(self.worker.work(round, None, part, clock, None));
                }
            }
            for other in others {
                // It has not panicked: that ends the program.
                if let Ok((worker, rest)) = other.join() {
                    self.worker.timing.join(&worker.timing);
                    self.worker.seen += worker.seen;
                    pending.extend(rest);
                }
            }
            pending
        });
        pending.sort_by_key(|one| (one.instance, Reverse(one.watch)));
        pending
    }

    /// Lets the kernel look for the names of many handles side by side, on threads that wait for the disk.
    /// Nothing comes of it but that opening them again is fast; and nothing at all is done where the
    /// process would see it.
    pub fn find_names(&self, handles: &[(Device, u64, FileHandle)], deadline: &Deadline) {
        let round = &self.round;
        if !round.look.side_effects.is_empty() {
            return;
        }
        let work = |first: usize| {
            for (device, inode, handle) in handles.iter().skip(first).step_by(THREADS) {
                if deadline.is_over() {
                    return;
                }
                let _ = round
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
        self.worker.timing.is_cold()
    }

    /// The path of one watch.
    pub fn open(
        &mut self,
        watch: &Watch,
        handle: Option<&FileHandle>,
    ) -> Result<Found, HandleFailure> {
        self.worker.open(&self.round, None, watch, handle)
    }
}

/// The watches of `read`, oldest first. The kernel tells the newest watch first (fs/notify/mark.c). The oldest is the
/// top of a tree: when its name is known, most below it are.
fn parts(read: &mut [ReadInstance]) -> Vec<Part<'_>> {
    let mut all = Vec::new();
    for (instance, entry) in read.iter_mut().enumerate() {
        let handles = &entry.handles;
        let mut first = entry.instance.watches.len();
        for watches in entry.instance.watches.rchunks_mut(PART) {
            first -= watches.len();
            all.push(Part {
                instance,
                first,
                watches,
                handles,
            });
        }
    }
    all
}

impl Worker {
    fn new() -> Worker {
        Worker {
            names: Names::open().ok(),
            timing: HandleTiming::default(),
            lookups: LookupWatches::default(),
            seen: 0,
        }
    }

    /// Resolves what it can and returns the rest.
    fn work(
        &mut self,
        round: &Round<'_>,
        place: Option<&OwnWorkingDirectory>,
        part: Part<'_>,
        clock: Clock,
        mut deadline: Option<&mut Deadline>,
    ) -> Vec<Pending> {
        let mut pending = Vec::new();
        let mut untried = None;
        let watches = part.watches.iter_mut().enumerate().rev();
        for (nth, (at, watch)) in watches.enumerate() {
            if untried.is_none() && nth.is_multiple_of(STRIDE) {
                if self.is_cold(round) {
                    untried = Some(HandleFailure::Cold);
                }
                if clock.is_over() {
                    untried = Some(HandleFailure::TimeUp);
                }
                let left = round.left.fetch_sub(STRIDE, Ordering::Relaxed);
                if let Some(deadline) = &mut deadline {
                    deadline.show(left);
                }
            }
            let at = part.first + at;
            let done = match untried {
                // Known from an earlier look at the same process.
                _ if watch.path.is_some() => continue,
                Some(why) => Err(why),
                None => self.open(round, place, watch, part.handles.to_open(at).as_ref()),
            };
            match done {
                Ok(found) => found.note_in(watch),
                Err(why) => pending.push(Pending {
                    instance: part.instance,
                    watch: at,
                    why,
                }),
            }
        }
        pending
    }

    fn is_cold(&self, round: &Round<'_>) -> bool {
        if self.timing.is_cold() {
            round.cold.store(true, Ordering::Relaxed);
        }
        round.cold.load(Ordering::Relaxed)
    }

    /// The path of one watch.
    fn open(
        &mut self,
        round: &Round<'_>,
        place: Option<&OwnWorkingDirectory>,
        watch: &Watch,
        handle: Option<&FileHandle>,
    ) -> Result<Found, HandleFailure> {
        if self.timing.is_too_many(self.seen) {
            return Err(HandleFailure::Forgotten);
        }
        let names = self.names.as_mut().ok_or(HandleFailure::Failed)?;
        let (resolver, timing, lookups) = (&round.resolver, &mut self.timing, &mut self.lookups);
        lookups.forget();
        let found = resolver.open(watch.device, watch.inode, handle, |opened| {
            let again = || match handle.map(|handle| opened.mount.open(handle, watch.inode)) {
                Some(Ok(again)) => again.took,
                _ => opened.took,
            };
            let slow = timing.is_slow(opened.took, again);
            let (path, deleted) = resolver.path_of(&opened, names, place)?;
            // What lies in it is opened after it.
            if timing.is_suspicious() && watch.mask.has(LOOKS) {
                lookups.take(path.as_bytes(), opened.fd.as_fd());
            }
            Ok(Found {
                path,
                deleted,
                slow,
            })
        })?;
        if found.slow && !found.deleted {
            let parent = found.path.parent();
            self.seen +=
                usize::from(parent.is_some_and(|parent| self.has_woken(round.look, parent)));
        }
        Ok(found)
    }

    /// Whether the process was told that the kernel looked for a name in this directory. The first time for each
    /// nothing can be said.
    fn has_woken(&mut self, look: Look<'_>, parent: &[u8]) -> bool {
        if !look.is_seen(parent) {
            return false;
        }
        if let Some(saw) = self.lookups.saw(parent) {
            return saw;
        }
        if let Ok(directory) = look.view.find(parent, FinalLink::Follow) {
            self.lookups.take(parent, directory.as_fd());
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
