//! Claims judged: is anybody behind a PID, port, lock or socket file? (incident 3)
//!
//! It reads the file and the kernel's tables, never connects, never locks, never deletes.

pub mod content;
mod judge;
pub mod link;
mod named;
mod nearby;
mod owners;
pub(super) mod places;
pub(super) mod sided;
mod socket;
mod socket_file;
mod tie;

pub use content::kind_of;
pub use judge::{TTL, judge_paths};
pub use nearby::of_process;
