//! What `watchfix heal` did to a process, and what it could not end.

use super::Name;
use serde::Serialize;

/// Says that the masks of a process are not those it asked for.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Healed {
    /// When that was last done: RFC 3339, UTC.
    pub at: String,
    /// The user who did it.
    pub uid: u32,
    /// Watches that have the mask they were given.
    pub watches: usize,
    /// The command that restores the masks they had, if it can run.
    pub undo: Option<String>,
    /// `at` in seconds since 1970.
    #[serde(skip)]
    pub seconds: i64,
    /// The rules it was healed with, by their variable.
    #[serde(skip)]
    pub rules: Vec<(Name, Name)>,
}

/// A database that wakes the process though its watches have the masks heal gives them.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StillWoken {
    /// The database.
    pub database: Name,
    /// The file that each commit makes and removes.
    pub journal: Name,
    /// A sentence without its full stop.
    pub why: String,
    /// The command for the next start that ends it, if there is one.
    pub next_start: Option<String>,
}
