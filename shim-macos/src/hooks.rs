//! What dyld puts in place of what: the pairs of `__DATA,__interpose`.
//!
//! dyld binds every image of the process to the first of a pair where it names the second, and so does dlsym; only this
//! library's own binds are left alone (dyld's Loader.cpp and DyldRuntimeState.cpp). So a call from here reaches the real
//! function, and dlsym from here would not.

use core::ffi::c_void;

use crate::{children, fsevents, kqueue};

#[repr(C)]
struct Pair {
    ours: *const c_void,
    theirs: *const c_void,
}

// SAFETY: two addresses of functions, which nobody writes to once dyld has bound them.
unsafe impl Sync for Pair {}

macro_rules! pairs {
    ($($ours:path => $theirs:path,)*) => {
        [$(Pair { ours: $ours as *const c_void, theirs: $theirs as *const c_void }),*]
    };
}

// `#[used]`: no code refers to it, and an optimised build would leave it out.
#[used]
#[unsafe(link_section = "__DATA,__interpose")]
static PAIRS: [Pair; 7] = pairs! {
    kqueue::kevent => libc::kevent,
    kqueue::kevent64 => libc::kevent64,
    fsevents::create => fsevents::api::FSEventStreamCreate,
    fsevents::create_relative => fsevents::api::FSEventStreamCreateRelativeToDevice,
    children::posix_spawn => libc::posix_spawn,
    children::posix_spawnp => libc::posix_spawnp,
    children::execve => libc::execve,
};
