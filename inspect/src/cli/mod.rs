//! The command line of fdscan: one file for the arguments of each command.

mod answer;
#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod claims;
#[cfg(target_os = "linux")]
mod events;
#[cfg(target_os = "linux")]
mod export;
#[cfg(any(test, target_os = "macos"))]
mod mac;
mod reach;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod scan;
#[cfg(target_os = "linux")]
mod targets;
#[cfg(target_os = "linux")]
mod top;
#[cfg(target_os = "linux")]
mod values;
#[cfg(target_os = "linux")]
mod wal;
#[cfg(target_os = "linux")]
mod watch;
mod words;
mod wrapped_command;

pub use answer::{AnswerArgs, Colour, FailOn};
#[cfg(target_os = "linux")]
pub use check::CheckArgs;
#[cfg(target_os = "linux")]
pub use claims::ClaimsArgs;
#[cfg(target_os = "linux")]
pub use events::EventsArgs;
#[cfg(target_os = "linux")]
pub use export::ExportArgs;
#[cfg(target_os = "macos")]
pub use mac::MacScanArgs as ScanArgs;
pub use reach::ReachArgs;
#[cfg(target_os = "linux")]
pub use report::{ReportArgs, ReportFormat};
#[cfg(target_os = "linux")]
pub use scan::ScanArgs;
#[cfg(target_os = "linux")]
pub use targets::TargetArgs;
#[cfg(target_os = "linux")]
pub use top::TopArgs;
#[cfg(target_os = "linux")]
pub use values::{parse_pid, parse_seconds, parse_window};
#[cfg(target_os = "linux")]
pub use wal::WalArgs;
#[cfg(target_os = "linux")]
pub use watch::WatchArgs;
pub use words::{in_our_words, nearest};
pub use wrapped_command::split_off_command;

use crate::pages::Pages;
use clap::{Parser, Subcommand};

#[cfg(target_os = "linux")]
const USAGE: &str = "fdscan [OPTIONS] PID|NAME|:PORT...\n       fdscan COMMAND";
#[cfg(not(target_os = "linux"))]
const USAGE: &str = "fdscan [OPTIONS] PID...\n       fdscan COMMAND";

#[cfg(target_os = "linux")]
const LONG: &str = "\
A process is given by its PID, several as 812,813 or one after the other; by its name, that of its program or of the \
script it runs (all of that name are looked at); or by the port it listens on, TCP or UDP. -p takes the same, also \
for a process that is called like a command.

Exit status: 0 done, 1 findings at or above --fail-on, 2 usage, or the answer could not be \
written, 3 no such process or database, 4 not permitted.

Examples:
  fdscan :8080              what is wrong with the server that listens there
  fdscan webui --user me    and with all of my processes of that name";

#[cfg(not(target_os = "linux"))]
const LONG: &str = "\
On macOS a process is given by its PID, several as 812,813 or one after the other. What macOS tells of it is read: \
descriptors with paths and sizes, SQLite's files, sockets, kqueue's watches, parents. The other commands are for Linux, but \
reach, which looks at files.

Nobody of this project has a Mac: this program was compiled for it and never run there. What it reads was tested with \
bytes laid out as Apple's headers say.";

/// Says why a process drowns in watches, descriptors or SQLite logs.
///
/// Findings come first, the worst before the others, each with the command that helps.
#[derive(Debug, Parser)]
#[command(
    name = "fdscan",
    version,
    override_usage = USAGE,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "fdscan --help says more; fdscan COMMAND -h, what a command takes.",
    after_long_help = LONG
)]
pub struct Cli {
    /// A question other than what is wrong with a process.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What `fdscan PID...` takes.
    #[command(flatten)]
    pub scan: ScanArgs,

    /// Replace names with tokens
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
    #[cfg(target_os = "linux")]
    Top(TopArgs),

    /// Watch a process: counts, rates, time until a limit or a full disk
    #[cfg(target_os = "linux")]
    Watch(WatchArgs),

    /// Give Prometheus the counts, sizes and limits
    ///
    /// Once, into a file, or whenever it asks.
    #[cfg(target_os = "linux")]
    Export(ExportArgs),

    /// Say how large a SQLite database's WAL is, and what keeps it from shrinking
    #[cfg(target_os = "linux")]
    Wal(WalArgs),

    /// Judge PID, port, lock and stop files; say who listens on a port
    ///
    /// Whether each is live, stale, reused or in progress, and who is behind it.
    #[cfg(target_os = "linux")]
    Claims(ClaimsArgs),

    /// Say what wakes a process's watchers, and how to end it
    ///
    /// By event, directory, file and (as root) by who does it.
    #[cfg(target_os = "linux")]
    Events(EventsArgs),

    /// Write one file to attach to a bug
    ///
    /// Findings, tables, a short sample, kernel and limits.
    #[cfg(target_os = "linux")]
    Report(ReportArgs),

    /// Say whether the library can be loaded into a program, by its file
    ///
    /// Of Linux or macOS: static, set-user-ID, hardened runtime, library validation; and why.
    Reach(ReachArgs),

    /// Hold processes, or a command that it runs, to limits
    #[cfg(target_os = "linux")]
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
