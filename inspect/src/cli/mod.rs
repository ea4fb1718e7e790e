//! The command line of fdscan: one file for the arguments of each command.

mod answer;
mod check;
mod claims;
mod events;
mod export;
mod reach;
mod report;
mod scan;
mod targets;
mod top;
mod values;
mod wal;
mod watch;
mod words;
mod wrapped_command;

pub use answer::{AnswerArgs, Colour, FailOn};
pub use check::CheckArgs;
pub use claims::ClaimsArgs;
pub use events::EventsArgs;
pub use export::ExportArgs;
pub use reach::ReachArgs;
pub use report::{ReportArgs, ReportFormat};
pub use scan::ScanArgs;
pub use targets::TargetArgs;
pub use top::TopArgs;
pub use values::{parse_pid, parse_seconds, parse_window};
pub use wal::WalArgs;
pub use watch::WatchArgs;
pub use words::{in_our_words, nearest};
pub use wrapped_command::split_off_command;

use crate::pages::Pages;
use clap::{Parser, Subcommand};

const LONG: &str = "\
A process is given by its PID, several as 812,813 or one after the other; by its name, that of its program or of the \
script it runs (all of that name are looked at); or by the port it listens on, TCP or UDP. -p takes the same, also \
for a process that is called like a command.

Exit status: 0 done, 1 findings at or above --fail-on, 2 usage, or the answer could not be \
written, 3 no such process or database, 4 not permitted.

Examples:
  fdscan :8080              what is wrong with the server that listens there
  fdscan webui --user me    and with all of my processes of that name";

/// Says why a process drowns in watches, descriptors or SQLite logs.
///
/// Findings come first, the worst before the others, each with the command that helps.
#[derive(Debug, Parser)]
#[command(
    name = "fdscan",
    version,
    override_usage = "fdscan [OPTIONS] PID|NAME|:PORT...\n       fdscan COMMAND",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "fdscan --help says more; fdscan COMMAND -h, what a command takes.",
    after_long_help = LONG
)]
pub struct Cli {
    /// Another question than what is wrong with a process.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What `fdscan PID...` takes.
    #[command(flatten)]
    pub scan: ScanArgs,

    /// Replace names by tokens
    ///
    /// Those of users, hosts, files and directories; equal names get equal tokens.
    #[arg(long, global = true)]
    pub redact: bool,
}

/// What stands beside `fdscan PID...`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all processes, and users against their limits
    ///
    /// Who holds the watches, descriptors and WAL bytes, and in which container, pod or service.
    Top(TopArgs),

    /// Watch a process: counts, rates, time until a limit or a full disk
    Watch(WatchArgs),

    /// Give Prometheus the counts, sizes and limits
    ///
    /// Once, into a file, or whenever it asks.
    Export(ExportArgs),

    /// Say how large a SQLite database's WAL is, and who pins it
    Wal(WalArgs),

    /// Judge PID, port, lock and stop files; say who listens on a port
    ///
    /// Whether each is live, stale, reused or in progress, and who is behind it.
    Claims(ClaimsArgs),

    /// Say what wakes a process's watchers, and how to end it
    ///
    /// By event, directory, file and (as root) by who does it.
    Events(EventsArgs),

    /// Write one file to attach to a bug
    ///
    /// Findings, tables, a short sample, kernel and limits.
    Report(ReportArgs),

    /// Say whether the library can be loaded into a program, by its file
    ///
    /// Of Linux or macOS: static, set-user-ID, hardened runtime, library validation; and why.
    Reach(ReachArgs),

    /// Hold processes, or a command that it runs, to limits
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
