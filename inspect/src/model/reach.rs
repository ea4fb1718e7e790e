//! Into which programs the preload library can be loaded, told from the file.

use super::{FailureKind, Name, Severity};
use serde::Serialize;

/// One run of `fdscan reach FILE...`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReachScan {
    /// Always `fdscan/1`.
    pub schema: &'static str,
    /// The version of this program.
    pub fdscan_version: &'static str,
    /// When the scan began: RFC 3339, UTC.
    pub taken_at: String,
    /// One entry for every file that could be read.
    pub files: Vec<FileReach>,
    /// The files that could not be read.
    pub errors: Vec<ReachFailure>,
}

/// Whether the library is loaded into the program that runs when this file is started.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileReach {
    /// The file, as asked for.
    pub path: Name,
    /// What it is.
    pub kind: ProgramKind,
    /// The variable that this is about: `LD_PRELOAD` or `DYLD_INSERT_LIBRARIES`; `None` where neither is.
    pub variable: Option<&'static str>,
    /// What becomes of the library.
    pub verdict: ReachVerdict,
    /// How bad that is; `None` if nothing is wrong.
    pub severity: Option<Severity>,
    /// A whole sentence: why this verdict.
    pub why: String,
    /// What helps, as a whole sentence.
    pub remedy: Option<String>,
    /// Of a script, what its `#!` lines lead to, one after the other.
    pub interpreters: Vec<Name>,
    /// The program that runs at last; `None` if a script leads to none.
    pub program: Option<Name>,
    /// Of a Mach-O file, each slice.
    pub slices: Vec<SliceReach>,
}

/// One slice of a Mach-O file: the code for one processor.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SliceReach {
    /// The processor: `x86_64`, `arm64`, `arm64e` or another.
    pub cpu: String,
    /// What becomes of the library in it.
    pub verdict: ReachVerdict,
    /// A whole sentence: why this verdict.
    pub why: String,
    /// Its code signature; `None` if it has none.
    pub signature: Option<SliceSignature>,
}

/// What the code signature of a slice says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SliceSignature {
    /// Signed by nobody: `codesign -s -`, or the linker.
    pub ad_hoc: bool,
    /// The hardened runtime is asked for.
    pub hardened_runtime: bool,
    /// Only libraries of Apple or the same team may be loaded.
    pub library_validation: bool,
    /// The process is restricted (CS_RESTRICT).
    pub restricted: bool,
    /// Apple's own program.
    pub platform: bool,
    /// The team that signed it.
    pub team: Option<Name>,
    /// The entitlement com.apple.security.cs.allow-dyld-environment-variables.
    pub allows_dyld_variables: bool,
    /// The entitlement com.apple.security.cs.disable-library-validation.
    pub disables_library_validation: bool,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProgramKind {
    /// A program or library for macOS.
    MachO,
    /// A program or library for Linux.
    Elf,
    /// A text that begins with `#!`.
    Script,
    /// None of these.
    Other,
}

/// What becomes of the preload library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReachVerdict {
    /// It is loaded.
    Reached,
    /// It cannot be told.
    Unknown,
    /// It is not loaded, and the program runs without it.
    NotReached,
    /// It cannot be loaded, and the system ends the program for it.
    Killed,
}

impl ReachVerdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            ReachVerdict::Reached => "reached",
            ReachVerdict::Unknown => "unknown",
            ReachVerdict::NotReached => "not reached",
            ReachVerdict::Killed => "killed",
        }
    }

    /// How bad it is, for who sets the variable.
    pub fn severity(self) -> Option<Severity> {
        match self {
            ReachVerdict::Reached => None,
            ReachVerdict::Unknown => Some(Severity::Info),
            ReachVerdict::NotReached => Some(Severity::Warning),
            ReachVerdict::Killed => Some(Severity::Critical),
        }
    }
}

/// A file that could not be read.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReachFailure {
    /// The path as asked for.
    pub path: Name,
    /// A whole sentence.
    pub why: String,
    /// Which exit status it calls for.
    #[serde(skip)]
    pub kind: FailureKind,
}
