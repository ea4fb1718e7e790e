//! Paths by `open_by_handle_at(2)`: five microseconds for each watch, and no event for anybody.
//!
//! That holds while the kernel has the directory's name cached. With cold caches it opens and lists the parent to find
//! the name (fs/exportfs/expfs.c, `get_name`), again for every handle: ten thousand directories in one parent cost as
//! many listings of it, and every watch on the parent reports them. So the time of each handle is measured
//! ([`HandleTiming`]). Once handles are cold, one handle shows where a directory is, and the walk lists that place once
//! for all directories in it. If the process has seen an event ([`LookupWatches`]), no more handles are opened.

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

/// How many watches are processed between two checks of the clock.
const STRIDE: usize = 16;
/// From this many watches on, a thread saves more than it costs.
const MANY: usize = 256;
/// From this many watches on, several threads do: as many as there are processors.
const VERY_MANY: usize = 16_384;
/// How many watches a thread takes at a time.
const PART: usize = 1024;
/// More threads did not help on two processors and one disk.
const THREADS: usize = 8;

/// A path, and what was seen on the way.
pub struct Found {
    /// As the process sees it.
    pub path: Name,
    /// Whether it is the last path of a deleted directory.
    pub deleted: bool,
    /// Whether the kernel had to search for the name.
    pub slow: bool,
}

/// Finds paths by handle.
pub struct Finder<'a> {
    round: Round<'a>,
    worker: Worker,
}

/// What the threads share.
struct Round<'a> {
    look: Look<'a>,
    resolver: Resolver<'a>,
    /// Whether one of them has found that the kernel's cache is cold.
    cold: AtomicBool,
    /// Watches that none of them has reached.
    left: AtomicUsize,
}

/// What each thread has for itself.
struct Worker {
    names: Option<Names>,
    timing: HandleTiming,
    lookups: LookupWatches,
    /// Directories whose watches reported that the kernel searched for a name.
    seen: usize,
}

/// Some watches of one instance, for one thread.
struct Part<'r> {
    instance: usize,
    /// The index of its first watch in the instance.
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

    /// Resolves what it can and returns the rest, oldest first. It stops when handles turn out to be cold.
    pub fn resolve(&mut self, read: &mut [ReadInstance], deadline: &mut Deadline) -> Vec<Pending> {
        let count = read.iter().map(|r| r.instance.watches.len()).sum();
        let threads = match count {
            ..MANY => 0,
            MANY..VERY_MANY => 1,
            // Each thread would wake the process a few times before it finds that names are not cached.
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
                // It has not panicked: a panic ends the program.
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

    /// Makes the kernel search for the names of many handles in parallel, on threads that wait for the disk. The only
    /// effect is that opening them again is fast. Nothing is done if the process would notice it.
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
                // The work of a thread that cannot be started is done later, one by one.
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

/// The watches of `read`, oldest first. The kernel lists the newest watch first (fs/notify/mark.c). The oldest is the
/// top of a tree: once its name is cached, most names below it are.
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
                // It is known from an earlier look at the same process.
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
            // Its entries are opened after it.
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

    /// Whether the process was notified that the kernel searched this directory for a name. Unknown at the first search
    /// of each directory.
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
    /// Records it in its watch.
    pub fn note_in(self, watch: &mut Watch) {
        watch.path = Some(self.path);
        watch.deleted = self.deleted;
        watch.resolved_by = Some(ResolvedBy::Handle);
    }
}
