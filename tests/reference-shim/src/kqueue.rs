//! macOS: a call that is handed on.

use std::ffi::c_int;

redhook::hook! {
    unsafe fn kevent(
        kq: c_int,
        changes: *const libc::kevent,
        n: c_int,
        events: *mut libc::kevent,
        room: c_int,
        timeout: *const libc::timespec
    ) -> c_int => passed {
        // SAFETY: the program's own arguments.
        unsafe { redhook::real!(kevent)(kq, changes, n, events, room, timeout) }
    }
}
