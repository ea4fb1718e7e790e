//! What is known about unlinked databases: whether that may be intended, and where they can be saved.

use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Database, Name};
use crate::sys;
use std::os::fd::AsFd;

/// Where SQLite and other programs create temporary files (os_unix.c, `unixTempFileDir`).
const TEMPORARY: [&[u8]; 3] = [b"/tmp", b"/var/tmp", b"/usr/tmp"];
/// Environment variables that name another place.
const VARIABLES: [&[u8]; 2] = [b"SQLITE_TMPDIR=", b"TMPDIR="];

/// Looks at a database of which some files are unlinked.
pub fn look(dir: &ProcDir, view: &View<'_>, database: &mut Database) {
    let mut parts = database.parts.iter();
    if !parts.any(|part| part.deleted) {
        return;
    }
    let path = database.database.as_bytes();
    database.replaced = database.deleted && view.stat(path, FinalLink::Stay).is_ok();
    database.scratch = is_scratch(dir, database);
    database.nearest = nearest(view, &database.database);
}

/// Whether all of its files were unlinked in a place for temporary files, as a program does with a scratch database. A
/// -wal, -shm or -journal that still has a name shows that somebody removed one file and not the others.
fn is_scratch(dir: &ProcDir, database: &Database) -> bool {
    let mut parts = database.parts.iter();
    if !database.deleted || database.replaced || !parts.all(|part| part.deleted) {
        return false;
    }
    let path = database.database.as_bytes();
    let is_below = |place: &[u8]| {
        let rest = path.strip_prefix(place);
        !place.is_empty() && rest.is_some_and(|rest| rest.starts_with(b"/"))
    };
    if TEMPORARY.iter().any(|place| is_below(place)) {
        return true;
    }
    let environ = dir.read("environ").unwrap_or_default();
    let mut variables = environ.split(|&b| b == 0);
    variables.any(|variable| {
        let values = VARIABLES
            .iter()
            .filter_map(|name| variable.strip_prefix(*name));
        let mut places = values.map(|value| value.strip_suffix(b"/").unwrap_or(value));
        places.any(is_below)
    })
}

/// Where files can be created if the directory of a database is gone: in the nearest directory above it, or in `.` if
/// this user may not write there. `None` if the directory exists.
fn nearest(view: &View<'_>, database: &Name) -> Option<Name> {
    let own = database.parent()?.to_vec();
    let mut place = &own[..];
    loop {
        let found = view.find(place, FinalLink::Follow);
        match found {
            Ok(_) if place == own => return None,
            Ok(found) => {
                let may = sys::is_directory(found.as_fd()) && sys::may_write(found.as_fd());
                return Some(if may { place.into() } else { b"."[..].into() });
            }
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {}
            // A directory that cannot be examined may exist.
            Err(_) => return None,
        }
        place = match place.iter().rposition(|&b| b == b'/')? {
            0 if place.len() > 1 => b"/",
            0 => return None,
            at => place.get(..at)?,
        };
    }
}
