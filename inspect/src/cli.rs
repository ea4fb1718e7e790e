//! The command line of fdscan.

use crate::findings::Severity;
use clap::{Parser, ValueEnum};

/// Says why a process drowns in watches, descriptors or SQLite logs: findings first, worst first, each
/// with the command that helps.
#[derive(Debug, Parser)]
#[command(
    name = "fdscan",
    version,
    after_help = "Exit status: 0 done, 1 findings at or above --fail-on, 2 usage, \
                  3 no such process, 4 not permitted."
)]
pub struct Cli {
    /// What `fdscan PID...` takes. Further commands go beside it as subcommands.
    #[command(flatten)]
    pub scan: ScanArgs,
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

fn parse_pid(text: &str) -> Result<u32, String> {
    // The kernel's PIDs are positive ints (PID_MAX_LIMIT is 2^22).
    match text.parse::<i32>() {
        Ok(pid) if pid > 0 => Ok(pid.unsigned_abs()),
        _ => Err("a PID is a whole number above 0, as pgrep or ps shows it".into()),
    }
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
}
