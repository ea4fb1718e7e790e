//! What would make poll(2) return.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Whether a descriptor can be read from without waiting, or has failed: a pipe whose reader has gone.
pub fn is_ready(fd: BorrowedFd<'_>) -> bool {
    becomes_ready(fd, Duration::ZERO)
}

/// The same, for as long as it is waited for.
pub fn becomes_ready(fd: BorrowedFd<'_>, time: Duration) -> bool {
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // Rounded up: a wait that ends a little early would be repeated for nothing.
    let millis = i32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: `entry` is one filled entry, which the kernel changes in place.
    unsafe { libc::poll(&raw mut entry, 1, millis) > 0 }
}

/// Whether nobody has the other end of a pipe open. An end for writing is told POLLERR then (fs/pipe.c, `pipe_poll`).
pub fn has_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: `entry` is one filled entry, which the kernel changes in place; it does not wait.
    let ready = unsafe { libc::poll(&raw mut entry, 1, 0) };
    ready > 0 && entry.revents & (libc::POLLHUP | libc::POLLERR) != 0
}
