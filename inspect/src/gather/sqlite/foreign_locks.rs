//! Locks on a database that are none of SQLite's usual ones: seen, and said not to be understood.
//!
//! SQLite can be told to lock by flock(2) or by a directory beside the database (VFS unix-flock and
//! unix-dotfile, sqlite/src/os_unix.c, `flockLock` and `dotlockLock`).

use crate::gather::descriptors::locks::{LockLine, LockType};
use crate::gather::subject::gaps::Gaps;
use crate::model::{Database, Identity};

/// What such a directory is called: the database's name and this.
pub const DOTFILE: &str = ".lock";

/// Notes locks by flock(2) that stand in `table`, and, with `dotfile`, the directory.
pub fn note(database: &Database, table: &[LockLine], dotfile: bool, gaps: &mut Gaps) {
    let main = database.parts.iter().find(|part| part.suffix.is_empty());
    let what = || format!("the locks on {}", database.database);
    if main
        .and_then(|main| main.identity)
        .is_some_and(|main| by_flock(table, main))
    {
        gaps.note(
            what(),
            "somebody has locked it by flock(2), as SQLite's VFS unix-flock does: such a lock says neither who reads nor who writes",
        );
    }
    if dotfile {
        gaps.note(
            what(),
            format!("a directory of its name and {DOTFILE} lies beside it, as SQLite's VFS unix-dotfile makes one to lock it: it names no process"),
        );
    }
}

fn by_flock(table: &[LockLine], file: Identity) -> bool {
    let mut lines = table.iter();
    lines.any(|line| line.kind == LockType::Flock && !line.waiting && line.file == file.number())
}
