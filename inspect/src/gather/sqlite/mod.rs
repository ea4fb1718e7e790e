//! SQLite databases among the open files: which files are theirs, what their -wal and -shm say, who holds which lock on
//! them, and whether the files still belong together. Formats: <https://sqlite.org/fileformat2.html> and
//! walformat.html.

pub(crate) mod by_path;
pub mod checksum;
pub(crate) mod databases;
#[cfg(test)]
mod fixture;
pub(crate) mod foreign_locks;
pub(crate) mod frame;
pub mod frames;
pub mod header;
pub(crate) mod held_locks;
pub(crate) mod holders;
pub(crate) mod last_write;
pub(crate) mod lasting;
pub(crate) mod lock_bytes;
pub(crate) mod log_base;
pub(crate) mod log_state;
pub(crate) mod logs;
pub(crate) mod lost;
pub(crate) mod moved;
pub(crate) mod of_process;
pub(crate) mod overwritten;
pub(crate) mod owners;
pub mod shm;
pub(crate) mod unlinked;
pub(crate) mod write_rate;

pub use by_path::{Own, again, database};
pub use frames::Effort;
pub use header::{Mode, database as database_mode};
pub use lasting::{lasting, watch_writers};
pub use log_state::{count, index};
pub use logs::logs;
pub use of_process::look;
pub use owners::owners_of;
pub use write_rate::write_rate;
