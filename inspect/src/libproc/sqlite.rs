//! The SQLite databases among the open files, and what their files say.
//!
//! A file is opened by its path, for nothing can be opened by another process's descriptor; it is believed if it is the
//! same file. No watcher hears that: neither kqueue nor FSEvents has an event for an open, a read or a close without a write.

use super::files::identity;
use crate::formats::sqlite::{
    Mode, database_mode, group, header::JOURNAL, journal, log, log_state::filled, part,
};
use crate::model::{Gaps, Part, Process};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

/// Finds the databases of `process`, whose descriptors must have been read.
pub fn look(process: &mut Process, gaps: &mut Gaps) {
    let mut wal2 = 0;
    let mut found = group(&process.descriptors, |file| {
        let mode = database_mode(filled(&open(file)?, &mut [0; 20]));
        wal2 += usize::from(mode == Some(Mode::Wal2));
        mode
    });
    if wal2 > 0 {
        gaps.count(
            wal2,
            "logs of databases",
            "they are in wal2 mode, which is recognised but not decoded",
        );
    }
    for database in &mut found {
        let without = match part(database, "-shm") {
            Some(_) => "its -shm cannot be opened",
            None => {
                "it has no -shm open: it has locked the database for itself alone, or has not read yet"
            }
        };
        database.wal = log(database, open, without, gaps);
        if database.wal_mode == Some(false) {
            let file = part(database, "-journal").and_then(open);
            database.journal = file
                .filter(|file| !filled(file, &mut [0; JOURNAL]).is_empty())
                .and_then(|file| journal(&file));
        }
        database.holders = vec![database.held_by(process.pid, &process.comm, &process.cmdline)];
    }
    process.sqlite = found;
}

/// Opens a file of the process by its path, for reading. `None` if that fails, or if another file is there.
fn open(wanted: &Part) -> Option<File> {
    if wanted.deleted {
        return None;
    }
    let mut options = OpenOptions::new();
    // A pipe or a device that has taken its place must not hold this up.
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let path = OsStr::from_bytes(wanted.path.as_bytes());
    let file = options.open(path).ok()?;
    let meta = file.metadata().ok()?;
    // The kernel's dev_t has 32 bits there.
    let same = wanted.identity == Some(identity(meta.dev() as u32, meta.ino()));
    (same && meta.is_file()).then_some(file)
}
