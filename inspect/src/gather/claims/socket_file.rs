//! The facts about a socket file that stat(2) returns.

use std::time::{Duration, SystemTime};

/// A socket file according to stat(2).
pub struct SocketFile {
    /// Device and inode.
    pub file: (u64, u64),
    /// When it was bound.
    pub made: Option<SystemTime>,
}

impl SocketFile {
    /// Takes the facts from a stat(2) result.
    pub fn of(stat: &libc::stat) -> SocketFile {
        let since = u64::try_from(stat.st_mtime).ok().map(Duration::from_secs);
        SocketFile {
            file: (stat.st_dev, stat.st_ino),
            made: since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)),
        }
    }
}
