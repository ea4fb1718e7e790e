//! Databases in WAL mode, for the tests that overwrite them.

use crate::gather::sqlite::overwritten::look;
use crate::model::Overwritten;
use rusqlite::Connection;
use std::fs::File;
use std::path::Path;

pub fn look_at(database: &Path) -> Option<Overwritten> {
    let open = |suffix| File::open(format!("{}{suffix}", database.display())).unwrap();
    look(&open(""), &open("-wal"), &open("-shm"))
}

/// Opens a database without automatic checkpoints.
pub fn open(database: &Path, sql: &str) -> Connection {
    let connection = Connection::open(database).unwrap();
    let all = format!("PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; {sql}");
    connection.execute_batch(&all).unwrap();
    connection
}

/// Overwrites a database as cp(1) does: the inode stays the same.
pub fn copy_over(database: &Path, backup: &Path) {
    std::fs::write(database, std::fs::read(backup).unwrap()).unwrap();
}
