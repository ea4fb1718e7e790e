//! What would make poll(2) return.

use std::os::fd::{AsRawFd, BorrowedFd};

/// Whether a descriptor can be read from without waiting, or has failed: a pipe whose reader has gone.
pub fn is_ready(fd: BorrowedFd<'_>) -> bool {
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `entry` is one filled entry, which the kernel changes in place; it does not wait.
    unsafe { libc::poll(&raw mut entry, 1, 0) > 0 }
}
