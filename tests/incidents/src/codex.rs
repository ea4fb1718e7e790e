//! Incident 5: a program that watches its own log database.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::Victim;
use tempfile::TempDir;

use crate::Product;

/// The program's home, and another directory it watches, too.
pub struct Home {
    home: TempDir,
    other: TempDir,
}

impl Home {
    /// Makes both, with a `config.toml` in the home.
    pub fn new() -> Home {
        let dir = |prefix| tempfile::Builder::new().prefix(prefix).tempdir().unwrap();
        let home = Home {
            home: dir("codex-home"),
            other: dir("codex-other"),
        };
        support::overwrite(&home.config(), "model = 'a'\n");
        home
    }

    /// The home itself.
    pub fn path(&self) -> &Path {
        self.home.path()
    }

    /// The home's inode.
    pub fn inode(&self) -> u64 {
        fs::metadata(self.path()).unwrap().ino()
    }

    /// The log database.
    pub fn database(&self) -> PathBuf {
        self.path().join("logs_2.sqlite")
    }

    /// The size of the database's WAL in bytes.
    pub fn wal_bytes(&self) -> u64 {
        fs::metadata(self.path().join("logs_2.sqlite-wal")).map_or(0, |m| m.len())
    }

    fn config(&self) -> PathBuf {
        self.path().join("config.toml")
    }
}

impl Default for Home {
    fn default() -> Self {
        Home::new()
    }
}

/// One line of the victim: an event that is not about its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The row it was logged as. The rows between two events are about the database.
    pub row: u64,
    /// What happened, as `notify` calls it.
    pub kind: String,
    /// To which file.
    pub path: PathBuf,
}

impl Event {
    fn parse(line: &str) -> Option<Event> {
        let mut words = line.strip_prefix("event ")?.splitn(3, ' ');
        Some(Event {
            row: words.next()?.parse().ok()?,
            kind: words.next()?.to_owned(),
            path: words.next()?.into(),
        })
    }
}

/// The victim at work.
pub struct Codex<'a> {
    home: &'a Home,
    victim: Victim,
}

/// A loop, as it was seen.
pub struct Loop {
    /// How many rows were logged before the victim's bound ended it.
    pub rows: u64,
    /// Of the events logged, how many were about a file that somebody edited.
    pub edits: usize,
    /// The WAL's size then.
    pub wal_bytes: u64,
    /// How long it took from the start.
    pub elapsed: Duration,
}

/// What came of edits of `config.toml`.
pub struct Edits {
    /// The events up to that of the sentinel, the sentinel's included.
    pub events: Vec<Event>,
    /// The WAL's size before the first edit.
    pub wal_before: u64,
    /// The WAL's size after the last.
    pub wal_after: u64,
}

impl Edits {
    /// Those about `config.toml`.
    pub fn of_config(&self) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .filter(|e| e.path.ends_with("config.toml"))
    }
}

/// What the preload is to do in a run.
pub enum Preload {
    /// There is none.
    None,
    /// Its defaults.
    Defaults,
    /// `WATCHFIX_DROP` names the home.
    DropHome,
    /// `WATCHFIX_SETTLE` names the home, and no file name is ignored.
    SettleHome,
}

impl<'a> Codex<'a> {
    /// Starts it and waits until its watches are placed and its first row is written. It logs at most
    /// `rows` rows.
    pub fn start(product: &Product, home: &'a Home, rows: u64, preload: &Preload) -> Codex<'a> {
        let drop_home = [("WATCHFIX_DROP", home.path())];
        let settle_home = [
            ("WATCHFIX_SETTLE", home.path()),
            ("WATCHFIX_IGNORE", Path::new("none")),
        ];
        let rules: Option<&[_]> = match preload {
            Preload::None => None,
            Preload::Defaults => Some(&[]),
            Preload::DropHome => Some(&drop_home),
            Preload::SettleHome => Some(&settle_home),
        };
        let rows = rows.to_string();
        let args = [Path::new(&rows), home.path(), home.other.path()];
        let mut victim = product.start("codex", &args, rules);
        victim.line_with("READY");
        Codex { home, victim }
    }

    /// Its PID.
    pub fn pid(&self) -> u32 {
        self.victim.pid()
    }

    /// Waits until its bound ends the loop, while nobody touches the home.
    pub fn watch_it_loop(&mut self) -> Loop {
        let start = Instant::now();
        let lines = self.victim.lines_until("full", |l| l.starts_with("full "));
        let rows = lines
            .last()
            .and_then(|l| l.strip_prefix("full ")?.parse().ok());
        Loop {
            rows: rows.expect("the number of rows follows"),
            edits: lines.iter().filter(|l| Event::parse(l).is_some()).count(),
            wal_bytes: self.home.wal_bytes(),
            elapsed: start.elapsed(),
        }
    }

    /// Edits `config.toml` in both ways editors do it, in place and by renaming over it, then changes
    /// a file in the other watched directory and waits for that to be reported.
    pub fn edit_config(&mut self) -> Edits {
        let config = self.home.config();
        let wal_before = self.home.wal_bytes();
        support::overwrite(&config, "model = 'b'\n");
        let new = self.home.path().join("config.toml.new");
        support::overwrite(&new, "model = 'c'\n");
        fs::rename(&new, &config).unwrap();
        // Of the same inotify instance, so that its events come after those of the edits.
        let sentinel = self.home.other.path().join("sentinel");
        fs::create_dir(&sentinel).unwrap();
        let name = sentinel.to_string_lossy();
        let lines = self.victim.lines_until(&name, |l| l.ends_with(&*name));
        fs::remove_dir(&sentinel).unwrap();
        self.victim
            .lines_until(&name, |l| l.ends_with(&*name) && l.contains("Remove"));
        Edits {
            events: lines.iter().filter_map(|l| Event::parse(l)).collect(),
            wal_before,
            wal_after: self.home.wal_bytes(),
        }
    }

    /// Ends it and returns the paths it logged, with the number of rows of each.
    pub fn logged(self) -> Vec<(String, i64)> {
        let (status, lines) = self.victim.finish();
        assert!(status.success(), "{status}: {lines:#?}");
        let database = rusqlite::Connection::open(self.home.database()).unwrap();
        let mut query = database
            .prepare("SELECT path, count(*) FROM logs GROUP BY path ORDER BY 2 DESC")
            .unwrap();
        let rows = query
            .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        rows.map(Result::unwrap).collect()
    }
}
