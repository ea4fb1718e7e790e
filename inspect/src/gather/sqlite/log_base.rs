//! Whether a database is the one that its log continues from, as far as can be told before any of the log is
//! checkpointed.
//!
//! Every page is in the log or in the database. A process that logs page 1 gives it the file change counter of the page
//! 1 that it read last, plus 1 (pager.c, `pager_write_changecounter`). So the first page 1 in the log has the counter
//! of the database (if its writer continues from an earlier log) or the next one, and each later page 1 follows the one
//! before in the same way. A checkpoint writes one of these into the database.

use crate::formats::sqlite::frame::{MOST, SEARCHED, frame, place};
use crate::formats::sqlite::header::{self, FRAME_HEADER, word};
use crate::formats::sqlite::log_state::filled;
use crate::formats::sqlite::shm::{self, Index};
use crate::model::Overwritten;
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The size of the header in page 1 (<https://sqlite.org/fileformat2.html>, section 1.3).
const HEADER: usize = 100;
/// The offset of the lock bytes: SQLite never writes their page (os.h, `PENDING_BYTE`).
const LOCK_BYTES: u32 = 0x4000_0000;

/// The sign that a log does not continue from this database.
pub fn difference(main: &File, wal: &File, shm: &File, log: &Index) -> Option<Overwritten> {
    let page_size = log.page_size?;
    if log.frames > SEARCHED {
        return None;
    }
    let read = |to: &mut [u8], at| shm.read_exact_at(to, at).is_ok();
    let logged = shm::page_numbers(read, log.frames)?;
    let stored = main.metadata().ok()?.len() / u64::from(page_size);
    let pending = logged.get(log.backfilled as usize..)?;
    if lacks_pages(stored, log.pages, pending, page_size) {
        return Some(Overwritten::Shorter);
    }
    if log.frames == 0 {
        return None;
    }
    let mut start = [0; HEADER];
    let stored = Header::of(filled(main, &mut start))?;
    let numbers = (1..).zip(&logged).filter(|&(_, &page)| page == 1);
    let numbers: Vec<u32> = numbers.map(|(number, _)| number).collect();
    if numbers.is_empty() {
        // A change of the number of pages writes page 1.
        return (stored.pages > log.pages).then_some(Overwritten::Longer);
    }
    if numbers.len() > MOST as usize {
        return None;
    }
    for number in numbers {
        let counter = counter(wal, log, number, page_size)?;
        if counter == stored.counter || counter == stored.counter.wrapping_add(1) {
            return None;
        }
    }
    Some(Overwritten::Counter)
}

/// Whether a page of the database is missing: it is neither among the `stored` ones nor `pending` in the log.
fn lacks_pages(stored: u64, pages: u32, pending: &[u32], page_size: u32) -> bool {
    let stored = u32::try_from(stored).unwrap_or(u32::MAX);
    if stored >= pages {
        return false;
    }
    let pending: HashSet<u32> = pending.iter().copied().collect();
    let lock_page = LOCK_BYTES / page_size + 1;
    (stored + 1..=pages).any(|page| page != lock_page && !pending.contains(&page))
}

/// The counter of the page 1 in frame `number`.
fn counter(wal: &File, log: &Index, number: u32, page_size: u32) -> Option<u32> {
    let mut start = [0; HEADER];
    let at = place(number, page_size) + FRAME_HEADER;
    wal.read_exact_at(&mut start, at).ok()?;
    // A frame's header is written first, so it shows whether the frame belonged to this log when it was read.
    let still = frame(wal, number, page_size)?;
    if (still.page, still.salts) != (1, log.salts) {
        return None;
    }
    Header::of(&start).map(|header| header.counter)
}

/// What page 1 says about its database.
struct Header {
    counter: u32,
    pages: u32,
}

impl Header {
    /// `None` if it is encrypted, or if its last writer did not keep the counter, which is stored twice
    /// (version-valid-for).
    fn of(page: &[u8]) -> Option<Header> {
        header::database(page)?;
        let counter = word(page, 24)?;
        (word(page, 92)? == counter).then_some(Header {
            counter,
            pages: word(page, 28)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{LOCK_BYTES, lacks_pages};
    use crate::gather::sqlite::fixture::{copy_over, look_at, open};
    use crate::model::Overwritten;
    use std::path::PathBuf;

    const FILL: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB);
        INSERT INTO t (body) VALUES (randomblob(100000));";
    /// Changes the number of pages, and thereby page 1.
    const GROW: &str = "INSERT INTO t (body) VALUES (randomblob(50000))";
    /// Changes pages in place.
    const ALTER: &str = "UPDATE t SET body = randomblob(50000) WHERE id > 1";

    /// A database that was closed, and its copies.
    struct Shop {
        dir: tempfile::TempDir,
        database: PathBuf,
    }

    impl Shop {
        fn new() -> Shop {
            let dir = tempfile::tempdir().unwrap();
            let database = dir.path().join("live.db");
            drop(open(&database, FILL));
            Shop { dir, database }
        }

        fn copy(&self, name: &str) -> PathBuf {
            let copy = self.dir.path().join(name);
            std::fs::copy(&self.database, &copy).unwrap();
            copy
        }

        fn run(&self, sql: &str) {
            drop(open(&self.database, sql));
        }
    }

    #[test]
    fn the_page_of_the_lock_bytes_does_not_count_as_missing() {
        let lock_page = LOCK_BYTES / 65536 + 1;
        let mut pending: Vec<u32> = (3..=lock_page + 2)
            .filter(|&page| page != lock_page)
            .collect();
        assert!(!lacks_pages(2, lock_page + 2, &pending, 65536));
        pending.pop();
        assert!(lacks_pages(2, lock_page + 2, &pending, 65536));
        assert!(!lacks_pages(2, lock_page + 1, &pending, 65536));
        assert!(!lacks_pages(9, 9, &[], 4096));
    }

    #[test]
    fn an_older_state_of_the_same_size_shows_by_its_counter() {
        let shop = Shop::new();
        let backup = shop.copy("backup.db");
        for _ in 0..3 {
            shop.run("CREATE TABLE u (a); DROP TABLE u; VACUUM");
        }
        assert_eq!(
            std::fs::metadata(&backup).unwrap().len(),
            std::fs::metadata(&shop.database).unwrap().len()
        );
        let live = open(&shop.database, GROW);
        live.execute_batch(ALTER).unwrap();
        assert_eq!(look_at(&shop.database), None);
        copy_over(&shop.database, &backup);
        assert_eq!(look_at(&shop.database), Some(Overwritten::Counter));
    }

    #[test]
    fn where_page_1_is_not_in_the_log_a_smaller_one_lacks_pages_and_a_larger_one_has_too_many() {
        for shows_by in [Overwritten::Shorter, Overwritten::Longer] {
            let shop = Shop::new();
            shop.run(GROW);
            let large = shop.copy("large.db");
            shop.run("DELETE FROM t WHERE id = 2; VACUUM");
            let small = shop.copy("small.db");
            let backup = match shows_by {
                Overwritten::Shorter => {
                    copy_over(&shop.database, &large);
                    small
                }
                _ => large,
            };
            let live = open(&shop.database, "");
            let alter = "UPDATE t SET body = zeroblob(100000) WHERE id = 1";
            live.execute_batch(alter).unwrap();
            assert_eq!(look_at(&shop.database), None);
            copy_over(&shop.database, &backup);
            assert_eq!(look_at(&shop.database), Some(shows_by));
        }
    }

    #[test]
    fn a_log_continues_from_its_database_whoever_wrote_the_last_one() {
        let shop = Shop::new();
        let (one, two) = (open(&shop.database, ""), open(&shop.database, ""));
        for round in 0..6 {
            // A connection that writes alone keeps the counter. A connection that reads another's page 1 raises it.
            let writers = match round % 3 {
                0 => vec![&one],
                1 => vec![&one, &two],
                _ => vec![&two],
            };
            for sql in [GROW, ALTER, "DELETE FROM t WHERE id > 2", "VACUUM", GROW] {
                for writer in &writers {
                    writer.execute_batch(sql).unwrap();
                    assert_eq!(look_at(&shop.database), None, "{round}: {sql}");
                }
            }
            let how = ["PASSIVE", "RESTART", "TRUNCATE"][round % 3];
            one.execute_batch(&format!("PRAGMA wal_checkpoint({how})"))
                .unwrap();
            assert_eq!(look_at(&shop.database), None, "{round}: {how}");
        }
    }

    #[test]
    fn a_checkpoint_that_a_reader_stops_halfway_leaves_one_of_the_counters_of_the_log() {
        let shop = Shop::new();
        let live = open(&shop.database, GROW);
        let reader = open(&shop.database, "BEGIN; SELECT count(*) FROM t");
        for _ in 0..3 {
            open(&shop.database, "").execute_batch(GROW).unwrap();
        }
        live.execute_batch("PRAGMA wal_checkpoint").unwrap();
        assert_eq!(look_at(&shop.database), None);
        drop(reader);
        live.execute_batch("PRAGMA wal_checkpoint").unwrap();
        assert_eq!(look_at(&shop.database), None);
    }
}
