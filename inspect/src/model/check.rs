//! What `fdscan check` answers: rules, and whether they held.

use super::{CommandLine, Events, Failure, Finding, Gap, Name, ProcessRef, Severity};
use serde::Serialize;

/// One run of `fdscan check`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CheckScan {
    /// Always `fdscan/1`.
    pub schema: &'static str,
    /// The version of this program.
    pub fdscan_version: &'static str,
    /// When it began: RFC 3339, UTC.
    pub taken_at: String,
    /// Whether no rule was broken. A rule that could not be measured is not broken.
    pub passed: bool,
    /// The command it ran; `None` if it looked at running processes.
    pub command: Option<CommandRun>,
    /// Every rule, in the order of the command line.
    pub rules: Vec<RuleResult>,
    /// Findings at or above `--fail-on`, each once for a process, worst first.
    pub findings: Vec<FoundIn>,
    /// Every process that was looked at.
    pub processes: Vec<CheckedProcess>,
    /// PIDs that could not be read.
    pub errors: Vec<Failure>,
    /// What could not be seen, and why.
    pub incomplete: Vec<Gap>,
}

/// The command that was run and checked.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommandRun {
    /// Its words.
    pub command: CommandLine,
    /// Its process.
    pub pid: u32,
    /// Its exit status, as a shell gives it: 128 plus the number of the signal that ended it.
    pub exit_status: u8,
    /// How long it ran.
    pub seconds: f64,
    /// How often its processes were looked at.
    pub samples: u64,
    /// Processes it left behind, which still run.
    pub left_running: Vec<ProcessRef>,
}

/// A rule and whether it was kept.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RuleResult {
    /// Its flag without the dashes: `max-fds`.
    pub rule: &'static str,
    /// The highest number that is allowed. 0 for `deny-event` and `fail-on`.
    pub limit: u64,
    /// The events of `deny-event`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// The severity of `fail-on`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Whether it was kept; `None` if it could not be measured.
    pub passed: Option<bool>,
    /// The highest number seen in one process: descriptors, watches, bytes, connections, watches with a
    /// denied event; for `fail-on` the number of findings.
    pub measured: Option<u64>,
    /// The process with that number.
    pub process: Option<ProcessRef>,
    /// The database with that number.
    pub path: Option<Name>,
    /// When the command first broke it.
    pub first: Option<Breach>,
    /// As on the command line: `max-wal 64.0 MiB`.
    #[serde(skip)]
    pub title: String,
    /// A whole sentence.
    pub message: String,
}

/// The first time a rule was broken.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Breach {
    /// Seconds since the command began.
    pub seconds: f64,
    /// The measured number at that time.
    pub value: u64,
    /// The process.
    pub process: ProcessRef,
}

/// A finding and where it was seen.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FoundIn {
    /// The process.
    pub process: ProcessRef,
    /// Seconds since the command began; `None` if none was run.
    pub seconds: Option<f64>,
    /// What is wrong.
    #[serde(flatten)]
    pub finding: Finding,
}

/// A process and its highest numbers.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CheckedProcess {
    /// The process.
    #[serde(flatten)]
    pub process: ProcessRef,
    /// Its command line, or its name in brackets if it has none.
    pub command: Option<CommandLine>,
    /// Descriptors.
    pub fds: Option<u64>,
    /// Watches of all its instances.
    pub watches: Option<u64>,
    /// The largest -wal of a database it has open; `None` if it has none, or that is not known.
    pub wal_bytes: Option<u64>,
    /// The most connections to one database.
    pub connections: Option<u64>,
}
