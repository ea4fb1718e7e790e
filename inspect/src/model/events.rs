//! What `fdscan events` answers: what wakes a process's watchers.

use super::{CommandLine, Gap, Name};
use serde::Serialize;

/// One run of `fdscan events PID`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventsScan {
    /// Always `fdscan/1`.
    pub schema: &'static str,
    /// The version of this program.
    pub fdscan_version: &'static str,
    /// When listening began: RFC 3339, UTC.
    pub taken_at: String,
    /// The process.
    pub pid: u32,
    /// The name of its main thread.
    pub comm: Option<Name>,
    /// Its command line, or its name in brackets if it has none.
    pub command: Option<CommandLine>,
    /// For how long fdscan listened.
    pub seconds: f64,
    /// How many inodes it watches.
    pub watched: usize,
    /// How many of them were listened to.
    pub listened: usize,
    /// Events on them. A lower bound if `overflows` is not 0.
    pub total: u64,
    /// How often the queue of fdscan itself overflowed.
    pub overflows: u64,
    /// They came from the beginning of the time to its end, as those of a loop do.
    #[serde(skip)]
    pub goes_on: bool,
    /// By event, most first.
    pub events: Vec<EventCount>,
    /// By watched inode, most first, up to 100.
    pub directories: Vec<PlaceCount>,
    /// By file, most first, up to 100.
    pub files: Vec<FileEvents>,
    /// By the process that caused them, most first, up to 100; `None` if that is not known.
    pub causes: Option<Vec<Cause>>,
    /// Which processes have the files open, if the causes are not known.
    pub hints: Vec<Hint>,
    /// What the counts mean.
    pub conclusion: Conclusion,
    /// What could not be seen, and why.
    pub incomplete: Vec<Gap>,
}

/// How often an event occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventCount {
    /// Its name.
    pub event: &'static str,
    /// How often.
    pub count: u64,
}

/// How many events a watched inode had.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlaceCount {
    /// Where it is, as the process sees it.
    pub path: Option<Name>,
    /// Its number.
    pub inode: u64,
    /// Its events and those of the files in it.
    pub count: u64,
}

/// The events of one file.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileEvents {
    /// Its path, or its name if the directory is not known.
    pub path: Name,
    /// All of them.
    pub count: u64,
    /// By event, most first.
    pub events: Vec<EventCount>,
}

/// Processes with the same command line that caused events.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cause {
    /// Their PIDs, up to 10.
    pub pids: Vec<u32>,
    /// How many there were.
    pub processes: usize,
    /// What they are to the watching process.
    pub relation: Relation,
    /// The name of their main thread; `None` if they had ended.
    pub comm: Option<Name>,
    /// Their command line; `None` if they ended before they could be looked at.
    pub command: Option<CommandLine>,
    /// Their events, as fanotify counts them. It merges some events that inotify counts separately, and the reverse.
    pub count: u64,
    /// By event, most first.
    pub events: Vec<EventCount>,
    /// The names they touched most, up to 10.
    pub names: Vec<NameCount>,
}

/// How often a name was touched.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NameCount {
    /// The name within its directory.
    pub name: Name,
    /// How often.
    pub count: u64,
    /// How often it was changed, by the kind of change that came most often: one write makes several kinds.
    #[serde(skip)]
    pub changes: u64,
}

/// What a process is to the watching one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// The watching process itself.
    Itself,
    /// Started by it, or by what it started.
    Descendant,
    /// Neither.
    Other,
    /// It ended before it could be looked at.
    Unknown,
}

impl Relation {
    /// It is the watching process, or what that started.
    pub fn is_own(self) -> bool {
        matches!(self, Relation::Itself | Relation::Descendant)
    }
}

/// A process that has a file open, and so may be the cause.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Hint {
    /// The file.
    pub path: Name,
    /// The process.
    pub pid: u32,
    /// Its command line.
    pub command: Option<CommandLine>,
    /// Whether it has the file open for writing.
    pub writes: bool,
}

/// What the counts mean.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Conclusion {
    /// One sentence.
    pub message: String,
    /// A command that helps from the next start on.
    pub remedy: Option<String>,
    /// A command that helps the running process.
    pub remedy_live: Option<String>,
    /// A command that can tell more, if not all watches could be listened to.
    pub ask: Option<String>,
    /// Why there is no command although one would help, and what helps instead.
    pub notes: Vec<String>,
    /// To change its watches would help.
    #[serde(skip)]
    pub is_to_heal: bool,
    /// To start it with the rules would help.
    #[serde(skip)]
    pub is_to_start: bool,
}
