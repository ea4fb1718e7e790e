//! Arguments of `fdscan PID...`.

use super::AnswerArgs;
use super::values::{parse_pid, parse_seconds, parse_window};
use std::time::Duration;

/// Arguments of a scan.
#[derive(Debug, clap::Args)]
pub struct ScanArgs {
    /// The processes to look at
    #[arg(value_name = "PID", required = true, value_parser = parse_pid)]
    pub pids: Vec<u32>,

    /// Do not look for the paths of watched inodes
    #[arg(long)]
    pub no_paths: bool,

    /// How long to look for paths, for each process; with 0 no directory is listed
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = parse_seconds)]
    pub path_timeout: Duration,

    /// List directories also where the process's own watches report it: each listing wakes it, once
    #[arg(long)]
    pub wake: bool,

    /// Count again after so long, and say what grew and when a limit is reached
    #[arg(long = "for", value_name = "SECONDS", value_parser = parse_window)]
    pub window: Option<Duration>,

    /// Show the tables behind the findings: limits, watches, descriptors, databases; and why something was not seen
    #[arg(long)]
    pub tables: bool,

    /// Show everything: each watch and descriptor, and what each finding rests on
    #[arg(long)]
    pub all: bool,

    /// How the answer is given.
    #[command(flatten)]
    pub answer: AnswerArgs,
}
