//! The instances whose reads may be judged, and what is known of each.

use super::super::copies::Copies;
use super::super::owners::{Found, Owner};
use super::burst::Burst;
use super::instance::{Instance, Place, Shared, Watch, identity};
use super::mounts;
use crate::sys::{inotify, lock, memory, pidfd};
use inspect::gather::own_watches;
use rules::Rules;
use rules::attrib::Time;
use rules::event::{DONT_FOLLOW, ONESHOT};
use rules::watch::{Asked, Fate};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex};

/// Past so many instances, those of processes that have ended are forgotten.
const MANY: usize = 256;

/// The instances whose reads may be judged.
pub struct Reads<'r> {
    /// The rules.
    pub rules: Rules<'r>,
    /// The numbers of descriptors whose reads are trapped.
    pub numbers: Range<u32>,
    /// Copies of them.
    pub copies: Arc<Copies>,
    /// By process and descriptor.
    pub instances: Mutex<HashMap<(u32, i32), Shared>>,
    /// By [`Copies::number`], where they have one.
    numbered: Mutex<HashMap<u64, Shared>>,
    mounts: mounts::Mounts,
    /// There is a settled watch more.
    pub settled: Condvar,
}

impl<'r> Reads<'r> {
    /// Judges by `rules` what is read from descriptors with these `numbers`.
    pub fn new(rules: &Rules<'r>, numbers: Range<u32>, copies: Arc<Copies>) -> Reads<'r> {
        Reads {
            // What a process reads is judged by name: no directory has to settle for what is ignored.
            rules: Rules {
                settle_own: false,
                ..*rules
            },
            numbers,
            copies,
            instances: Mutex::default(),
            numbered: Mutex::default(),
            mounts: mounts::Mounts::default(),
            settled: Condvar::new(),
        }
    }

    /// The instance behind descriptor `fd` of a thread, whose reads are trapped and of which `copy` is a copy, if a watch that
    /// is placed on it now has its reads judged.
    pub fn judged(&self, owner: &Owner, fd: i32, copy: BorrowedFd<'_>) -> Option<Shared> {
        (inotify::is_non_blocking(copy) && inotify::is_instance_here(copy)).then(|| {
            let instance = self.of(owner, fd);
            lock(&instance).judged = true;
            instance
        })
    }

    /// Whether descriptor `fd` has a number whose reads are trapped.
    pub fn traps(&self, fd: i32) -> bool {
        u32::try_from(fd).is_ok_and(|number| self.numbers.contains(&number))
    }

    /// Whether the reads of this descriptor are judged.
    pub fn has(&self, process: u32, fd: i32) -> bool {
        let found = lock(&self.instances).get(&(process, fd)).cloned();
        found.is_some_and(|instance| lock(&instance).judged)
    }

    /// What a watch on `target` has to report besides its `mask` ([`Instance::owed`]).
    pub fn owed(&self, instance: &Shared, target: &Found, mask: u32) -> u32 {
        lock(instance).owed(identity(target), mask)
    }

    /// Notes a watch that was placed by `path` on `target`, not before the time `since`.
    pub fn placed(
        &self,
        instance: &Shared,
        (wd, since): (i32, Time),
        (path, target): (&CStr, &Found),
        (fate, wanted, mask): (Fate, u32, u32),
    ) {
        let watch = Watch {
            wanted,
            mask,
            asked: Asked::of(self.rules.strip, fate, wanted),
            placed: since,
            place: self.place(path, target, wanted).map(Arc::new),
            burst: Burst::default(),
        };
        lock(instance).placed(wd, watch);
    }

    /// Where a watch is whose files are to be asked. A one-shot watch ends with its record: that is never judged, so that its
    /// program gets it.
    fn place(&self, path: &CStr, target: &Found, wanted: u32) -> Option<Place> {
        if wanted & ONESHOT != 0 || !self.mounts.answer(target) {
            return None;
        }
        let path = match path.to_bytes().starts_with(b"/") {
            true => path.to_owned(),
            // What it is relative to may be another directory later.
            false => CString::new(target.path().ok()?).ok()?,
        };
        Some(Place {
            path,
            identity: identity(target),
            follow: wanted & DONT_FOLLOW == 0,
        })
    }

    /// A copy of descriptor `fd` of a thread, if it is an inotify instance: to read from anything else would take what is the
    /// program's. And what is known of it.
    pub fn open(&self, owner: &Owner, fd: i32) -> io::Result<(OwnedFd, Shared)> {
        let copy = self.copies.of(owner, fd)?;
        match inotify::is_instance_here(copy.as_fd()) {
            true => Ok((copy, self.of(owner, fd))),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// The instance behind descriptor `fd` of a thread. A process that was forked has its parent's.
    pub fn of(&self, owner: &Owner, fd: i32) -> Shared {
        let process = owner.process;
        if let Some(number) = self.copies.number(owner, fd) {
            let instance = Arc::clone(lock(&self.numbered).entry(number).or_insert_with(new));
            self.know((process, fd), None, &instance);
            return instance;
        }
        if let Some(known) = lock(&self.instances).get(&(process, fd)) {
            return Arc::clone(known);
        }
        let inherited = self
            .parents(owner, fd)
            .or_else(|| self.left_behind(owner, fd));
        let instance = inherited.unwrap_or_else(new);
        self.know((process, fd), None, &instance);
        instance
    }

    /// The same descriptor of its parent.
    fn parents(&self, owner: &Owner, fd: i32) -> Option<Shared> {
        let parent = inspect::thread(owner.thread()).ok()?.parent;
        let known = lock(&self.instances).get(&(parent, fd)).cloned()?;
        pidfd::share_file(owner.process, parent, fd).then_some(known)
    }

    /// The same descriptor of a process that has ended, if it had the very watches that this one has.
    fn left_behind(&self, owner: &Owner, fd: i32) -> Option<Shared> {
        let candidates: Vec<_> = lock(&self.instances)
            .iter()
            .filter(|&(&(_, number), _)| number == fd)
            .map(|(&(process, _), instance)| (process, Arc::clone(instance)))
            .collect();
        let mut ended = candidates
            .into_iter()
            .filter(|&(process, _)| inspect::thread(process).map_or(true, |it| it.is_zombie))
            .peekable();
        ended.peek()?;
        let copy = self.copies.of(owner, fd).ok()?;
        let has: HashMap<i32, u64> = own_watches(copy.as_fd())
            .iter()
            .map(|watch| (watch.wd, watch.inode))
            .collect();
        let mut had = ended.filter(|(_, instance)| {
            let watches = &lock(instance).watches;
            !watches.is_empty()
                && watches.len() == has.len()
                && watches.iter().all(|(wd, watch)| {
                    let place = watch.place.as_ref();
                    place.is_some_and(|place| has.get(wd) == Some(&place.identity.inode))
                })
        });
        had.next().map(|(_, instance)| instance)
    }

    /// Notes that a descriptor of a process is this instance, and that this is its number.
    pub fn know(&self, place: (u32, i32), number: Option<u64>, instance: &Shared) {
        if let Some(number) = number {
            let mut numbered = lock(&self.numbered);
            if numbered.len() >= MANY {
                numbered.retain(|_, instance| Arc::strong_count(instance) > 1);
            }
            numbered.insert(number, Arc::clone(instance));
        }
        let mut instances = lock(&self.instances);
        if instances.len() >= MANY {
            let before = instances.len();
            instances.retain(|&(process, _), _| inspect::thread(process).is_ok());
            if instances.len() < before {
                memory::give_back_what_is_free();
            }
        }
        instances.insert(place, Arc::clone(instance));
    }
}

/// One of which nothing is known.
pub fn new() -> Shared {
    Arc::new(Mutex::new(Instance::new()))
}
