//! With whose rights a watch is placed: never with more than the calling thread has.
//!
//! Without root no process of the tree can be another user's: nothing in it gains privileges (no_new_privs), and to give
//! any up takes capabilities. A supervisor with capabilities looks at every call.

use super::log::Log;
use super::owners::{Namespace, Owner};
use crate::sys::credentials::{Rights, act_as, as_user, file_capabilities, has_none};
use crate::sys::path::{Walk, find_absolute, read_link};
use std::io;
use std::os::fd::AsFd;

/// What the supervisor's own rights ask for.
pub struct Guard {
    /// Its capabilities; `None` if no process of the tree has fewer.
    capabilities: Option<u64>,
    user_namespace: Option<Namespace>,
}

/// Whose rights to act with.
pub enum Acting {
    /// The supervisor's own: the thread has no fewer.
    Own,
    /// The thread's.
    As(Rights),
}

/// With whose rights files are looked up, and from which root.
pub struct Finder<'a> {
    /// The rights.
    pub guard: &'a Guard,
    /// This program's root directory.
    pub own_root: Option<(u64, u64)>,
    /// Where it is said.
    pub log: &'a Log,
}

impl Guard {
    /// Looks at this process.
    pub fn new() -> Guard {
        Guard {
            capabilities: (!has_none()).then(|| file_capabilities(0).unwrap_or(u64::MAX)),
            user_namespace: find_absolute(c"/proc/self/ns/user", false, Walk::Free)
                .and_then(|link| read_link(link.as_fd()))
                .ok(),
        }
    }

    /// What to make an instance with for a thread: it is one of its user's, in its user namespace (inotify_new_group of
    /// fs/notify/inotify/inotify_user.c).
    ///
    /// # Errors
    /// It is in another namespace, or its rights cannot be known.
    pub fn makes_for(&self, thread: &Owner) -> io::Result<Acting> {
        match self.is_namespace_of(thread) {
            true => self.rights_of(thread),
            false => Err(io::Error::other("it is in a user namespace of its own")),
        }
    }

    fn is_namespace_of(&self, thread: &Owner) -> bool {
        self.user_namespace.is_some() && thread.user_namespace().ok() == self.user_namespace
    }

    /// What to act with for a thread.
    ///
    /// # Errors
    /// Its rights cannot be known.
    pub fn rights_of(&self, thread: &Owner) -> io::Result<Acting> {
        let Some(own) = self.capabilities else {
            return Ok(Acting::Own);
        };
        let theirs = file_capabilities(thread.thread())?;
        let same_namespace = self.is_namespace_of(thread);
        // CAP_DAC_READ_SEARCH, bit 2: with it neither user nor groups matter.
        let any_file = own & theirs & 1 << 2 != 0;
        if any_file && same_namespace && own & !theirs == 0 {
            return Ok(Acting::Own);
        }
        let thread = inspect::thread(thread.thread())?;
        Ok(Acting::As(Rights {
            user: thread.file_user,
            group: thread.file_group,
            groups: thread.groups,
            // In another namespace they apply to that namespace's files only.
            capabilities: if same_namespace {
                thread.capabilities
            } else {
                0
            },
        }))
    }
}

impl Acting {
    /// Calls `make` as the user that what it makes counts for.
    ///
    /// # Errors
    /// The supervisor may not become that user.
    pub fn make<T>(&self, make: impl FnOnce() -> T) -> io::Result<T> {
        match self {
            Acting::Own => Ok(make()),
            Acting::As(rights) => as_user(rights.user, make),
        }
    }

    /// Calls `act` with these rights.
    ///
    /// # Errors
    /// The supervisor may not take them.
    pub fn act<T>(&self, act: impl FnOnce() -> T) -> io::Result<T> {
        match self {
            Acting::Own => Ok(act()),
            Acting::As(rights) => act_as(rights, act),
        }
    }
}
