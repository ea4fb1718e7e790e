//! System calls std does not offer, one family a module, each in the smallest safe function.

pub mod credentials;
pub mod inotify;
pub mod memory;
pub mod path;
pub mod pidfd;
pub mod poll;
pub mod process;
pub mod seccomp;
pub mod signal;
pub mod socket;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The answer of a call that returns -1 and sets errno.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(result),
    }
}

/// What the mutex has. A panic ends this program: nobody left the lock behind in one.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error in the words of strerror(3), without Rust's "(os error N)".
pub fn words(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error") {
        text.truncate(end);
    }
    text
}
