//! Copies of the program's inotify instances: watches are placed by one, and reads are made by one.
//!
//! They are obtained for each call (pidfd_getfd). Where that is refused, as by Docker's default seccomp profile, the supervisor
//! makes every instance itself and keeps a copy of each ([`kept`]).

mod descriptors;
mod kept;

use super::owners::Owner;
use kept::Kept;
use std::io;
use std::os::fd::OwnedFd;

/// Where copies come from.
pub enum Copies {
    /// From the process.
    Obtained,
    /// From what was kept when the instance was made.
    Kept(Kept),
}

impl Copies {
    /// Obtained ones, or `kept` ones.
    pub fn new(kept: bool) -> Copies {
        match kept {
            true => Copies::Kept(Kept::default()),
            false => Copies::Obtained,
        }
    }

    /// A copy of the thread's descriptor `fd`. A kept one is always an inotify instance.
    ///
    /// # Errors
    /// There is none of it.
    pub fn of(&self, owner: &Owner, fd: i32) -> io::Result<OwnedFd> {
        match self {
            Copies::Obtained => owner.descriptor(fd),
            Copies::Kept(kept) => kept.of(owner, fd),
        }
    }

    /// The same for a descriptor that may not be an instance a copy can be had of.
    ///
    /// # Errors
    /// The process has ended.
    pub fn if_known(&self, owner: &Owner, fd: i32) -> io::Result<Option<OwnedFd>> {
        match self {
            Copies::Obtained => owner.descriptor(fd).map(Some),
            Copies::Kept(kept) => Ok(kept.of(owner, fd).ok()),
        }
    }

    /// What tells the instance behind the thread's descriptor `fd` from all others, where that is known.
    pub fn number(&self, owner: &Owner, fd: i32) -> Option<u64> {
        match self {
            Copies::Obtained => None,
            Copies::Kept(kept) => kept.number(owner, fd),
        }
    }

    /// Keeps a copy of an instance that was just made, if any are kept, and returns its number. [`Copies::placed`] or
    /// [`Copies::forget`] has to follow.
    ///
    /// # Errors
    /// No more can be kept.
    pub fn keep(&self, instance: &OwnedFd) -> io::Result<Option<u64>> {
        match self {
            Copies::Obtained => Ok(None),
            Copies::Kept(kept) => kept.keep(instance).map(Some),
        }
    }

    /// Notes that this instance is descriptor `fd` of the process from now on.
    pub fn placed(&self, process: u32, fd: i32, number: Option<u64>) {
        if let (Copies::Kept(kept), Some(number)) = (self, number) {
            kept.placed(process, fd, number);
        }
    }

    /// Lets go of an instance that was handed to nobody.
    pub fn forget(&self, number: Option<u64>) {
        if let (Copies::Kept(kept), Some(number)) = (self, number) {
            kept.forget(number);
        }
    }

    /// Lets go of the copies of instances that no process has open any more.
    pub fn look(&self) {
        if let Copies::Kept(kept) = self {
            kept.look();
        }
    }

    /// The same again and again. Does not return, if any are kept.
    pub fn look_after(&self) {
        if let Copies::Kept(kept) = self {
            kept.look_after();
        }
    }
}
