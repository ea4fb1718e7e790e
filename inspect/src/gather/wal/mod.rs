//! SQLite to the lock: what the -shm of each database says, and who holds which lock on it.

mod bytes;
mod checksum;
mod file;
mod foreign;
pub mod frames;
pub mod header;
mod held_locks;
mod holders;
mod lasting;
mod logs;
mod moved;
mod of_process;
mod overwritten;
mod owners;
pub mod shm;
mod state;

pub use file::{Own, again, database};
pub use frames::Effort;
pub use header::{Mode, database as database_mode};
pub use lasting::{lasting, watch_writers};
pub use logs::logs;
pub use of_process::look;
pub use owners::owners_of;
pub use state::{count, index};
