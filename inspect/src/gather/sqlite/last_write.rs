//! When the files of databases were last written, by stat(2) alone.

use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Database, Name};
use crate::sys;
use std::os::fd::AsFd;
use std::time::{Duration, UNIX_EPOCH};

/// Finds out when each file of the databases was last written, and whether commits create a -journal. No file is
/// opened.
pub fn look(dir: &ProcDir, mounts: &Mounts, databases: &mut [Database]) {
    let view = View::of(dir, mounts);
    for database in databases {
        let rollback = database.wal_mode == Some(false);
        let parts = database.parts.iter_mut();
        for part in parts.filter(|part| part.writable && !part.deleted) {
            let stat = view.descriptor(part.fd);
            let stat = stat.and_then(|found| sys::stat_at(found.as_fd(), b"", 0));
            let Ok(stat) = stat else { continue };
            part.rested = rested(&stat);
            if rollback && part.suffix.is_empty() {
                database.makes_journals = makes_journals(&view, &part.path, &stat);
            }
        }
    }
}

fn rested(stat: &libc::stat) -> Option<Duration> {
    let seconds = u64::try_from(stat.st_mtime).ok()?;
    let nanos = u32::try_from(stat.st_mtime_nsec).ok()?;
    let written = UNIX_EPOCH + Duration::new(seconds, nanos);
    // A clock may have been set back.
    Some(written.elapsed().unwrap_or_default())
}

/// Whether commits create a -journal, which they do not with `journal_mode` memory or off. They do if a -journal
/// exists, or if the directory changed after the database did, because then a -journal was removed.
fn makes_journals(view: &View<'_>, database: &Name, stat: &libc::stat) -> bool {
    let journal = [database.as_bytes(), b"-journal"].concat();
    let lies_there = view.stat(&journal, FinalLink::Stay).is_ok();
    let directory = database.parent().map(|dir| view.stat(dir, FinalLink::Stay));
    let removed = directory.and_then(Result::ok).is_some_and(|dir| {
        (dir.st_mtime, dir.st_mtime_nsec) >= (stat.st_mtime, stat.st_mtime_nsec)
    });
    lies_there || removed
}
