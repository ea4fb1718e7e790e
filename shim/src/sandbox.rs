//! What a sandbox of the program's own forbids: to ask the kernel about a descriptor may be death.
//!
//! A filter that the program was started under let the loader do more than is ever done here. One that it
//! puts up itself is seen by the call that does it.

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

/// True if the program has put up a sandbox: no call is made that it does not make itself.
#[inline]
pub fn entered() -> bool {
    SANDBOX.load(Relaxed) != NONE
}

/// Notes a descriptor that a call about inotify was made with.
pub fn seen(fd: c_int) {
    SEEN.insert(fd);
}

/// True if `fd` is an inotify instance and the kernel may be asked. In a sandbox it is only asked by the call
/// that the program has its watches by, and only about what that call was made with.
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
