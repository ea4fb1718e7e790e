//! SQLite databases.

use super::{DatabaseGrowth, Holder, Identity, Name, RollbackLock, Wal};
use serde::Serialize;
use std::time::Duration;

/// A database that a process has open, with its side files.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Database {
    /// The path of the database itself.
    pub database: Name,
    /// Descriptors of the database.
    pub handles: usize,
    /// Descriptors of its -wal: one per connection that has read.
    pub wal_handles: usize,
    /// Descriptors of its -shm: one per SQLite library in the process.
    pub shm_handles: usize,
    /// Descriptors of its -journal.
    pub journal_handles: usize,
    /// Size of the database.
    pub database_bytes: Option<u64>,
    /// Size of its -wal, a high-water mark.
    pub wal_bytes: Option<u64>,
    /// Size of its -shm.
    pub shm_bytes: Option<u64>,
    /// Whether the database is unlinked.
    pub deleted: bool,
    /// The database is unlinked, and another file has its name.
    #[serde(skip)]
    pub replaced: bool,
    /// All of it was unlinked in a place for temporary files.
    #[serde(skip)]
    pub scratch: bool,
    /// Where its files can be saved instead, if its directory is gone.
    #[serde(skip)]
    pub nearest: Option<Name>,
    /// Another one was copied over it while it was open.
    #[serde(skip)]
    pub overwritten: Option<Overwritten>,
    /// One of its other files, `-shm` or `-journal`, was unlinked by somebody while it was open.
    #[serde(skip)]
    pub side_deleted: Option<&'static str>,
    /// What it is called now: it was renamed while it was open, and its -wal was not.
    #[serde(skip)]
    pub renamed_to: Option<Name>,
    /// What it was called when it was opened, in rollback mode: it was renamed since.
    #[serde(skip)]
    pub renamed_from: Option<Name>,
    /// Whether its -wal is unlinked; `None` if none is open.
    pub wal_deleted: Option<bool>,
    /// Whether its header says WAL mode; `None` if it could not be read.
    pub wal_mode: Option<bool>,
    /// Connections that have read; `None` unless it is in WAL mode.
    pub connections: Option<usize>,
    /// Descriptors of the database beyond those of these connections: of closed ones, or of ones that have not read.
    pub parked: Option<usize>,
    /// SQLite libraries that have its -shm open, counted once for each process.
    pub libraries: Option<usize>,
    /// Its log, if it is in WAL mode.
    pub wal: Option<Wal>,
    /// The locks on the database itself; `None` if locks cannot be read.
    pub rollback_locks: Option<Vec<RollbackLock>>,
    /// Its commits make a -journal, in rollback mode.
    #[serde(skip)]
    pub makes_journals: bool,
    /// Whether it is written to again and again, as in a loop; `None` if that was not looked at.
    #[serde(skip)]
    pub often: Option<bool>,
    /// What its -journal says, in rollback mode; `None` if none is open or it cannot be read.
    #[serde(skip)]
    pub journal: Option<Journal>,
    /// The processes that were looked at for locks on it: this one, and whoever holds one.
    pub holders: Vec<Holder>,
    /// How it changed between two samples; `None` with one sample.
    pub growth: Option<DatabaseGrowth>,
    /// Its open files.
    #[serde(skip)]
    pub parts: Vec<Part>,
}

impl Database {
    /// The process whose descriptors it counts, as one that holds it.
    pub fn held_by(&self, pid: u32, comm: &Option<Name>, cmdline: &Option<Vec<Name>>) -> Holder {
        Holder {
            pid,
            comm: comm.clone(),
            cmdline: cmdline.clone(),
            handles: Some(self.handles),
            wal_handles: Some(self.wal_handles),
            shm_handles: Some(self.shm_handles),
        }
    }

    /// Derives from the descriptors what they mean in WAL mode.
    pub fn count_connections(&mut self) {
        let wal_mode = self.wal_mode == Some(true);
        self.connections = wal_mode.then_some(self.wal_handles);
        self.parked = wal_mode.then(|| self.handles.saturating_sub(self.wal_handles));
        self.libraries = wal_mode.then_some(self.shm_handles);
    }

    /// What a process with this PID is called.
    pub fn holder(&self, pid: Option<u32>) -> Option<&Holder> {
        self.holders.iter().find(|holder| Some(holder.pid) == pid)
    }
}

/// A loop that is woken by what it writes writes at least once in so much time.
pub const LATELY: Duration = Duration::from_secs(10);

/// How it shows that another file was copied over a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwritten {
    /// Its pages have another size than those of its log.
    PageSize,
    /// Its header says that it has no log.
    Mode,
    /// It ends before a page that its log does not have.
    Shorter,
    /// It has more pages than its log says.
    Longer,
    /// Its change counter is not the one its log goes on from.
    Counter,
    /// Pages that were checkpointed are not in it.
    Pages,
}

impl Overwritten {
    /// Its name in evidence.
    pub fn name(self) -> &'static str {
        match self {
            Overwritten::PageSize => "page-size",
            Overwritten::Mode => "mode",
            Overwritten::Shorter => "shorter",
            Overwritten::Longer => "longer",
            Overwritten::Counter => "change-counter",
            Overwritten::Pages => "pages",
        }
    }
}

/// What the start of a -journal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// The transaction it was written for has ended.
    Ended,
    /// It is written for a transaction, to which SQLite gave this random number.
    Of(u32),
}

/// One file of a database, known by its inode.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which it is: `""` for the database itself, else `-wal`, `-shm`, `-journal`.
    pub suffix: &'static str,
    /// Its path.
    pub path: Name,
    /// A descriptor of it.
    pub fd: i32,
    /// Descriptors of it.
    pub handles: usize,
    /// Whether one of them can be written through.
    pub writable: bool,
    /// Whether it is unlinked.
    pub deleted: bool,
    /// Its size.
    pub bytes: Option<u64>,
    /// Its inode.
    pub identity: Option<Identity>,
    /// The inode of its directory.
    pub parent: Option<Identity>,
    /// For how long nobody had written to it at the look; `None` if that was not asked for.
    pub rested: Option<Duration>,
}
