//! What a watch is about to be placed on.

use core::ffi::{CStr, c_int};

use crate::{sandbox, sys};

/// O_PATH opens nothing: no event is raised, no permission on the file itself is needed.
pub fn at(path: &CStr, mask: u32) -> Option<c_int> {
    if sandbox::entered() {
        return None;
    }
    let follow = if mask & rules::event::DONT_FOLLOW != 0 {
        libc::O_NOFOLLOW
    } else {
        0
    };
    sys::open(path, libc::O_PATH | follow, 0).ok()
}
