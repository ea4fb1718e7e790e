//! Databases another one is put in the place of while they are open, as by a restore.

use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::report::Report;
use crate::sqlite::{failed, open};

/// Rows that are committed.
const ROWS: usize = 3001;

/// A database of [`ROWS`] rows. In WAL mode all but the last are in the database itself; in rollback mode a
/// transaction has begun to overwrite them and is not committed.
pub fn hold(mut report: Report, dir: &Path, rollback: bool) -> Outcome {
    let database = dir.join("state.db");
    let connection = open(&database)?;
    let run = |sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(|e| failed("cannot be written", &database, &e))
    };
    let fill = format!(
        "CREATE TABLE entries (id INTEGER PRIMARY KEY, body TEXT);
         INSERT INTO entries (body)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
         SELECT printf('%0300d', i) FROM n;",
        ROWS - 1
    );
    let last = "INSERT INTO entries (body) VALUES ('last')";
    if rollback {
        run(&fill)?;
        run(last)?;
        // With room for ten pages, what does not fit goes into the database before the commit.
        run("PRAGMA cache_size = 10; BEGIN; UPDATE entries SET body = 'half done'")?;
    } else {
        run("PRAGMA journal_mode = wal")?;
        run(&fill)?;
        run("PRAGMA wal_checkpoint(RESTART)")?;
        run(last)?;
    }
    let lost =
        |path: &Path, e: std::io::Error| format!("{} cannot be replaced: {e}.", path.display());
    let other = dir.join("restored.db");
    open(&other)?
        .execute_batch("CREATE TABLE other (id INTEGER)")
        .map_err(|e| failed("cannot be written", &other, &e))?;
    fs::rename(&other, &database).map_err(|e| lost(&database, e))?;
    report.path("database", &database)?;
    report.fact("rows", ROWS)?;
    report.hold()
}
