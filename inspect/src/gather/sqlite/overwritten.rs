//! Whether a database was overwritten in place while it was open, as by `cp backup.db live.db`. It then keeps its
//! inode, its -wal and its -shm, but has other pages.
//!
//! Every frame that the -shm calls checkpointed is in the database: `walCheckpoint` (sqlite/src/wal.c) copies its page
//! unchanged, encrypted or not. So SQLite did not write a page that differs from its last checkpointed frame.

use crate::formats::sqlite::frame::{Frame, MOST, SEARCHED, frame, place};
use crate::formats::sqlite::header;
use crate::formats::sqlite::header::{FRAME_HEADER, Mode};
use crate::formats::sqlite::log_state::{filled, index};
use crate::formats::sqlite::shm::Index;
use crate::gather::sqlite::log_base;
use crate::model::Overwritten;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How many pages are compared: a restored copy rarely has those of the last transactions.
const COMPARED: usize = 64;
/// How many times it is checked at most while a process writes.
const TRIES: usize = 4;
/// How many checks must find it.
const AGREE: usize = 2;

/// The sign that it was overwritten; `None` if there is none.
pub fn look(main: &File, wal: &File, shm: &File) -> Option<Overwritten> {
    let mut agree = 0;
    for _ in 0..TRIES {
        let before = index(shm, Some(wal)).ok()?;
        let found = look_once(main, wal, shm, &before)?;
        // A write in the meantime may explain the difference.
        if index(shm, Some(wal)).ok()? == before {
            agree += 1;
        }
        if agree == AGREE {
            return Some(found);
        }
    }
    None
}

fn look_once(main: &File, wal: &File, shm: &File, log: &Index) -> Option<Overwritten> {
    let found = difference(main, wal, shm, log)?;
    // A restore through SQLite has logged every page since, so nobody reads the pages of the database file.
    (!is_covered(wal, log)).then_some(found)
}

fn difference(main: &File, wal: &File, shm: &File, log: &Index) -> Option<Overwritten> {
    let page_size = log.page_size?;
    let mut start = [0; 100];
    let start = filled(main, &mut start);
    // Without the magic it may be encrypted: only its pages can be compared.
    if let Some(mode) = header::database(start) {
        let stored = start.get(16..18).and_then(|bytes| bytes.first_chunk());
        let stored = stored.and_then(|&bytes| header::page_size(u16::from_be_bytes(bytes).into()));
        if stored.is_some_and(|stored| stored != page_size) {
            return Some(Overwritten::PageSize);
        }
        // The last connection to leave WAL mode removes the -wal first.
        if mode == Mode::Rollback && log.frames > 0 {
            return Some(Overwritten::Mode);
        }
    }
    log_base::difference(main, wal, shm, log)
        .or_else(|| differs(main, wal, log, page_size).then_some(Overwritten::Pages))
}

/// Whether every page of the database is in the log and not checkpointed yet.
fn is_covered(wal: &File, log: &Index) -> bool {
    let Some(page_size) = log.page_size.filter(|_| log.pages > 0) else {
        return false;
    };
    // Each page takes a frame.
    if log.frames - log.backfilled < log.pages || log.frames > SEARCHED {
        return false;
    }
    let numbers = log.backfilled + 1..=log.frames;
    let pages: Option<HashSet<u32>> = numbers
        .map(|number| Some(frame(wal, number, page_size)?.page))
        .collect();
    pages.is_some_and(|pages| (1..=log.pages).all(|page| pages.contains(&page)))
}

/// Whether a page differs from what was checkpointed.
fn differs(main: &File, wal: &File, log: &Index, page_size: u32) -> bool {
    let Some(mut expected) = Expected::of(wal, log, page_size) else {
        return false;
    };
    let size = page_size as usize;
    let (mut logged, mut stored) = (vec![0; size], vec![0; size]);
    expected.frames.truncate(COMPARED);
    for (page, number, salts) in expected.frames {
        // A database that shrank has lost the pages past its end.
        if page == 0 || page > expected.pages {
            continue;
        }
        let at = u64::from(page - 1) * u64::from(page_size);
        let read = wal.read_exact_at(&mut logged, place(number, page_size) + FRAME_HEADER);
        // A transaction that has not ended overwrites the previous log, and no index says so. It writes the header
        // of a frame first (`walWriteOneFrame`).
        let still = frame(wal, number, page_size);
        if read.is_err() || still.is_none_or(|now| (now.page, now.salts) != (page, salts)) {
            return false;
        }
        match main.read_exact_at(&mut stored, at) {
            Ok(()) if logged == stored => {}
            Ok(()) => return true,
            // The file ends before a page that was written to it.
            Err(e) => return e.kind() == io::ErrorKind::UnexpectedEof,
        }
    }
    false
}

/// What the database must have.
struct Expected {
    /// Pages, and the frames they were copied from with their salts, the last first.
    frames: Vec<(u32, u32, [u8; 8])>,
    /// The smallest number of pages it may have had since.
    pages: u32,
}

impl Expected {
    fn of(wal: &File, log: &Index, page_size: u32) -> Option<Expected> {
        let (done, frames) = (log.backfilled, log.frames);
        if frames - done > MOST {
            return None;
        }
        let mut seen = HashSet::new();
        let mut pages = log.pages;
        // What was written since may or may not be in the database already.
        for number in done + 1..=frames {
            let frame = frame(wal, number, page_size)?;
            seen.insert(frame.page);
            pages = pages.min(frame.pages.unwrap_or(pages));
        }
        let checkpointed = match done {
            0 => last_log(wal, log, page_size),
            _ => (done.saturating_sub(MOST) + 1..=done)
                .map(|number| Some((number, frame(wal, number, page_size)?)))
                .collect::<Option<Vec<_>>>()?,
        };
        let mut found = Vec::new();
        for (number, frame) in checkpointed.into_iter().rev() {
            pages = pages.min(frame.pages.unwrap_or(pages));
            if seen.insert(frame.page) {
                found.push((frame.page, number, frame.salts));
            }
        }
        Some(Expected {
            frames: found,
            pages,
        })
    }
}

/// What is left of the previous log, up to its last transaction. All of it was checkpointed, or this log would not have
/// started. Its first salt is one less (`walRestartHdr`).
fn last_log(wal: &File, log: &Index, page_size: u32) -> Vec<(u32, Frame)> {
    let first = |salts: &[u8; 8]| salts.first_chunk().map(|&salt| u32::from_be_bytes(salt));
    let before = first(&log.salts).map(|salt| salt.wrapping_sub(1));
    let all = (log.frames + 1..=log.frames.saturating_add(MOST))
        .map_while(|number| Some((number, frame(wal, number, page_size)?)));
    // A transaction that has not ended yet overwrites it.
    let rest = all.skip_while(|(_, frame)| frame.salts == log.salts);
    let mut salts = None;
    let mut found: Vec<_> = rest
        .take_while(|(_, frame)| {
            first(&frame.salts) == before && *salts.get_or_insert(frame.salts) == frame.salts
        })
        .collect();
    let ended = found.iter().rposition(|(_, frame)| frame.pages.is_some());
    // More frames may follow than were read. Then the last frame is not known for any page.
    let whole = found.len() < MOST as usize;
    found.truncate(ended.filter(|_| whole).map_or(0, |ended| ended + 1));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::sqlite::fixture::{copy_over, look_at, open};
    use rusqlite::Connection;
    use rusqlite::backup::Backup;
    use std::time::Duration;

    const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB);";
    const FILL: &str = "INSERT INTO t (body) VALUES (randomblob(30000)); PRAGMA wal_checkpoint;";

    #[test]
    fn nothing_that_sqlite_does_itself_counts_as_overwritten() {
        let temp = tempfile::tempdir().unwrap();
        let database = temp.path().join("a.db");
        let live = open(&database, TABLE);
        let steps = [
            "INSERT INTO t (body) VALUES (randomblob(9000))",
            "PRAGMA wal_checkpoint",
            "UPDATE t SET body = randomblob(20000)",
            "PRAGMA wal_checkpoint(RESTART)",
            "INSERT INTO t (body) SELECT randomblob(3000) FROM t, t AS u LIMIT 50",
            "PRAGMA wal_checkpoint",
            "DELETE FROM t WHERE id > 0",
            "VACUUM",
            "PRAGMA wal_checkpoint",
            "INSERT INTO t (body) VALUES (zeroblob(100000))",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ];
        for step in steps.iter().chain(&steps) {
            live.execute_batch(step).unwrap();
            assert_eq!(look_at(&database), None, "{step}");
        }
    }

    #[test]
    fn a_copy_over_a_database_is_found_by_size_mode_page_size_or_pages() {
        let temp = tempfile::tempdir().unwrap();
        let database = temp.path().join("a.db");
        let live = open(&database, TABLE);
        live.execute_batch(FILL).unwrap();
        let backup = temp.path().join("backup.db");
        std::fs::copy(&database, &backup).unwrap();
        live.execute_batch("UPDATE t SET body = randomblob(30000); PRAGMA wal_checkpoint;")
            .unwrap();
        assert_eq!(look_at(&database), None);
        copy_over(&database, &backup);
        assert_eq!(look_at(&database), Some(Overwritten::Pages));
        for (sql, found) in [
            (
                "PRAGMA page_size = 512; CREATE TABLE u (a)",
                Overwritten::PageSize,
            ),
            ("CREATE TABLE u (a)", Overwritten::Mode),
            (
                "PRAGMA journal_mode = wal; CREATE TABLE u (a)",
                Overwritten::Shorter,
            ),
        ] {
            let other = temp.path().join(found.name());
            Connection::open(&other)
                .unwrap()
                .execute_batch(sql)
                .unwrap();
            copy_over(&database, &other);
            assert_eq!(look_at(&database), Some(found));
        }
        // After the log restarted, what is left of the previous one shows it.
        let old = std::fs::read(&backup).unwrap();
        std::fs::write(&database, &old).unwrap();
        live.execute_batch("INSERT INTO t (body) VALUES ('first of a log')")
            .unwrap();
        assert_eq!(look_at(&database), Some(Overwritten::Pages));
    }

    #[test]
    fn a_restore_through_sqlite_is_not_reported_before_or_after_its_checkpoint() {
        for mode in ["wal", "delete"] {
            let temp = tempfile::tempdir().unwrap();
            let database = temp.path().join("a.db");
            let live = open(&database, TABLE);
            live.execute_batch(FILL).unwrap();
            // Like one made by VACUUM INTO, or a copy of a closed database.
            let backup = temp.path().join("backup.db");
            let whole = Connection::open(&backup).unwrap();
            let sql = format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (id, body); {FILL}");
            whole.execute_batch(&sql).unwrap();
            let other = std::fs::read(&backup).unwrap();
            std::fs::write(&database, other).unwrap();
            assert!(look_at(&database).is_some(), "{mode}");
            let mut restored = Connection::open(&database).unwrap();
            let restore = Backup::new(&whole, &mut restored).unwrap();
            restore
                .run_to_completion(100, Duration::ZERO, None)
                .unwrap();
            drop(restore);
            assert_eq!(look_at(&database), None, "{mode}");
            live.execute_batch("INSERT INTO t VALUES (7, 'more')")
                .unwrap();
            assert_eq!(look_at(&database), None, "{mode}");
            live.execute_batch("PRAGMA wal_checkpoint").unwrap();
            assert_eq!(look_at(&database), None, "{mode}");
        }
    }
}
