//! Locks on a database that are not SQLite's usual ones. They are detected, and reported as not understood.
//!
//! SQLite can be told to lock by flock(2) or by a directory beside the database (VFS unix-flock and
//! unix-dotfile, sqlite/src/os_unix.c, `flockLock` and `dotlockLock`).

use crate::gather::descriptors::locks::{LockLine, LockType};
use crate::gather::subject::gaps::Gaps;
use crate::model::{Database, Identity};

/// The suffix of the name of such a directory.
pub const DOTFILE: &str = ".lock";

/// Notes flock(2) locks listed in `table` and, with `dotfile`, the directory.
pub fn note(database: &Database, table: &[LockLine], dotfile: bool, gaps: &mut Gaps) {
    let main = database.parts.iter().find(|part| part.suffix.is_empty());
    let what = || format!("the locks on {}", database.database);
    if main
        .and_then(|main| main.identity)
        .is_some_and(|main| by_flock(table, main))
    {
        gaps.note(
            what(),
            "a process has locked it with flock(2), as SQLite's VFS unix-flock does: such a lock does not tell readers from writers",
        );
    }
    if dotfile {
        gaps.note(
            what(),
            format!("the directory that SQLite's VFS unix-dotfile creates to lock it ({DOTFILE} after its name) lies beside it: it does not name a process"),
        );
    }
}

fn by_flock(table: &[LockLine], file: Identity) -> bool {
    let mut lines = table.iter();
    lines.any(|line| line.kind == LockType::Flock && !line.waiting && line.file == file.number())
}
