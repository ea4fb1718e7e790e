//! The command line of fdscan: one file for the arguments of each command.

mod answer;
mod check;
mod claims;
mod events;
mod export;
mod report;
mod scan;
mod top;
mod values;
mod wal;
mod watch;

pub use answer::{AnswerArgs, Colour, FailOn};
pub use check::CheckArgs;
pub use claims::ClaimsArgs;
pub use events::EventsArgs;
pub use export::ExportArgs;
pub use report::{ReportArgs, ReportFormat};
pub use scan::ScanArgs;
pub use top::TopArgs;
pub use values::{parse_pid, parse_seconds, parse_window};
pub use wal::WalArgs;
pub use watch::WatchArgs;

use crate::pages::Pages;
use clap::{Parser, Subcommand};

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

    /// Replace names of users, hosts, files and directories by tokens; equal names get equal tokens
    #[arg(long, global = true)]
    pub redact: bool,
}

/// What stands beside `fdscan PID...`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all processes: who holds the watches, descriptors and WAL bytes, and users against their limits
    Top(TopArgs),

    /// Watch a process: its counts, sizes and rates, and how long until a limit or a full disk
    Watch(WatchArgs),

    /// Give Prometheus the counts, sizes and limits: once, into a file, or whenever it asks
    Export(ExportArgs),

    /// Say how large a SQLite database's WAL is, what of it is pending, and who pins it
    Wal(WalArgs),

    /// Judge PID, port, lock and stop files: live, stale, reused, in progress, and who is behind them
    Claims(ClaimsArgs),

    /// Say what wakes a process's watchers: by event, directory, file and (as root) by who does it
    Events(EventsArgs),

    /// Write one file to attach to a bug: findings, tables, a short sample, kernel and limits
    Report(ReportArgs),

    /// Hold processes, or a command while it runs, to limits: the exit status tells
    Check(CheckArgs),

    /// What every program of this project has.
    #[command(flatten)]
    Pages(Pages),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_defined() {
        Cli::command().debug_assert();
    }
}
