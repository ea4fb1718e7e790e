//! Inotify instances of many processes, each once: after a fork or a handover, several processes have the same one.

use crate::gather::subject::gaps::Gaps;
use crate::sys;
use std::cmp::Ordering;

/// One instance, represented by one of its descriptors.
#[derive(Debug)]
pub struct KnownInstance<T> {
    /// The process of that descriptor.
    pub pid: u32,
    /// The descriptor.
    pub fd: i32,
    /// What is known of the instance.
    pub what: T,
}

/// The instances found so far.
#[derive(Debug)]
pub struct Instances<T> {
    /// In the order of kcmp(2).
    list: Vec<KnownInstance<T>>,
    uncompared: usize,
}

/// Where a new instance belongs.
pub struct Place(usize);

impl<T> Instances<T> {
    /// There is none so far.
    pub fn new() -> Instances<T> {
        Instances {
            list: Vec::new(),
            uncompared: 0,
        }
    }

    /// The instance behind a descriptor, if it was found before; else where it belongs. An instance that cannot be
    /// compared counts as new.
    pub fn find(&mut self, pid: u32, fd: i32) -> Result<&KnownInstance<T>, Place> {
        let mut failed = false;
        let found = self.list.binary_search_by(|old| {
            sys::compare_files((old.pid, old.fd), (pid, fd)).unwrap_or_else(|_| {
                failed = true;
                Ordering::Less
            })
        });
        self.uncompared += usize::from(failed);
        match found {
            Ok(at) => self.list.get(at).ok_or(Place(at)),
            Err(at) => Err(Place(at)),
        }
    }

    /// Adds an instance that was not found.
    pub fn add(&mut self, place: Place, new: KnownInstance<T>) {
        self.list.insert(place.0, new);
    }

    /// What is known of all of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> {
        self.list.iter().map(|known| &known.what)
    }

    /// The same, each with the process in which it was found first.
    pub fn with_pids(&self) -> impl Iterator<Item = (u32, &T)> {
        self.list.iter().map(|known| (known.pid, &known.what))
    }

    /// Notes how many could not be compared.
    pub fn report(&self, gaps: &mut Gaps) {
        if self.uncompared > 0 {
            gaps.count(
                self.uncompared,
                "inotify instances compared with those of other processes",
                "kcmp(2) is not permitted here: an instance shared by processes is counted for each",
            );
        }
    }
}
