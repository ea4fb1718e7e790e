//! Instances the supervisor has made, and a copy of each.
//!
//! A copy keeps its instance alive, with its watches, and it counts for its user's limit. So a copy is closed when no process
//! has the instance open any more. That is checked when another instance is made, when a process that had one ends, and from
//! time to time. If a copy is closed too early, the program's calls are left to the kernel again.

use super::super::owners::Owner;
use super::super::tree::interval;
use super::descriptors;
use crate::sys::poll::{Bell, wait_for_any};
use crate::sys::{lock, pidfd};
use inspect::gather::descendants;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// More are not kept: a program that makes so many has its own.
const MOST: usize = 64;

/// To tell which instance a number is takes as long as its watches are many. Of the time a program places watches in, it
/// takes one part in so many.
const SHARE: u32 = 8;

/// The instances.
#[derive(Default)]
pub struct Kept {
    instances: Mutex<Instances>,
    /// Rung when there is one more.
    more: Bell,
}

#[derive(Default)]
struct Instances {
    all: Vec<Instance>,
    last: u64,
}

struct Instance {
    number: u64,
    copy: Arc<OwnedFd>,
    /// Who has it open, by process and descriptor, as far as that is known.
    places: HashMap<(u32, i32), Place>,
    /// It has not been handed over yet.
    is_new: bool,
}

struct Place {
    process: OwnedFd,
    /// Until then it is not looked at again.
    holds: Instant,
}

impl Kept {
    /// A copy of the thread's descriptor `fd`.
    ///
    /// # Errors
    /// It is no instance that was made here, or which one cannot be told.
    pub fn of(&self, owner: &Owner, fd: i32) -> io::Result<OwnedFd> {
        let found = lock(&self.instances).find(owner, fd);
        let (_, copy) = found.ok_or_else(|| io::Error::other("the instance was not made here"))?;
        copy.try_clone()
    }

    /// The number of the instance that the thread's descriptor `fd` is.
    pub fn number(&self, owner: &Owner, fd: i32) -> Option<u64> {
        let found = lock(&self.instances).find(owner, fd);
        found.map(|(number, _)| number)
    }

    /// Keeps a copy of a new instance and returns its number. Those that were closed are let go of first.
    ///
    /// # Errors
    /// There are too many, or the limit of descriptors is reached.
    pub fn keep(&self, instance: &OwnedFd) -> io::Result<u64> {
        let copy = Arc::new(instance.try_clone()?);
        let mut instances = lock(&self.instances);
        instances.look();
        if instances.all.len() >= MOST {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        instances.last += 1;
        let number = instances.last;
        instances.all.push(Instance {
            number,
            copy,
            places: HashMap::new(),
            is_new: true,
        });
        Ok(number)
    }

    /// Notes that an instance is descriptor `fd` of the process from now on.
    pub fn placed(&self, process: u32, fd: i32, number: u64) {
        lock(&self.instances).placed((process, fd), number, Duration::ZERO);
        self.more.ring();
    }

    /// Lets go of an instance.
    pub fn forget(&self, number: u64) {
        let mut instances = lock(&self.instances);
        instances.all.retain(|one| one.number != number);
    }

    /// Lets go of those that no process has open any more.
    pub fn look(&self) {
        lock(&self.instances).look();
    }

    /// The same when a process ends that had one, and now and then. Does not return.
    pub fn look_after(&self) {
        let mut looks = 0;
        loop {
            let (processes, none) = lock(&self.instances).processes();
            let time = (!none).then(|| interval(looks));
            let ends = processes.iter().map(AsFd::as_fd);
            let all: Vec<_> = self.more.descriptor().into_iter().chain(ends).collect();
            match wait_for_any(&all, time) {
                true => looks = 0,
                false => looks += 1,
            }
            self.more.hush();
            self.look();
        }
    }
}

impl Instances {
    /// The instance that the thread's descriptor `fd` is.
    fn find(&mut self, owner: &Owner, fd: i32) -> Option<(u64, Arc<OwnedFd>)> {
        let place = (owner.process, fd);
        let known = |one: &&Instance| one.places.get(&place).is_some_and(Place::is_there);
        if let Some(one) = self.all.iter().find(known)
            && one
                .places
                .get(&place)
                .is_some_and(|at| Instant::now() < at.holds)
            && descriptors::is_instance(owner.directory(), fd)
        {
            return Some((one.number, Arc::clone(&one.copy)));
        }
        let start = Instant::now();
        let number = self.which(owner.directory(), place);
        for one in &mut self.all {
            one.places.remove(&place);
        }
        let number = number?;
        self.placed(place, number, start.elapsed() * SHARE);
        let found = self.all.iter().find(|one| one.number == number)?;
        Some((number, Arc::clone(&found.copy)))
    }

    /// Which instance a descriptor is; the one it was is asked for first.
    fn which(&self, dir: BorrowedFd<'_>, place: (u32, i32)) -> Option<u64> {
        let (before, others): (Vec<_>, Vec<_>) = self
            .all
            .iter()
            .partition(|one| one.places.contains_key(&place));
        let all = before.into_iter().chain(others);
        let candidates = all.map(|one| (one.number, one.copy.as_fd()));
        descriptors::find(dir, place.1, candidates)
    }

    fn placed(&mut self, place: (u32, i32), number: u64, holds: Duration) {
        let Ok(process) = pidfd::open(place.0) else {
            // It has ended.
            return;
        };
        let mut place_of = Some(Place {
            process,
            holds: Instant::now() + holds,
        });
        for one in &mut self.all {
            one.places.remove(&place);
            if one.number == number
                && let Some(new) = place_of.take()
            {
                one.is_new = false;
                one.places.insert(place, new);
            }
        }
    }

    /// The processes that have one open, and whether there are no instances.
    fn processes(&self) -> (Vec<OwnedFd>, bool) {
        let places = self.all.iter().flat_map(|one| one.places.values());
        let processes = places.filter_map(|place| place.process.try_clone().ok());
        (processes.collect(), self.all.is_empty())
    }

    /// Lets go of those that nobody has open any more.
    fn look(&mut self) {
        for one in &mut self.all {
            let copy = one.copy.as_fd();
            one.places
                .retain(|&place, at| at.is_there() && is_at(place, copy));
        }
        let is_lost = |one: &Instance| one.places.is_empty() && !one.is_new;
        if self.all.iter().any(is_lost) {
            // It may have another number, or be another process's by now.
            for process in descendants(std::process::id()).into_iter().flatten() {
                let Ok(dir) = descriptors::directory(process) else {
                    continue;
                };
                for fd in descriptors::instances(process) {
                    let lost = self.all.iter().filter(|one| is_lost(one));
                    let lost = lost.map(|one| (one.number, one.copy.as_fd()));
                    if let Some(number) = descriptors::find(dir.as_fd(), fd, lost) {
                        self.placed((process, fd), number, Duration::ZERO);
                    }
                }
            }
        }
        self.all.retain(|one| !is_lost(one));
    }
}

impl Place {
    /// Its process has not ended: the number is not another one's.
    fn is_there(&self) -> bool {
        !pidfd::has_ended(self.process.as_fd())
    }
}

/// Whether a process's descriptor is the instance that `copy` is a copy of.
fn is_at((process, fd): (u32, i32), copy: BorrowedFd<'_>) -> bool {
    let dir = descriptors::directory(process);
    dir.is_ok_and(|dir| descriptors::find(dir.as_fd(), fd, [((), copy)].into_iter()).is_some())
}
