//! Judges claims: whether a PID, port, lock or socket file still has an owner (incident 3).
//!
//! Only the file and the kernel's tables are read. Nothing is connected to, locked or deleted.

pub(super) mod distinct;
mod judge;
pub mod link;
mod named;
mod nearby;
mod owners;
mod pid_reuse;
pub(super) mod places;
mod port;
mod socket;
mod socket_file;

pub use judge::judge_paths;
pub use nearby::of_process;
