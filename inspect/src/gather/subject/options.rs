//! The options of a scan.

use std::time::Duration;

/// What a scan should do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether to search for the paths of watched inodes.
    pub paths: bool,
    /// How long to search, for each process; with 0 no directory is listed.
    pub path_timeout: Duration,
    /// How long to listen for events that wake the process, if its watches report reads; 0 means not at all.
    pub listen: Duration,
    /// Whether directories may be listed even if the process's watches report that.
    pub wake: bool,
    /// Whether to show progress on standard error if the search takes long.
    pub progress: bool,
    /// Whether to keep the list of all descriptors in the report.
    pub all: bool,
    /// The time between two samples; with `None` there is only one.
    pub window: Option<Duration>,
}
