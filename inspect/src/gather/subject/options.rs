//! What is asked of a scan.

use std::time::Duration;

/// What a scan should do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Look for the paths of watched inodes.
    pub paths: bool,
    /// How long, for one process; with 0 no directory is listed.
    pub path_timeout: Duration,
    /// How long to listen whether it is being woken, where watches report looks; with 0 not at all.
    pub listen: Duration,
    /// What its watches report may be listed all the same.
    pub wake: bool,
    /// Show on standard error how far that is when it takes long.
    pub progress: bool,
    /// Keep the list of all descriptors in the report.
    pub all: bool,
    /// How far two samples lie apart; with `None` there is one.
    pub window: Option<Duration>,
}
