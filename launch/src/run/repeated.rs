//! Calls that a signal has interrupted and the thread makes again, with IN_MASK_CREATE: they would meet their own watch.
//!
//! Where calls can be interrupted (before Linux 5.19, seccomp::listen) a signal may come after the watch was placed. The
//! answer is then refused, or accepted and thrown away (seccomp_do_user_notification of kernel/seccomp.c). The same call
//! comes again at once, and gets the same watch descriptor. If another one comes, the program was told EINTR and knows
//! nothing of a watch that was never answered: it is removed.

use crate::sys::lock;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How soon a call comes again whose answer was accepted. Only a handler runs in between, but a busy machine may make the thread
/// wait. Too long does little harm: a program that asks for its own last watch again gets it, not EEXIST. Too short loses a watch.
const SOON: Duration = Duration::from_secs(10);

/// A call: the descriptor of the instance, the path, the mask.
pub type Arguments<'c> = (i32, &'c CStr, u32);

/// The last such call of each thread.
#[derive(Default)]
pub struct Repeated(Mutex<HashMap<u32, Last>>);

struct Last {
    instance: i32,
    path: CString,
    mask: u32,
    wd: i32,
    answered: Instant,
    /// The answer was accepted.
    heard: bool,
}

/// What a thread's last call was to the one that comes now.
#[derive(Debug, PartialEq, Eq)]
pub enum Before {
    /// It may be the same; it placed this watch descriptor.
    Same(i32),
    /// Another one, which was never answered: its instance and watch descriptor.
    Unheard(i32, i32),
    /// Another one, or none.
    Other,
}

impl Repeated {
    /// Looks at the last call of a thread, and forgets it if it was another one. The same call may be interrupted again before it
    /// is placed, and come once more.
    pub fn before(&self, thread: u32, (instance, path, mask): Arguments<'_>) -> Before {
        let mut all = lock(&self.0);
        let Some(last) = all.get(&thread) else {
            return Before::Other;
        };
        let same = (last.instance, &*last.path, last.mask) == (instance, path, mask);
        if same && (!last.heard || last.answered.elapsed() < SOON) {
            return Before::Same(last.wd);
        }
        let before = match last.heard {
            true => Before::Other,
            false => Before::Unheard(last.instance, last.wd),
        };
        all.remove(&thread);
        before
    }

    /// Notes a call that placed `wd`, before it is answered.
    pub fn note(&self, thread: u32, (instance, path, mask): Arguments<'_>, wd: i32) {
        let last = Last {
            instance,
            path: path.to_owned(),
            mask,
            wd,
            answered: Instant::now(),
            heard: false,
        };
        let mut all = lock(&self.0);
        // Of threads that have made no such call since, nothing stays.
        all.retain(|_, last| !last.heard || last.answered.elapsed() < SOON);
        all.insert(thread, last);
    }

    /// The answer to a thread's call was accepted.
    pub fn accepted(&self, thread: u32) {
        if let Some(last) = lock(&self.0).get_mut(&thread) {
            last.heard = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Arguments<'_> = (5, c"/srv", 0x1000_0002);
    const OTHER: Arguments<'_> = (5, c"/srv/other", 0x1000_0002);

    #[test]
    fn the_same_call_at_once_is_known_again_and_another_one_is_not() {
        let repeated = Repeated::default();
        repeated.note(1, CALL, 7);
        repeated.accepted(1);
        assert_eq!(repeated.before(2, CALL), Before::Other);
        assert_eq!(repeated.before(1, CALL), Before::Same(7));
        // That call was interrupted too, before it was placed.
        assert_eq!(repeated.before(1, CALL), Before::Same(7));
        repeated.note(1, CALL, 7);
        repeated.accepted(1);
        assert_eq!(repeated.before(1, OTHER), Before::Other);
        assert_eq!(repeated.before(1, CALL), Before::Other);
    }

    #[test]
    fn a_watch_nobody_was_told_of_is_named_when_another_call_comes() {
        let repeated = Repeated::default();
        repeated.note(1, CALL, 7);
        assert_eq!(repeated.before(1, OTHER), Before::Unheard(5, 7));
        repeated.note(1, CALL, 8);
        assert_eq!(repeated.before(1, CALL), Before::Same(8));
    }
}
