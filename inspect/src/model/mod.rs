//! What was seen, as data. `None` means "not known", never 0 or an empty text.
//!
//! These types serialise to the schema `fdscan/1`: keys may be added, never renamed.

mod around;
mod check;
mod claim;
mod command_line;
mod descriptor;
mod device;
mod events;
mod growth;
mod healed;
mod here;
mod mask;
mod name;
mod process;
mod reading;
mod redact;
mod report;
mod sqlite;
mod sqlite_locks;
mod sqlite_wal;
mod top;
mod unit;
mod watch;
mod watch_tree;
mod woken;

pub use around::{
    Around, Endpoint, Kin, Listener, OneSided, Origin, Relative, SharedFile, Start, Starters,
    Starts, TcpState,
};
pub use check::{Breach, CheckScan, CheckedProcess, CommandRun, FoundIn, RuleResult};
pub use claim::{Claim, ClaimHolder, ClaimKind, ClaimScan, Place, Verdict};
pub use command_line::CommandLine;
pub use descriptor::{Descriptor, ExtensionCount, Fds, FileCount, Identity, Kind};
pub use device::Device;
pub use events::{
    Cause, Conclusion, EventCount, EventsScan, FileEvents, Hint, NameCount, PlaceCount, Relation,
};
pub use growth::{
    Change, DatabaseGrowth, DatabaseSample, Growth, Handles, LimitAhead, LimitsAhead, LogSample,
    PatternGrowth, Sample,
};
pub use healed::{HealKey, HealRecord, Healed, HealedMasks, StillWoken};
pub use here::{Copies, Here, Program};
pub use mask::{Events, Mask};
pub use name::Name;
pub use process::{
    Account, Gap, Library, LimitHolder, Linkage, Preload, Process, UnitShare, UserUsage,
};
pub use reading::{FdsReading, LogReading, Reading, UserReading};
pub use redact::redact_names;
pub use report::{BugReport, Point, System};
pub use sqlite::{Database, Journal, Overwritten, Part};
pub use sqlite_locks::Blocked;
pub use sqlite_wal::{
    AUTOCHECKPOINT, DatabaseFailure, DatabaseReport, DatabaseScan, Holder, Lock, LockKind,
    OrphanFile, Pin, RollbackKind, RollbackLock, SeenDatabase, Wal,
};
pub use top::{Brief, FdsInUse, LogInUse, Row, Sort, Top, UnitRow, UnitUse, User};
pub use unit::{Unit, UnitKind};
pub use watch::{Instance, MaskCount, ResolvedBy, Watch};
pub use watch_tree::WatchTree;
pub use woken::{Bits, Woken};

use crate::findings::Finding;
use serde::Serialize;

/// The name and version of the JSON schema.
pub const SCHEMA: &str = "fdscan/1";

/// One run of `fdscan PID...`.
#[derive(Debug, Serialize)]
pub struct Scan {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// The version of this program.
    pub fdscan_version: &'static str,
    /// When the scan began: RFC 3339, UTC.
    pub taken_at: String,
    /// The limits of the system.
    pub limits: InotifyLimits,
    /// One entry for every PID of which something could be read.
    pub processes: Vec<Report>,
    /// PIDs that could not be read, or not enough to look for findings.
    pub errors: Vec<Failure>,
}

/// A process and what was found out about it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was seen.
    #[serde(flatten)]
    pub process: Process,
    /// What is wrong with it, worst first.
    pub findings: Vec<Finding>,
    /// Why a command that would help is not named, and what helps instead.
    pub notes: Vec<String>,
    /// That `watchfix heal` changed its watches; `None` if it did not, or where its record may not be read.
    pub healed: Option<Healed>,
    /// What could not be seen, and why.
    pub incomplete: Vec<Gap>,
}

impl Scan {
    /// Whether a process was found and may not be looked into.
    pub fn is_denied(&self, report: &Report) -> bool {
        let denied = |failure: &Failure| {
            failure.kind == FailureKind::NotPermitted && failure.pid == Some(report.process.pid)
        };
        self.errors.iter().any(denied)
    }
}

/// `/proc/sys/fs/inotify` (inotify(7)), or lower limits of the user namespace fdscan runs in.
#[derive(Debug, Clone, Default, Serialize)]
pub struct InotifyLimits {
    /// Watches one user may have.
    pub max_user_watches: Option<u64>,
    /// Inotify instances one user may have.
    pub max_user_instances: Option<u64>,
    /// Events one instance may have waiting.
    pub max_queued_events: Option<u64>,
    /// That of watches is the user namespace's (`user.max_inotify_watches`).
    #[serde(skip)]
    pub watches_of_namespace: bool,
    /// That of instances is (`user.max_inotify_instances`).
    #[serde(skip)]
    pub instances_of_namespace: bool,
}

/// A PID that could not be scanned.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The PID as asked for; `None` where a name or a port led to no process.
    pub pid: Option<u32>,
    /// A whole sentence.
    pub why: String,
    /// Which exit status it calls for.
    #[serde(skip)]
    pub kind: FailureKind,
}

/// Why a process could not be scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// There is no such process, or it ended before anything was read.
    NoProcess,
    /// Its descriptors may not be read by this user.
    NotPermitted,
}
