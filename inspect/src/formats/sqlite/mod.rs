//! The files of a SQLite database: which belong together, and what they say. Formats:
//! <https://sqlite.org/fileformat2.html> and walformat.html.

pub mod checksum;
pub mod frame;
pub mod frames;
mod grouping;
pub mod header;
mod log;
pub mod log_state;
pub mod shm;

pub use frames::Effort;
pub use grouping::{SUFFIXES, database_of, group, part as part_of};
pub use header::{Mode, database as database_mode};
pub use log::{journal, log, part};
