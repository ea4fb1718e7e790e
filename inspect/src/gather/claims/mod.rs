//! Judges claims: does a PID, port, lock or socket file still have an owner? (incident 3)
//!
//! It reads the file and the kernel's tables. It never connects, locks or deletes.

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
