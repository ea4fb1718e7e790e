//! The report on databases: `fdscan wal`.

use super::{Database, FailureKind, Finding, Gap, Name};
use serde::Serialize;

/// One run of `fdscan wal DB...`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DatabaseScan {
    /// Always `fdscan/1`.
    pub schema: &'static str,
    /// The version of this program.
    pub fdscan_version: &'static str,
    /// When the scan began: RFC 3339, UTC.
    pub taken_at: String,
    /// One entry for every database that could be read.
    pub databases: Vec<DatabaseReport>,
    /// The databases that could not be read.
    pub errors: Vec<DatabaseFailure>,
}

/// A database and what is known about it. Its descriptors are summed up over all holders.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DatabaseReport {
    /// What was seen.
    #[serde(flatten)]
    pub database: Database,
    /// What is wrong with it, worst first.
    pub findings: Vec<Finding>,
    /// What could not be seen, and why.
    pub incomplete: Vec<Gap>,
}

/// A path that is not a readable database.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DatabaseFailure {
    /// The path as asked for.
    pub path: Name,
    /// A whole sentence.
    pub why: String,
    /// Which exit status it calls for.
    #[serde(skip)]
    pub kind: FailureKind,
}

/// A database as its files and holders show it.
#[derive(Debug)]
pub struct SeenDatabase {
    /// The database.
    pub database: Database,
    /// Descriptors of deleted files that lay where its files lie.
    pub orphans: Vec<OrphanFile>,
}

/// A deleted file somebody still has open.
#[derive(Debug, Clone)]
pub struct OrphanFile {
    /// The process.
    pub pid: u32,
    /// Its descriptor.
    pub fd: i32,
    /// Where it lay.
    pub path: Name,
    /// Its inode's number.
    pub inode: Option<u64>,
    /// It can be written through that descriptor.
    pub writable: bool,
}
