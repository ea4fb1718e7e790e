//! Arguments of `fdscan events`.

use super::values::parse_seconds;
use super::{Colour, TargetArgs};
use std::time::Duration;

/// Arguments of `fdscan events`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "fdscan events [OPTIONS] PID|NAME|:PORT")]
pub struct EventsArgs {
    /// The process whose watchers are woken.
    #[command(flatten)]
    pub process: TargetArgs,

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

    /// When to use colour; auto: on a terminal, unless NO_COLOR or TERM=dumb is set, and always with CLICOLOR_FORCE
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}
