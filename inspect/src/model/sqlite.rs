//! SQLite databases.

use super::{Identity, Name};
use serde::Serialize;

/// One database a process has open, with its side files.
#[derive(Debug, Serialize)]
pub struct Database {
    /// The path of the database itself.
    pub database: Name,
    /// Descriptors of the database.
    pub handles: usize,
    /// Descriptors of its -wal: one per connection that has read.
    pub wal_handles: usize,
    /// Descriptors of its -shm: one per SQLite library in the process.
    pub shm_handles: usize,
    /// Descriptors of its -journal.
    pub journal_handles: usize,
    /// Size of the database.
    pub database_bytes: Option<u64>,
    /// Size of its -wal, a high-water mark.
    pub wal_bytes: Option<u64>,
    /// Size of its -shm.
    pub shm_bytes: Option<u64>,
    /// The database is unlinked.
    pub deleted: bool,
    /// Its -wal is unlinked; `None` when none is open.
    pub wal_deleted: Option<bool>,
    /// Whether its header says WAL mode; `None` when it could not be read.
    pub wal_mode: Option<bool>,
    /// Frames, checkpoints and locks: not read yet.
    pub wal: Option<()>,
    /// Its open files.
    #[serde(skip)]
    pub parts: Vec<Part>,
}

/// One file of a database, known by its inode.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which it is: `""` for the database itself, else `-wal`, `-shm`, `-journal`.
    pub suffix: &'static str,
    /// Its path.
    pub path: Name,
    /// A descriptor of it.
    pub fd: i32,
    /// Descriptors of it.
    pub handles: usize,
    /// Whether one of them can be written through.
    pub writable: bool,
    /// Whether it is unlinked.
    pub deleted: bool,
    /// Its size.
    pub bytes: Option<u64>,
    /// Its inode.
    pub identity: Option<Identity>,
    /// The inode of its directory.
    pub parent: Option<Identity>,
}
