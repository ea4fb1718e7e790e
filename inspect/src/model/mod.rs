//! What was seen, as data. `None` means "not known", never 0 or an empty text.
//!
//! These types serialise to the schema `fdscan/1`: keys may be added, never renamed.

mod change;
mod check;
mod claim;
mod command_line;
mod database_growth;
mod database_scan;
mod descriptor;
mod device;
mod events;
mod failure;
mod finding;
mod gap;
mod growth;
mod heal_record;
mod healed;
mod inotify_limits;
mod kqueue;
mod local_system;
mod mask;
mod name;
mod open_files;
mod pause_record;
mod process;
mod reach;
mod reading;
mod redact;
mod report;
mod sample;
mod scan;
mod sqlite;
mod sqlite_locks;
mod sqlite_wal;
mod surroundings;
mod top;
mod unit;
mod unit_use;
mod watch;
mod watch_change;
mod watch_tree;
mod woken;

pub use change::{Change, LimitAhead};
pub use check::{Breach, CheckScan, CheckedProcess, CommandRun, FoundIn, RuleResult};
pub use claim::{Claim, ClaimHolder, ClaimKind, ClaimScan, Place, Verdict};
pub use command_line::{CommandLine, is_title, of_title};
pub use database_growth::DatabaseGrowth;
pub use database_scan::{DatabaseFailure, DatabaseReport, DatabaseScan, OrphanFile, SeenDatabase};
pub use descriptor::{Descriptor, ExtensionCount, Fds, FileCount, Identity, Kind};
pub use device::Device;
pub use events::{
    Cause, Conclusion, EventCount, EventsScan, FileEvents, Hint, NameCount, PlaceCount, Relation,
};
pub use failure::{Failure, FailureKind};
pub use finding::{Finding, Severity};
pub use gap::{Gap, Gaps};
pub use growth::{Growth, LimitsAhead, PatternGrowth};
pub use heal_record::{HealKey, HealRecord, HealedMasks};
pub use healed::{Healed, Paused, StillWoken};
pub use inotify_limits::InotifyLimits;
pub use kqueue::{Kqueue, KqueueWatch, NoteCount, NoteNames, Notes};
pub use local_system::{Copies, LocalSystem, Login, Program};
pub use mask::{Events, Mask};
pub use name::Name;
pub use pause_record::{PauseRecord, PausedWatch, Started, from_hex, hex};
pub use process::{Account, Library, LimitHolder, Linkage, Preload, Process, UnitShare, UserUsage};
pub use reach::{
    FileReach, ProgramKind, ReachFailure, ReachScan, ReachVerdict, SliceReach, SliceSignature,
};
pub use reading::{FdsReading, LogReading, Reading, UserReading};
pub use redact::redact_names;
pub use report::{BugReport, Point, System};
pub use sample::{DatabaseSample, Handles, LogSample, Sample};
pub use scan::{Report, SCHEMA, Scan};
pub use sqlite::{Database, Journal, LATELY, Overwritten, Part};
pub use sqlite_locks::Blocked;
pub use sqlite_wal::{
    AUTOCHECKPOINT, Holder, Lock, LockKind, Pin, RollbackKind, RollbackLock, Wal,
};
pub use surroundings::{
    ClaimOwner, Endpoint, Listener, Origin, ProcessRef, Respawn, Respawns, SameProgram, SharedFile,
    StartedBy, Surroundings, TcpState,
};
pub use top::{FdsInUse, FindingSummary, LogInUse, Row, Sort, Top, User};
pub use unit::{Unit, UnitKind};
pub use unit_use::{UnitRow, UnitUse};
pub use watch::{CoveredBy, Instance, MaskCount, ResolvedBy, Watch};
pub use watch_change::{Attrib, Heal, Restart, WatchChange};
pub use watch_tree::WatchTree;
pub use woken::{Bits, Woken, WokenFile};
