//! The victim of incident 5, in the shape of Codex: it watches its home (and perhaps other
//! directories) and logs every event as a row into a SQLite database in that home.
//! `codex ROWS HOME [OTHER...]` stops logging after ROWS rows, so that a test does not fill the disk.
//!
//! Prints `READY PID`, then `event ROW KIND PATH` for every event that is not about the database, and
//! `full ROWS` once that is reached, and `events N` (`incidents::counted`). Ends when its standard input
//! is closed.

use std::error::Error;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::channel;

use notify::{RecursiveMode, Watcher};
use rusqlite::Connection;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [rows, home, others @ ..] = args.as_slice() else {
        return Err("usage: codex ROWS HOME [OTHER...]".into());
    };
    let limit: i64 = rows.to_str().ok_or("ROWS is a number")?.parse()?;
    let home = Path::new(home);

    let mut log = Log::open(&home.join("logs_2.sqlite"))?;
    let (sender, events) = channel();
    let mut watcher = notify::recommended_watcher(incidents::counted(sender))?;
    for dir in std::iter::once(home).chain(others.iter().map(Path::new)) {
        watcher.watch(dir, RecursiveMode::NonRecursive)?;
    }
    // The test closes our standard input, or is gone.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    // The first row; bare, it is the one that starts the loop.
    log.add("start", home)?;
    say(&format!("READY {}", std::process::id()));

    for event in events {
        let event = event?;
        let kind = format!("{:?}", event.kind).replace(' ', "");
        for path in &event.paths {
            if log.rows == limit {
                continue;
            }
            log.add(&kind, path)?;
            if !path.to_string_lossy().contains(".sqlite") {
                say(&format!("event {} {kind} {}", log.rows, path.display()));
            }
            if log.rows == limit {
                say(&format!("full {limit}"));
            }
        }
    }
    Ok(())
}

struct Log {
    database: Connection,
    rows: i64,
}

impl Log {
    fn open(path: &Path) -> rusqlite::Result<Log> {
        let database = Connection::open(path)?;
        database.pragma_update(None, "journal_mode", "wal")?;
        database.pragma_update(None, "synchronous", "normal")?;
        // As in the report, where a reader kept checkpoints from getting anywhere.
        database.pragma_update(None, "wal_autocheckpoint", 0)?;
        database.execute_batch("CREATE TABLE IF NOT EXISTS logs (kind TEXT, path TEXT)")?;
        Ok(Log { database, rows: 0 })
    }

    fn add(&mut self, kind: &str, path: &Path) -> rusqlite::Result<()> {
        self.database
            .prepare_cached("INSERT INTO logs VALUES (?1, ?2)")?
            .execute((kind, path.to_string_lossy()))?;
        self.rows += 1;
        Ok(())
    }
}

fn say(line: &str) {
    // The reader may be gone already when the test ends; there is nobody left to tell.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
