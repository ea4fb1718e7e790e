//! Arguments of `fdscan events`.

use super::Colour;
use super::values::{parse_pid, parse_seconds};
use std::time::Duration;

/// Arguments of `fdscan events`.
#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    /// The process whose watchers are woken
    #[arg(value_name = "PID", value_parser = parse_pid)]
    pub pid: u32,

    /// How long to listen; an interruption ends it with what there is
    #[arg(long = "for", value_name = "SECONDS", default_value = "8", value_parser = parse_seconds)]
    pub time: Duration,

    /// List directories also where the process's own watches report it: each listing wakes it, once
    #[arg(long)]
    pub wake: bool,

    /// Show the counts: by event, directory, file and who caused it
    #[arg(long)]
    pub tables: bool,

    /// Print JSON (schema fdscan/1) instead of text
    #[arg(long)]
    pub json: bool,

    /// When to use colour; auto means on a terminal, unless NO_COLOR or TERM=dumb, and with CLICOLOR_FORCE always
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}
