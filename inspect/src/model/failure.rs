//! What could not be looked at.

use serde::Serialize;

/// A PID that could not be scanned.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failure {
    /// The PID as asked for; `None` if a name or a port did not lead to a process.
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
