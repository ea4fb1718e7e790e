//! SQLite databases among the open files: who holds which lock on them, and whether the files still belong together.
//! Which files are theirs and what these say is `crate::formats::sqlite`.

pub(crate) mod by_path;
pub(crate) mod databases;
#[cfg(test)]
mod fixture;
pub(crate) mod foreign_locks;
pub(crate) mod held_locks;
pub(crate) mod holders;
pub(crate) mod last_write;
pub(crate) mod lasting;
pub(crate) mod lock_bytes;
pub(crate) mod log_base;
pub(crate) mod logs;
pub(crate) mod lost;
pub(crate) mod moved;
pub(crate) mod of_process;
pub(crate) mod overwritten;
pub(crate) mod owners;
pub(crate) mod unlinked;
pub(crate) mod write_rate;

pub use by_path::{Own, again, database};
pub use lasting::{lasting, watch_writers};
pub use logs::logs;
pub use of_process::look;
pub use owners::owners_of;
pub use write_rate::write_rate;
