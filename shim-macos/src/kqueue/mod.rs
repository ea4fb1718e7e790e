//! kevent(2) and kevent64(2): what is asked of EVFILT_VNODE, and what is handed over of it.

mod ask;
mod event;
mod hand_over;
mod mask;

use core::ffi::{c_int, c_uint};
use core::ptr::null;

use libc::timespec;

use crate::config::{self, Config};
use crate::sys;
use event::Event;

/// # Safety
/// As kevent(2).
pub unsafe extern "C" fn kevent(
    kq: c_int,
    changes: *const libc::kevent,
    n: c_int,
    events: *mut libc::kevent,
    room: c_int,
    timeout: *const timespec,
) -> c_int {
    let system = |changes, n, timeout| {
        // SAFETY: the program's own arguments, or such as replace them.
        unsafe { libc::kevent(kq, changes, n, events, room, timeout) }
    };
    let call = Call {
        kq,
        changes,
        n,
        events,
        room,
        timeout,
    };
    // SAFETY: the program's own arguments.
    unsafe { call.judged(system) }
}

/// # Safety
/// As kevent64(2).
pub unsafe extern "C" fn kevent64(
    kq: c_int,
    changes: *const libc::kevent64_s,
    n: c_int,
    events: *mut libc::kevent64_s,
    room: c_int,
    flags: c_uint,
    timeout: *const timespec,
) -> c_int {
    let system = |changes, n, timeout| {
        // SAFETY: as in `kevent`.
        unsafe { libc::kevent64(kq, changes, n, events, room, flags, timeout) }
    };
    let call = Call {
        kq,
        changes,
        n,
        events,
        room,
        timeout,
    };
    // SAFETY: the program's own arguments.
    unsafe { call.judged(system) }
}

/// What a program passed.
struct Call<E> {
    kq: c_int,
    changes: *const E,
    n: c_int,
    events: *mut E,
    room: c_int,
    timeout: *const timespec,
}

impl<E: Event> Call<E> {
    /// # Safety
    /// As kevent(2), which `system` is.
    unsafe fn judged(&self, system: impl Fn(*const E, c_int, *const timespec) -> c_int) -> c_int {
        let config = config::get();
        if config.rules.off {
            return system(self.changes, self.n, self.timeout);
        }
        let begun = sys::now();
        // SAFETY: the program's own arguments.
        let mut answer = unsafe {
            ask::judged(config, self.kq, self.changes, self.n, |changes| {
                system(changes, self.n, self.timeout)
            })
        };
        while answer > 0 {
            // SAFETY: the system has just written so many events.
            let kept = unsafe { self.hand_over(config, answer) };
            if kept > 0 {
                return kept;
            }
            // Nothing is left of what came. A program that set no timeout does not expect an answer without an event
            // (libuv ends on it), and one that set a timeout waits for the rest of it.
            // SAFETY: the system has just read the timeout.
            match unsafe { self.timeout.as_ref() } {
                None => answer = system(null(), 0, null()),
                Some(timeout) => {
                    let left = left(timeout, sys::now().saturating_sub(begun));
                    // Behind a full list of events there may be others.
                    if is_zero(&left) && answer < self.room {
                        return 0;
                    }
                    answer = system(null(), 0, &left);
                }
            }
        }
        answer
    }

    /// # Safety
    /// There are `got` events.
    unsafe fn hand_over(&self, config: &'static Config, got: c_int) -> c_int {
        let _errno = sys::Errno::save();
        // SAFETY: the caller's promise.
        let events = unsafe { core::slice::from_raw_parts_mut(self.events, got as usize) };
        hand_over::keep(config, self.kq, events) as c_int
    }
}

/// What is left of a timeout after so many nanoseconds.
fn left(timeout: &timespec, gone: u64) -> timespec {
    const SECOND: u64 = 1_000_000_000;
    let whole = (timeout.tv_sec as u64)
        .saturating_mul(SECOND)
        .saturating_add(timeout.tv_nsec as u64);
    let left = whole.saturating_sub(gone);
    timespec {
        tv_sec: (left / SECOND) as _,
        tv_nsec: (left % SECOND) as _,
    }
}

fn is_zero(time: &timespec) -> bool {
    time.tv_sec == 0 && time.tv_nsec == 0
}
