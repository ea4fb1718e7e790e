//! The options of a scan.

use std::time::Duration;

/// What a scan should do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether to search for the paths of watched inodes.
    pub paths: bool,
    /// For how long, for each process; with 0 no directory is listed.
    pub path_timeout: Duration,
    /// For how long to listen whether it is being woken, if watches report reads; 0 means not at all.
    pub listen: Duration,
    /// Whether directories may be listed even if its watches report that.
    pub wake: bool,
    /// Whether to show the progress on standard error if that takes long.
    pub progress: bool,
    /// Whether to keep the list of all descriptors in the report.
    pub all: bool,
    /// The time between two samples; with `None` there is only one.
    pub window: Option<Duration>,
}
