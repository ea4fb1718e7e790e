//! The states there are, as the command line has them.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::inotify::Target;
use crate::{growing, held, inotify, leaks, servers, sqlite_locks, sqlite_replaced, watches};

#[derive(Parser)]
#[command(
    name = "mkfds",
    version,
    about = "Puts itself into a state fdscan must recognise"
)]
pub struct Cli {
    #[command(subcommand)]
    pub state: State,
}

#[derive(Subcommand)]
pub enum State {
    /// Nothing but the standard descriptors
    Idle,
    /// One instance that watches COUNT directories it makes below DIR
    Watches {
        #[arg(long)]
        count: usize,
        /// The masks, in hex or decimal; watch I gets the mask I modulo their number
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3ee")]
        mask: Vec<u32>,
        #[arg(long)]
        dir: PathBuf,
    },
    /// One instance that watches DIR, TOPS directories it makes in it, and EACH it makes in each of those, as a
    /// program does that watches its tree
    WatchTree {
        #[arg(long)]
        tops: usize,
        #[arg(long)]
        each: usize,
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3ee")]
        mask: Vec<u32>,
        #[arg(long)]
        dir: PathBuf,
    },
    /// One instance that watches COUNT regular files it makes below DIR
    WatchFiles {
        #[arg(long)]
        count: usize,
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3ee")]
        mask: Vec<u32>,
        #[arg(long)]
        dir: PathBuf,
    },
    /// One instance that watches the PATHs given, in their order
    WatchThese {
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3ee")]
        mask: Vec<u32>,
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// A second thread watches COUNT directories it makes below DIR
    WatchingThread {
        #[arg(long, default_value_t = 8)]
        count: usize,
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3ee")]
        mask: Vec<u32>,
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, value_enum)]
        of: watches::Of,
    },
    /// COUNT instances; with --watches each of them watches the same directories below DIR
    Instances {
        #[arg(long)]
        count: usize,
        #[arg(long, default_value_t = 0, requires = "dir")]
        watches: usize,
        /// Stop when so many watches are held in all
        #[arg(long)]
        total: Option<usize>,
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3c8")]
        mask: u32,
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Let every instance stand at a second descriptor
        #[arg(long)]
        dup: bool,
        /// Let a forked child hold the same instances
        #[arg(long)]
        fork: bool,
    },
    /// One instance at two descriptors, with one watch on DIR
    Dup {
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3c8")]
        mask: u32,
        #[arg(long)]
        dir: PathBuf,
    },
    /// A watch on a directory that was removed
    DeletedDirectory {
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3c8")]
        mask: u32,
        #[arg(long)]
        dir: PathBuf,
    },
    /// A log file in DIR held open for writing while its directory is watched
    SelfWatch {
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3ca")]
        mask: u32,
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, value_enum, default_value = "directory")]
        on: Target,
        /// Hold the log open for reading only
        #[arg(long)]
        read_only: bool,
        /// Let the log lie in a subdirectory of the watched directory
        #[arg(long)]
        elsewhere: bool,
    },
    /// A SQLite database in WAL mode in DIR held open while its directory is watched
    SqliteSelfWatch {
        #[arg(long, value_parser = inotify::parse_mask, default_value = "0x3ca")]
        mask: u32,
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, value_enum, default_value = "directory")]
        on: Target,
        /// Let the database lie in a subdirectory of the watched directory
        #[arg(long)]
        elsewhere: bool,
        /// As if nobody had written to it for an hour; else, as if somebody did whenever it is looked at
        #[arg(long)]
        rested: bool,
    },
    /// COUNT open connections to one WAL database, each of which has read
    SqliteConnections {
        #[arg(long)]
        count: usize,
        #[arg(long)]
        dir: PathBuf,
        /// Spread the connections over this many databases
        #[arg(long, default_value_t = 1)]
        databases: usize,
    },
    /// COUNT descriptors of closed connections that SQLite parked, and one open connection
    SqliteParked {
        #[arg(long)]
        count: usize,
        #[arg(long)]
        dir: PathBuf,
    },
    /// A -wal of FRAMES frames behind the frame at which a reader began
    SqlitePinned {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, default_value_t = 1500)]
        frames: usize,
        /// When the reader begins or ends
        #[arg(long, value_enum, default_value = "before")]
        reader: sqlite_locks::Reader,
        #[arg(long, default_value_t = 4096)]
        page_size: u32,
    },
    /// A database that is written, read and checkpointed all the time
    SqliteBusy {
        #[arg(long)]
        dir: PathBuf,
        /// Watch DIR with this mask, and never read what is reported
        #[arg(long, value_parser = inotify::parse_mask)]
        watch: Option<u32>,
    },
    /// A database held in one of SQLite's lock states, in rollback mode or in exclusive WAL mode
    SqliteLocked {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, value_enum)]
        lock: sqlite_locks::Locked,
    },
    /// A -wal of at least MEGABYTES (MiB) beside a database of at least DATABASE_MEGABYTES
    WalLarge {
        #[arg(long)]
        megabytes: u64,
        #[arg(long, default_value_t = 0)]
        database_megabytes: u64,
        #[arg(long)]
        dir: PathBuf,
        /// Bring every frame into the database, and leave the file as large as it is
        #[arg(long)]
        checkpointed: bool,
        /// Let a reader begin before the first frame
        #[arg(long)]
        pinned: bool,
    },
    /// A database that was replaced while it is open; its side files stay
    SqliteReplaced {
        #[arg(long)]
        dir: PathBuf,
        /// Rollback mode, in the middle of a transaction that has written to the database already
        #[arg(long)]
        rollback: bool,
    },
    /// A database in WAL mode that is copied over, or renamed, while it is open; its side files stay
    SqliteDisplaced {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, value_enum)]
        by: sqlite_replaced::By,
    },
    /// A log of at least MEGABYTES (MiB) that never begins anew: short reads overlap, one thread writes
    SqliteOverlapping {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        megabytes: u64,
    },
    /// A database whose -wal was removed while open
    WalDeleted {
        #[arg(long)]
        dir: PathBuf,
    },
    /// A database of 3,001 rows of which every file was removed while open; the last row was committed
    /// after the others came into the database
    SqliteDeleted {
        #[arg(long)]
        dir: PathBuf,
        /// Keep a rollback journal instead of a -wal
        #[arg(long)]
        rollback: bool,
        /// Remove only the -wal
        #[arg(long)]
        wal_only: bool,
    },
    /// COUNT connections to one database with a rollback journal, each of which has read
    SqliteRollback {
        #[arg(long)]
        count: usize,
        #[arg(long)]
        dir: PathBuf,
    },
    /// COUNT descriptors of one file in DIR
    Descriptors {
        #[arg(long)]
        count: usize,
        #[arg(long)]
        dir: PathBuf,
    },
    /// COUNT of something that has no path, none of them ever closed
    Leak {
        #[arg(long, value_enum)]
        what: leaks::What,
        #[arg(long)]
        count: usize,
        /// Set a soft RLIMIT_NOFILE of LIMIT
        #[arg(long)]
        limit: Option<u64>,
        /// One more every 5 milliseconds until there are MOST
        #[arg(long)]
        most: Option<usize>,
    },
    /// COUNT different files of one EXTENSION in DIR, or spread over COUNT directories
    FilePattern {
        #[arg(long)]
        count: usize,
        #[arg(long, default_value = "jsonl")]
        extension: String,
        #[arg(long)]
        spread: bool,
        #[arg(long)]
        dir: PathBuf,
    },
    /// A file of MEGABYTES (MiB) in DIR that has no name any more
    DeletedFile {
        #[arg(long)]
        megabytes: u64,
        #[arg(long, value_enum, default_value = "deleted")]
        how: held::Nameless,
        #[arg(long)]
        dir: PathBuf,
    },
    /// DIR/held.lock, locked
    LockFile {
        #[arg(long, value_enum)]
        kind: held::Lock,
        #[arg(long)]
        dir: PathBuf,
    },
    /// A server that listens on the loopback, whose starter has gone; this process supervises in vain
    Orphan {
        /// Start the server again, which cannot bind
        #[arg(long)]
        respawn: bool,
        /// Let the server lead its session (setsid and no second fork)
        #[arg(long)]
        leads: bool,
        /// Let the server stay this process's child: it is not an orphan
        #[arg(long)]
        supervised: bool,
        /// How the server is put into the background, if that is meant
        #[arg(long, value_enum)]
        background: Option<servers::Background>,
        /// Let the server fork workers with sessions of their own, as sshd does
        #[arg(long)]
        workers: bool,
    },
    /// A server in a session of its own that holds a database and a PID file in DIR open for writing
    Server {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        database: bool,
        #[arg(long)]
        pid_file: bool,
        /// Fork a worker that shares everything
        #[arg(long)]
        worker: bool,
    },
    /// Two servers that speak through pipes and have one database open; the client of the first has gone
    StdioServers {
        #[arg(long)]
        dir: PathBuf,
        /// Each has a database of its own
        #[arg(long)]
        apart: bool,
    },
    /// A soft RLIMIT_NOFILE of LIMIT, and exactly OPEN descriptors, or PERCENT of it (rounded up)
    FdLimit {
        #[arg(long, default_value_t = 1000)]
        limit: u64,
        #[arg(long, required_unless_present = "open", conflicts_with = "open")]
        percent: Option<u64>,
        #[arg(long)]
        open: Option<u64>,
    },
    /// Watches and descriptors on names with control, bidirectional and invalid characters, and such a
    /// name for the process itself
    Names {
        #[arg(long)]
        dir: PathBuf,
        /// Anything, to the end of the command line
        #[arg(long, num_args = 1.., allow_hyphen_values = true)]
        note: Vec<std::ffi::OsString>,
    },
    /// A child that has ended and is not reaped
    Zombie,
    /// Not dumpable: its own user may not look into it, as with a setuid program or a keyring daemon
    Undumpable,
    /// Descriptors of every kind
    Kinds {
        #[arg(long)]
        dir: PathBuf,
    },
    /// Opens, closes, watches and forks as fast as it can
    Churn {
        #[arg(long)]
        dir: PathBuf,
    },
    /// Becomes itself again and again, each time with another file open
    ExecChurn {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long, default_value_t = 0)]
        step: usize,
    },
    /// COUNT of something, and one more every EVERY milliseconds until there are MOST
    Growing {
        #[arg(long, value_enum)]
        what: growing::What,
        #[arg(long, default_value_t = 0)]
        count: usize,
        #[arg(long)]
        most: usize,
        #[arg(long, default_value_t = 5)]
        every: u64,
        /// Set a soft RLIMIT_NOFILE of LIMIT
        #[arg(long)]
        limit: Option<u64>,
        #[arg(long)]
        dir: PathBuf,
    },
    /// No state: runs a command and prints the peak of its resident memory on standard error
    Measure {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Holds COUNT watches below DIR and ends at once, without waiting
    ExitSoon {
        #[arg(long, default_value_t = 0)]
        count: usize,
        #[arg(long)]
        dir: PathBuf,
    },
}
