//! Sandboxes: a question to the kernel about a descriptor may kill a program that runs in one.
//!
//! A filter that was there when the program started let the loader do more than this library ever does. A filter that
//! the program installs itself is noticed by the call that installs it.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use rules::event::MODIFY;

use crate::fds::Fds;
use crate::sys;

/// Descriptors that came from, or went through, a call about inotify.
static SEEN: Fds = Fds::new();

static SANDBOX: AtomicU8 = AtomicU8::new(NONE);
const NONE: u8 = 0;
/// Some calls are allowed.
const FILTER: u8 = 1;
/// Nothing but read, write and exit is.
const STRICT: u8 = 2;

/// True if the program has entered a sandbox: from then on the library makes only calls that the program makes itself.
#[inline]
pub fn entered() -> bool {
    SANDBOX.load(Relaxed) != NONE
}

/// Notes a descriptor that a call about inotify was made with.
pub fn seen(fd: c_int) {
    SEEN.insert(fd);
}

/// True if `fd` is an inotify instance and the kernel may be asked. In a sandbox it is asked only by the call the
/// program places its watches with, and only about descriptors that the program has used with it.
pub fn is_inotify(fd: c_int) -> bool {
    match SANDBOX.load(Relaxed) {
        NONE => sys::is_inotify(fd),
        FILTER => SEEN.contains(fd) && sys::takes_watch(fd, MODIFY),
        _ => false,
    }
}

/// Notes a prctl(2) about to be made.
pub fn prctl(option: c_int, mode: usize) {
    if option == libc::PR_SET_SECCOMP {
        enter(match mode == libc::SECCOMP_MODE_FILTER as usize {
            true => FILTER,
            false => STRICT,
        });
    }
}

/// Notes a seccomp(2) about to be made.
pub fn seccomp(operation: usize) {
    match operation as u32 {
        libc::SECCOMP_SET_MODE_STRICT => enter(STRICT),
        libc::SECCOMP_SET_MODE_FILTER => enter(FILTER),
        _ => {}
    }
}

/// There is no way out of a sandbox.
fn enter(sandbox: u8) {
    SANDBOX.fetch_max(sandbox, Relaxed);
}
