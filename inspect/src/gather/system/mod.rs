//! The system itself: kernel and distribution, what is installed, and what the kernel allows here.

pub(crate) mod installed;
pub(crate) mod kernel;
