//! Whose rights to files a watch is placed with: never more than those of the thread that asked for it.
//!
//! Without root no process of the tree can be another user's: nothing in it gains privileges (no_new_privs), and to give
//! any up takes capabilities. A supervisor with capabilities looks at every call.

use super::owners::{Namespace, Owner};
use crate::sys::credentials::{Rights, act_as, file_capabilities, has_none};
use crate::sys::path::{Walk, find_absolute, read_link};
use std::io;
use std::os::fd::AsFd;

/// What the supervisor's own rights ask for.
pub struct Guard {
    /// `None` if no process of the tree has fewer.
    own: Option<Privileged>,
}

struct Privileged {
    capabilities: u64,
    user_namespace: Option<Namespace>,
}

/// Whose rights to act with.
pub enum Acting {
    /// The supervisor's own: the thread has no fewer.
    Own,
    /// The thread's.
    As(Rights),
}

impl Guard {
    /// Looks at this process.
    pub fn new() -> Guard {
        Guard {
            own: (!has_none()).then(|| Privileged {
                capabilities: file_capabilities(0).unwrap_or(u64::MAX),
                user_namespace: find_absolute(c"/proc/self/ns/user", false, Walk::Free)
                    .and_then(|link| read_link(link.as_fd()))
                    .ok(),
            }),
        }
    }

    /// What to act with for a thread.
    ///
    /// # Errors
    /// Its rights cannot be known.
    pub fn rights_of(&self, thread: &mut Owner) -> io::Result<Acting> {
        let Some(own) = &self.own else {
            return Ok(Acting::Own);
        };
        let theirs = file_capabilities(thread.thread())?;
        let same_namespace = thread.user_namespace().ok() == own.user_namespace;
        // CAP_DAC_READ_SEARCH, bit 2: to it neither user nor groups make a difference.
        let any_file = own.capabilities & theirs & 1 << 2 != 0;
        if any_file
            && same_namespace
            && own.user_namespace.is_some()
            && own.capabilities & !theirs == 0
        {
            return Ok(Acting::Own);
        }
        let thread = inspect::thread(thread.thread())?;
        Ok(Acting::As(Rights {
            user: thread.file_user,
            group: thread.file_group,
            groups: thread.groups,
            // In another namespace they are about that namespace's files.
            capabilities: if same_namespace {
                thread.capabilities
            } else {
                0
            },
        }))
    }
}

impl Acting {
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
