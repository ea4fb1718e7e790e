//! What the exit status means.

use crate::findings::Severity;
use crate::model::{FailureKind, Scan};

/// The exit statuses of fdscan, by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; nothing at or above `--fail-on`.
    Done = 0,
    /// Findings at or above `--fail-on`.
    Found = 1,
    /// The command line was not understood, or the report could not be written where it should go.
    Usage = 2,
    /// No such process, or it ended before anything was read.
    NoProcess = 3,
    /// Not permitted: none of its descriptors could be read.
    NotPermitted = 4,
}

impl Exit {
    /// The status of a scan. A finding outweighs a PID that failed: who asked for `--fail-on` wants to
    /// know it. `None` stands for `never`.
    pub fn of(scan: &Scan, fail_on: Option<Severity>) -> Exit {
        let mut findings = scan.processes.iter().flat_map(|p| &p.findings);
        if fail_on.is_some_and(|least| findings.any(|f| f.severity >= least)) {
            return Exit::Found;
        }
        let failed = |kind| scan.errors.iter().any(|e| e.kind == kind);
        if failed(FailureKind::NoProcess) {
            Exit::NoProcess
        } else if failed(FailureKind::NotPermitted) {
            Exit::NotPermitted
        } else {
            Exit::Done
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}
