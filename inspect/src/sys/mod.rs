//! System calls std does not offer, each in the smallest safe function. Those that only Linux has are in `linux`.

#[cfg(target_os = "linux")]
mod linux;
mod local_time;
mod streams;
mod terminal;

#[cfg(target_os = "linux")]
pub use linux::*;
pub use local_time::local_time;
pub use streams::output_was_closed;
pub use terminal::{terminal_rows, terminal_width};

use std::ffi::c_int;
use std::io;

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The user this program acts as.
pub fn effective_user() -> u32 {
    // SAFETY: geteuid has no arguments, touches no memory and cannot fail (geteuid(2)).
    unsafe { libc::geteuid() }
}
