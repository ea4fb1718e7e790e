//! Arguments of `fdscan report`.

use super::TargetArgs;
use super::values::parse_seconds;
use clap::ValueEnum;
use std::time::Duration;

/// Arguments of `fdscan report`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "fdscan report [OPTIONS] PID|NAME|:PORT")]
pub struct ReportArgs {
    /// The process to report on.
    #[command(flatten)]
    pub process: TargetArgs,

    /// What the file is to be: HTML is one file with plots
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: ReportFormat,

    /// How long to sample its counters; an interruption ends it with what there is
    #[arg(long = "for", value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub time: Duration,

    /// How long to look for paths; with 0 no directory is listed
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = parse_seconds)]
    pub path_timeout: Duration,
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Markdown, as issues have it.
    Markdown,
    /// HTML.
    Html,
}
