//! One process in a form that can be attached to a bug report.

use super::{Name, Scan};

/// A scan, how the process behaved for a few seconds, and what it runs on.
#[derive(Debug)]
pub struct BugReport {
    /// What was seen, of one process.
    pub scan: Scan,
    /// Counters over the time of the report, in order.
    pub points: Vec<Point>,
    /// Kernel and distribution.
    pub system: System,
}

/// Counters of the process at one moment. `None` means that it may not be read.
#[derive(Debug, Clone)]
pub struct Point {
    /// Seconds since the first one.
    pub seconds: f64,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Watches of all its instances.
    pub watches: Option<u64>,
    /// The size of each -wal, by its database.
    pub wals: Vec<(Name, u64)>,
}

/// What the process runs on. `None` means that it could not be read.
#[derive(Debug, Clone)]
pub struct System {
    /// The kernel's release, as uname(1) has it.
    pub kernel: Option<String>,
    /// The processor's architecture.
    pub machine: &'static str,
    /// The distribution fdscan runs in.
    pub distribution: Option<String>,
    /// kernel.yama.ptrace_scope, which limits which processes may examine which.
    pub ptrace_scope: Option<u64>,
}
