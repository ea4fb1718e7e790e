//! `--max-watches`: how many watches each process may have, and what it is told beyond that.
//!
//! Removals are not seen, as watches also go by themselves: when a budget seems used up the kernel is asked what is left of
//! it, at most once a second.

use super::filter::INVENTED;
use crate::sys::pidfd;
use inspect::gather::own_watches;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a count holds.
const COUNT_HOLDS: Duration = Duration::from_secs(1);

/// A file as an instance watches it: descriptor, device, inode.
pub type Watched = (i32, (u32, u32), u64);

/// What becomes of a watch.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// The kernel is to have it.
    Admitted,
    /// It is past the budget: its invented descriptor, and whether it is the process's first.
    Over(i32, bool),
}

/// The processes' watches.
#[derive(Default)]
pub struct Budgets(HashMap<u32, Spent>);

struct Spent {
    pidfd: OwnedFd,
    watches: HashMap<Watched, i32>,
    next: u32,
    counted: Instant,
}

impl Budgets {
    /// Whether `process` may have one more watch. `copy` makes a copy of its descriptor of that number.
    ///
    /// # Errors
    /// The process has ended.
    pub fn admit(
        &mut self,
        process: u32,
        max: u32,
        watched: Watched,
        copy: impl Fn(i32) -> io::Result<OwnedFd>,
    ) -> io::Result<Admission> {
        // A number may have become another process's.
        let same = |spent: &Spent| !pidfd::has_ended(spent.pidfd.as_fd());
        if !self.0.get(&process).is_some_and(same) {
            self.0.retain(|_, spent| same(spent));
            self.0.insert(process, Spent::new(pidfd::open(process)?));
        }
        let Some(spent) = self.0.get_mut(&process) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Some(&wd) = spent.watches.get(&watched) {
            return Ok(match wd.cast_unsigned() >= INVENTED {
                true => Admission::Over(wd, false),
                false => Admission::Admitted,
            });
        }
        let fits = |spent: &Spent| (spent.real() as u64) < u64::from(max);
        if !fits(spent) && spent.counted.elapsed() >= COUNT_HOLDS {
            spent.count(copy);
        }
        if fits(spent) {
            return Ok(Admission::Admitted);
        }
        let wd = (INVENTED | spent.next).cast_signed();
        // They begin anew after a thousand million.
        spent.next = (spent.next + 1) & (INVENTED - 1);
        let first = !spent
            .watches
            .values()
            .any(|wd| wd.cast_unsigned() >= INVENTED);
        spent.watches.insert(watched, wd);
        Ok(Admission::Over(wd, first))
    }

    /// Notes a watch the kernel has.
    pub fn placed(&mut self, process: u32, watched: Watched, wd: i32) {
        if let Some(spent) = self.0.get_mut(&process) {
            spent.watches.insert(watched, wd);
        }
    }

    /// Removes an invented watch; false if the process has none of that number.
    pub fn remove(&mut self, process: u32, instance: i32, wd: i32) -> bool {
        let Some(spent) = self.0.get_mut(&process) else {
            return false;
        };
        let before = spent.watches.len();
        spent
            .watches
            .retain(|&(fd, ..), &mut has| (fd, has) != (instance, wd));
        spent.watches.len() < before
    }
}

impl Spent {
    fn new(pidfd: OwnedFd) -> Spent {
        Spent {
            pidfd,
            watches: HashMap::new(),
            next: 0,
            counted: Instant::now(),
        }
    }

    fn real(&self) -> usize {
        self.watches
            .values()
            .filter(|wd| wd.cast_unsigned() < INVENTED)
            .count()
    }

    /// Forgets watches that have gone.
    fn count(&mut self, copy: impl Fn(i32) -> io::Result<OwnedFd>) {
        let instances: HashSet<i32> = self.watches.keys().map(|&(fd, ..)| fd).collect();
        let mut there = HashSet::new();
        for fd in instances {
            if let Ok(instance) = copy(fd) {
                there.extend(own_watches(instance.as_fd()).iter().map(|w| (fd, w.wd)));
            }
        }
        self.watches.retain(|&(fd, ..), &mut wd| {
            wd.cast_unsigned() >= INVENTED || there.contains(&(fd, wd))
        });
        self.counted = Instant::now();
    }
}
