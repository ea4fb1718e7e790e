//! Arguments of `fdscan PID...`.

use super::values::{parse_seconds, parse_window};
use super::{AnswerArgs, TargetArgs};
use std::time::Duration;

/// Arguments of a scan.
#[derive(Debug, clap::Args)]
pub struct ScanArgs {
    /// The processes to look at.
    #[command(flatten)]
    pub processes: TargetArgs,

    /// Do not look for the paths of watched inodes
    ///
    /// They are then listed by device and number.
    #[arg(long, hide_short_help = true)]
    pub no_paths: bool,

    /// How long to look for paths, for each process
    ///
    /// With 0 no directory is listed.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = parse_seconds, hide_short_help = true)]
    pub path_timeout: Duration,

    /// List directories also where the process's own watches report it
    ///
    /// Each listing wakes it, once.
    #[arg(long, hide_short_help = true)]
    pub wake: bool,

    /// Count again after so long, and say what grew
    ///
    /// And when a limit is reached at that rate.
    #[arg(long = "for", value_name = "SECONDS", value_parser = parse_window)]
    pub window: Option<Duration>,

    /// Show the tables behind the findings
    ///
    /// Limits, watches, descriptors, databases; and why something was not seen.
    #[arg(long)]
    pub tables: bool,

    /// Show everything
    ///
    /// Each watch and descriptor, and what each finding rests on.
    #[arg(long)]
    pub all: bool,

    /// How the answer is given.
    #[command(flatten)]
    pub answer: AnswerArgs,
}
