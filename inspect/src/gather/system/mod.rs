//! The system itself: its kernel and distribution, what is installed, and what the kernel allows.

pub(crate) mod installed;
pub(crate) mod kernel;
