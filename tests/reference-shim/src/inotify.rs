//! Linux: the mask of a watch.

use std::ffi::{c_char, c_int};

const STRIPPED: u32 = libc::IN_OPEN | libc::IN_ACCESS | libc::IN_CLOSE_NOWRITE;

/// The mask the kernel is asked for: written from the contract, not from `rules`, so that the
/// differential test compares two readings of it.
fn mask_for(asked: u32) -> u32 {
    if asked & libc::IN_ALL_EVENTS == 0 {
        return asked;
    }
    let mut mask = asked & !STRIPPED;
    if mask & libc::IN_ALL_EVENTS == 0 {
        mask |= libc::IN_UNMOUNT;
    }
    mask
}

redhook::hook! {
    unsafe fn inotify_add_watch(fd: c_int, path: *const c_char, mask: u32) -> c_int => masked {
        // SAFETY: the program's arguments, with another mask.
        unsafe { redhook::real!(inotify_add_watch)(fd, path, mask_for(mask)) }
    }
}
