//! What could not be seen, and why.

pub use crate::model::Gaps;
use crate::sys;
pub use crate::words::errno_text;
use std::io;

/// Whether the error means that the examined object no longer exists.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// Why processes may not be read, and who may.
pub fn not_permitted() -> &'static str {
    match sys::effective_user() {
        0 => "permission denied: root needs CAP_SYS_PTRACE for them here",
        _ => "permission denied: root may read them",
    }
}
