//! Claims: files by which a program says that it runs, where it listens, or that it should stop.

use super::{CommandLine, Name, Severity};
use serde::Serialize;

/// One claim and the verdict about it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Claim {
    /// The file.
    pub path: Name,
    /// What it claims, by its name and content.
    pub kind: ClaimKind,
    /// Whether it is valid.
    pub verdict: Verdict,
    /// How bad that is; `None` if nothing is wrong.
    pub severity: Option<Severity>,
    /// The process it names.
    pub pid: Option<u32>,
    /// The start of that process, as the file has it.
    pub start: Option<Name>,
    /// The address it names, `host:port` or `port`.
    pub address: Option<Name>,
    /// The processes the claim belongs to: the one it names, the listeners, or the holders of its lock.
    pub holders: Vec<ClaimHolder>,
    /// Seconds since it was written.
    pub age_seconds: Option<u64>,
    /// A whole sentence: why this verdict.
    pub why: String,
    /// A command, if it is certain that it helps.
    pub remedy: Option<String>,
    /// Where it is, as seen from a process. Meaningless for `fdscan claims`.
    #[serde(skip)]
    pub place: Place,
    /// This user may not read it.
    #[serde(skip)]
    pub denied: bool,
}

/// One run of `fdscan claims PATH...`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClaimScan {
    /// Always `fdscan/1`.
    pub schema: &'static str,
    /// The version of this program.
    pub fdscan_version: &'static str,
    /// When the scan began: RFC 3339, UTC.
    pub taken_at: String,
    /// One entry for every path, or for every claim in a directory.
    pub claims: Vec<Claim>,
}

/// A process that a claim belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClaimHolder {
    /// Its PID.
    pub pid: u32,
    /// Its command line, or its name in brackets if it has none; `None` if it may not be seen.
    pub command: Option<CommandLine>,
    /// The lock it holds on the file: `flock`, `posix` or `ofd`.
    pub lock: Option<&'static str>,
}

/// Where a process keeps state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where it holds files open for writing or listens on a socket file.
    Written,
    /// In the directory that has its program's name: `~/.genie`, or what GENIE_HOME names.
    Named,
    /// In its working directory, which other programs may use as well.
    Working,
}

/// What a file claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// A process runs.
    Pid,
    /// A process listens on a port.
    Port,
    /// A process has locked the file.
    Lock,
    /// A process listens on a unix socket.
    Socket,
    /// A process should stop; valid for a limited time.
    Sentinel,
    /// It cannot be told.
    Unknown,
}

/// The verdict about a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is valid: the process runs, or a process listens.
    Live,
    /// Its owner is gone.
    Stale,
    /// The PID belongs to another process now.
    Reused,
    /// It is being created, or it is a stop file that is still valid.
    InProgress,
    /// It contains nothing that could be checked.
    Corrupt,
    /// A stop file that is too old.
    Expired,
    /// The file is locked.
    Held,
    /// The file is not locked.
    Free,
    /// There is no such file.
    Absent,
    /// It cannot be judged from here.
    Unknown,
}

impl Verdict {
    /// Whether somebody is behind it.
    pub fn holds(self) -> bool {
        matches!(self, Verdict::Live | Verdict::Held)
    }

    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Live => "live",
            Verdict::Stale => "stale",
            Verdict::Reused => "reused",
            Verdict::InProgress => "in progress",
            Verdict::Corrupt => "corrupt",
            Verdict::Expired => "expired",
            Verdict::Held => "held",
            Verdict::Free => "free",
            Verdict::Absent => "absent",
            Verdict::Unknown => "unknown",
        }
    }

    /// How bad it is. A reader that follows the rules treats a corrupt claim as no claim.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Verdict::Stale | Verdict::Reused | Verdict::Expired | Verdict::Corrupt => {
                Some(Severity::Warning)
            }
            _ => None,
        }
    }
}
