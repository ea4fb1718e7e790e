//! What stat(2) shows of a socket file.

use std::time::{Duration, SystemTime};

/// A socket file as stat(2) shows it.
pub struct SocketFile {
    /// Device and inode.
    pub file: (u64, u64),
    /// When it was bound.
    pub made: Option<SystemTime>,
}

impl SocketFile {
    /// From what stat(2) says.
    pub fn of(stat: &libc::stat) -> SocketFile {
        let since = u64::try_from(stat.st_mtime).ok().map(Duration::from_secs);
        SocketFile {
            file: (stat.st_dev, stat.st_ino),
            made: since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)),
        }
    }
}
