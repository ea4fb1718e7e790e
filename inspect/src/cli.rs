//! The command line of fdscan.

use crate::claims::ClaimsArgs;
use crate::findings::Severity;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Says why a process drowns in watches, descriptors or SQLite logs: findings first, worst first, each
/// with the command that helps.
#[derive(Debug, Parser)]
#[command(
    name = "fdscan",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    after_help = "Exit status: 0 done, 1 findings at or above --fail-on, 2 usage, \
                  3 no such process or database, 4 not permitted."
)]
pub struct Cli {
    /// Another question than what is wrong with a process.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What `fdscan PID...` takes.
    #[command(flatten)]
    pub scan: ScanArgs,
}

/// What stands beside `fdscan PID...`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say how large a SQLite database's WAL is, what of it is pending, and who pins it
    Wal(WalArgs),

    /// Judge PID, port, lock and stop files: live, stale, reused, in progress, and who is behind them
    Claims(ClaimsArgs),
}

/// Arguments of `fdscan wal`.
#[derive(Debug, clap::Args)]
pub struct WalArgs {
    /// The databases to look at: the files themselves, not their -wal
    #[arg(value_name = "DB", required = true)]
    pub databases: Vec<PathBuf>,

    /// How the answer is given.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// How a subcommand gives its answer.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct ReportArgs {
    /// Print JSON (schema fdscan/1) instead of text
    #[arg(long)]
    pub json: bool,

    /// Exit with status 1 if there is a finding this bad or worse
    #[arg(long, value_name = "SEVERITY", default_value = "never")]
    pub fail_on: FailOn,

    /// When to use colour; auto means on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}

/// Arguments of a scan.
#[derive(Debug, clap::Args)]
pub struct ScanArgs {
    /// The processes to look at
    #[arg(value_name = "PID", required = true, value_parser = parse_pid)]
    pub pids: Vec<u32>,

    /// Print JSON (schema fdscan/1) instead of text
    #[arg(long)]
    pub json: bool,

    /// Exit with status 1 if there is a finding this bad or worse
    #[arg(long, value_name = "SEVERITY", default_value = "never")]
    pub fail_on: FailOn,

    /// Do not look for the paths of watched inodes
    #[arg(long)]
    pub no_paths: bool,

    /// How long to look for paths, for each process; with 0 no directory is listed
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = parse_seconds)]
    pub path_timeout: Duration,

    /// List every watch and descriptor instead of rolling them up
    #[arg(long)]
    pub all: bool,

    /// When to use colour; auto means on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}

/// From which severity on the exit status tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any finding.
    Info,
    /// Warnings and critical findings.
    Warning,
    /// Critical findings only.
    Critical,
    /// No finding.
    Never,
}

impl FailOn {
    /// The least severity that counts.
    pub fn least(self) -> Option<Severity> {
        match self {
            FailOn::Info => Some(Severity::Info),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Critical => Some(Severity::Critical),
            FailOn::Never => None,
        }
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A PID of the command line.
///
/// # Errors
/// What a PID is, for a text that is none.
pub fn parse_pid(text: &str) -> Result<u32, String> {
    // The kernel's PIDs are positive ints (PID_MAX_LIMIT is 2^22).
    match text.parse::<i32>() {
        Ok(pid) if pid > 0 => Ok(pid.unsigned_abs()),
        _ => Err("a PID is a whole number above 0, as pgrep or ps shows it".into()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    // f64 also reads "inf", "nan" and "-0".
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match text.parse::<f64>() {
        Ok(seconds) if plain => Duration::try_from_secs_f64(seconds).ok(),
        _ => None,
    }
    .ok_or_else(|| "a time is a number of seconds, 0 or more, as 2 or 0.5".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_pid_is_a_whole_number_above_zero() {
        for wrong in ["", "0", "-1", "x", "1.5", "99999999999"] {
            assert!(parse_pid(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_pid("4194304"), Ok(4_194_304));
    }

    #[test]
    fn a_time_may_have_decimals_and_is_never_negative() {
        for wrong in ["", "-1", "x", "inf", "nan", ".", "1e3", "1,5"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_seconds("0"), Ok(Duration::ZERO));
    }
}
