//! What could not be seen, and why.

pub use crate::model::Gaps;
pub use crate::words::errno_text;
use std::io;

/// Whether the error means that the examined object no longer exists.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}
