//! Arguments of `fdscan check`.

use super::values::{parse_events, parse_size};
use super::{Colour, FailOn, TargetArgs};
use crate::check::Rule;
use crate::model::Mask;
use std::ffi::OsString;
use std::path::PathBuf;

/// Arguments of `fdscan check`. Every limit is one for each single process.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "fdscan check [OPTIONS] PID|:PORT...\n       fdscan check [OPTIONS] CMD ARGS...",
    after_help = "A word that is neither a PID nor a port is a command, and what follows it belongs to the command. To give a process by its name: -p NAME.\n\n\
                        Exit status: 1 if a rule is broken; else CMD's own (128 and the signal's number \
                        if one ended it, 127 not found, 126 cannot be run); with PIDs 0, 2 usage, \
                        3 no such process, 4 not permitted."
)]
pub struct CheckArgs {
    /// The processes to check as they are now.
    #[command(flatten)]
    pub processes: TargetArgs,

    /// The most descriptors a process may have open
    #[arg(long, value_name = "N")]
    pub max_fds: Option<u64>,

    /// The most inotify watches a process may have
    #[arg(long, value_name = "N")]
    pub max_watches: Option<u64>,

    /// The largest -wal of a SQLite database a process may have open, such as 64MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_wal: Option<u64>,

    /// The most connections a process may have to one SQLite database
    #[arg(long, value_name = "N")]
    pub max_connections: Option<u64>,

    /// Events no watch may ask for, such as open,access
    #[arg(long, value_name = "EVENTS", value_parser = parse_events)]
    pub deny_event: Vec<Mask>,

    /// Fail if there is a finding of this severity or above
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub fail_on: FailOn,

    /// Print JSON (schema fdscan/1) instead of text; CMD's output then goes to standard error
    #[arg(long)]
    pub json: bool,

    /// Also write JSON to this file, in one step
    #[arg(long, value_name = "FILE")]
    pub json_file: Option<PathBuf>,

    /// When to use colour; auto means on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,

    /// A command to run and to check, with all processes it starts, until it ends
    #[arg(value_name = "CMD", last = true, conflicts_with_all = ["targets", "pid", "user"])]
    pub command: Vec<OsString>,
}

impl CheckArgs {
    /// The rules, in the order of the help.
    pub fn rules(&self) -> Vec<Rule> {
        let denied = self.deny_event.iter().fold(0, |bits, mask| bits | mask.0);
        let rules = [
            self.max_fds.map(Rule::MaxFds),
            self.max_watches.map(Rule::MaxWatches),
            self.max_wal.map(Rule::MaxWal),
            self.max_connections.map(Rule::MaxConnections),
            (denied != 0).then_some(Rule::DenyEvent(Mask(denied))),
            self.fail_on.least().map(Rule::FailOn),
        ];
        rules.into_iter().flatten().collect()
    }
}
