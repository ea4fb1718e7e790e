//! Counters of a process at one moment.

use super::{Kind, Name};
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

/// The counters of a process at one moment. `None` means that it may not be read.
#[derive(Debug, Clone)]
pub struct Sample {
    /// When it was taken.
    pub at: Instant,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Inotify instances. An instance with several descriptors counts once.
    pub instances: Option<u64>,
    /// Watches of all of them.
    pub watches: Option<u64>,
    /// Descriptors by the path of what they stand on. Empty where `instances` is `None`.
    pub files: HashMap<Name, u64>,
    /// Descriptors by kind, of what has no path. Empty where `instances` is `None`.
    pub kinds: BTreeMap<Kind, u64>,
    /// Databases with a -wal or -shm open, by path. Empty where `instances` is `None`.
    pub databases: BTreeMap<Name, DatabaseSample>,
}

/// A database at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DatabaseSample {
    /// Descriptors of the database, its -wal and its -shm; `None` where they were not counted, because
    /// the database was looked at by its path.
    pub handles: Option<Handles>,
    /// Size of the -wal.
    pub wal_bytes: Option<u64>,
    /// What its -shm says, or without one to believe its -wal.
    pub log: Option<LogSample>,
    /// Bytes that can still be written to the file system of its -wal; `None` also where the database was
    /// looked at by its path.
    pub disk_free_bytes: Option<u64>,
}

/// Descriptors of a database's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handles {
    /// Of the database.
    pub database: u64,
    /// Of its -wal.
    pub wal: u64,
    /// Of its -shm.
    pub shm: u64,
}

/// A write-ahead log at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSample {
    /// Valid frames, `mxFrame`.
    pub frames: u32,
    /// Frames that are in the database already, `nBackfill`; only a -shm says that.
    pub checkpointed_frames: Option<u32>,
    /// They change when the log begins anew.
    pub salts: [u8; 8],
    /// Bytes of a page.
    pub page_size: Option<u32>,
}

impl LogSample {
    /// Bytes of the frames that are not in the database yet.
    pub fn pending_bytes(&self) -> Option<u64> {
        let pending = self.frames.saturating_sub(self.checkpointed_frames?);
        // A frame is its header of 24 bytes and a page (sqlite.org/fileformat2.html, section 4.1).
        Some(u64::from(pending) * (24 + u64::from(self.page_size?)))
    }
}
