//! The report on processes: `fdscan PID...`.

use super::{Failure, FailureKind, Finding, Gap, Healed, InotifyLimits, Paused, Process};
use serde::Serialize;

/// The name and version of the JSON schema.
pub const SCHEMA: &str = "fdscan/1";

/// One run of `fdscan PID...`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scan {
    /// Always `fdscan/1`.
    pub schema: &'static str,
    /// The version of this program.
    pub fdscan_version: &'static str,
    /// When the scan began: RFC 3339, UTC.
    pub taken_at: String,
    /// The limits of the system.
    pub limits: InotifyLimits,
    /// One entry for every PID that could at least partly be read.
    pub processes: Vec<Report>,
    /// PIDs that could not be read, or not well enough to look for findings.
    pub errors: Vec<Failure>,
}

/// A process and what is known about it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// What was seen.
    #[serde(flatten)]
    pub process: Process,
    /// What is wrong with it, worst first.
    pub findings: Vec<Finding>,
    /// Why there is no command although one would help, and what helps instead.
    pub notes: Vec<String>,
    /// Says that `watchfix heal` changed its watches; `None` if it did not, or if its record may not be read.
    pub healed: Option<Healed>,
    /// Set while `watchfix pause` keeps watches of it mute; `None` if its record may not be read.
    pub paused: Option<Paused>,
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
