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

/// Watches of a process are mute while a command runs (`watchfix pause`).
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Paused {
    /// When the pause began: RFC 3339, UTC.
    pub since: String,
    /// When it ends at the latest: RFC 3339, UTC.
    pub until: String,
    /// The user who made it.
    pub uid: u32,
    /// How many watches of the process are mute.
    pub watches: usize,
    /// The directories that are paused.
    pub dirs: Vec<Name>,
    /// The command during which they are paused.
    pub command: Name,
    /// The PID of the process that ends the pause.
    pub guardian: u32,
    /// That process was killed. The next `watchfix` command of that user ends the pause.
    pub abandoned: bool,
    /// `since` in seconds since 1970.
    #[serde(skip)]
    pub seconds: i64,
    /// `until` in seconds since 1970.
    #[serde(skip)]
    pub until_seconds: i64,
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
