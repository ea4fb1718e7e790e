//! Arguments of `fdscan watch`.

use super::values::parse_window;
use super::{Colour, TargetArgs};
use crate::watch::{Condition, Wrong};
use std::time::Duration;

/// Arguments of `fdscan watch`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "fdscan watch [OPTIONS] PID|NAME|:PORT",
    after_help = "\
Conditions: FIGURE COMPARISON NUMBER[UNIT], such as 'fds > 400', 'wal_bytes >= 64MiB', 'seconds_left < 600'.
Figures: fds, fds_percent, fds_per_second, watches, watches_percent, instances, instances_percent, \
connections, wal_bytes, wal_pending_bytes, wal_bytes_per_second, disk_free_bytes, seconds_left. Those of \
databases are sums over all of the process.

CMD is given to /bin/sh in the place of fdscan, with FDSCAN_PID, FDSCAN_COMM, FDSCAN_CONDITION, \
FDSCAN_FIGURE, FDSCAN_VALUE, FDSCAN_MESSAGE and FDSCAN_FINDING (JSON) in its environment.

Exit status: 0 the time is up, q was pressed or the process has ended; 1 the condition held; \
with --exec, once it held, that of CMD; 2 usage; 3 no such process; 4 not permitted."
)]
pub struct WatchArgs {
    /// The process to watch.
    #[command(flatten)]
    pub process: TargetArgs,

    /// Time between readings
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_window)]
    pub interval: Duration,

    /// How long to watch; without it, until something else ends it
    #[arg(long = "for", value_name = "SECONDS", value_parser = parse_window)]
    pub window: Option<Duration>,

    /// End when this holds
    #[arg(long, value_name = "CONDITION", value_parser = parse_condition)]
    pub until: Option<Condition>,

    /// For how many readings in a row the condition must hold
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        requires = "until",
        value_parser = parse_samples
    )]
    pub samples: u32,

    /// Run this command then, once
    #[arg(long, value_name = "CMD", requires = "until")]
    pub exec: Option<String>,

    /// Print a JSON object a line (schema fdscan/1)
    #[arg(long)]
    pub json: bool,

    /// When to use colour; auto: on a terminal, unless NO_COLOR or TERM=dumb is set, and always with CLICOLOR_FORCE
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}

fn parse_samples(text: &str) -> Result<u32, String> {
    let samples = text.parse().ok().filter(|&samples| samples > 0);
    samples.ok_or_else(|| "a number of readings is a whole number above 0".into())
}

fn parse_condition(text: &str) -> Result<Condition, Wrong> {
    Condition::parse(text)
}
