//! Incident 5: a program that watches its own log database.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::Victim;
use tempfile::TempDir;

use crate::{Product, Way};

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
    pid: u32,
}

/// A loop, as it was seen.
pub struct Loop {
    /// How many rows were logged before the victim's bound ended it.
    pub rows: u64,
    /// Of the events logged, those that were not about the log.
    pub others: Vec<Event>,
    /// The WAL's size then.
    pub wal_bytes: u64,
    /// How long it took from the start.
    pub elapsed: Duration,
}

/// What came of edits of `config.toml`.
pub struct Edits {
    /// The events up to those of the sentinel, the sentinel's included.
    pub events: Vec<Event>,
    /// By how many bytes the WAL grew meanwhile.
    pub wal_growth: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Edits {
    /// What was told of `config.toml`, as `notify` calls it; the same told twice on end is told once.
    pub fn of_config(&self) -> Vec<&str> {
        let events = self.events.iter();
        let of_config = events.filter(|e| e.path.ends_with("config.toml"));
        let mut told: Vec<_> = of_config.map(|e| e.kind.as_str()).collect();
        told.dedup();
        told
    }

    /// As which rows they were logged.
    pub fn rows(&self) -> Vec<u64> {
        self.events.iter().map(|e| e.row).collect()
    }
}

impl<'a> Codex<'a> {
    /// Starts it with these `WATCHFIX_` variables and waits until its watches are placed and its first row
    /// is written. It logs at most `rows` rows.
    pub fn start(
        product: &Product,
        home: &'a Home,
        rows: u64,
        way: Way,
        rules: &[(&str, &Path)],
    ) -> Codex<'a> {
        let rows = rows.to_string();
        let args = [Path::new(&rows), home.path(), home.other.path()];
        let (victim, pid) = product.start(way, "codex", &args, rules);
        Codex { home, victim, pid }
    }

    /// Its PID; not that of `watchfix run`, which may have started it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The masks of its watches, that on its home first.
    pub fn masks(&self) -> Vec<u32> {
        let mut watches = support::watches(self.pid);
        watches.sort_by_key(|watch| watch.inode != self.home.inode());
        watches.iter().map(|watch| watch.mask).collect()
    }

    /// Waits until its WAL has `bytes`, while nobody touches the home. Panics after [`support::DEADLINE`].
    pub fn wait_for_wal(&self, bytes: u64) {
        // Who listened for it would wake the victim.
        support::wait_until("the log does not grow", || self.home.wal_bytes() >= bytes);
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
            others: lines.iter().filter_map(|l| Event::parse(l)).collect(),
            wal_bytes: self.home.wal_bytes(),
            elapsed: start.elapsed(),
        }
    }

    /// Edits `config.toml` in both ways editors do it, in place and by renaming over it, then makes and
    /// removes a directory in the other watched one and waits for that to be reported.
    pub fn edit_config(&mut self) -> Edits {
        let config = self.home.config();
        let (start, wal_before) = (Instant::now(), self.home.wal_bytes());
        support::overwrite(&config, "model = 'b'\n");
        let new = self.home.path().join("config.toml.new");
        support::overwrite(&new, "model = 'c'\n");
        fs::rename(&new, &config).unwrap();
        // Of the same inotify instance, so that its events come after those of the edits.
        let sentinel = self.home.other.path().join("sentinel");
        fs::create_dir(&sentinel).unwrap();
        fs::remove_dir(&sentinel).unwrap();
        let gone = format!("Remove(Folder) {}", sentinel.display());
        let lines = self.victim.lines_until(&gone, |l| l.ends_with(&gone));
        Edits {
            events: lines.iter().filter_map(|l| Event::parse(l)).collect(),
            wal_growth: self.home.wal_bytes() - wal_before,
            elapsed: start.elapsed(),
        }
    }

    /// Ends it and returns the paths it logged, with the number of rows of each.
    pub fn logged(self) -> Vec<(String, u32)> {
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
