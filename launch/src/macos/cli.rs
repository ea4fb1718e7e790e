//! The command line of watchfix on a Mac: there is no heal, no pause and no supervisor.

use crate::rule_args::RuleArgs;
use clap::{Args, Parser, Subcommand};
use inspect::pages::Pages;
use std::ffi::OsString;

/// Keeps a program's watches from firing on attribute changes and on its own databases.
#[derive(Debug, Parser)]
#[command(
    name = "watchfix",
    version,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  watchfix run vite                start a program with the library
  watchfix run --explain vite      say what would be started, and whether the library is loaded into it

Nobody of this project has a Mac: this program was compiled for it and never run there."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What watchfix does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a program with the rules in force, for it and everything it starts
    Run(RunArgs),

    /// Completions and man pages.
    #[command(flatten)]
    Pages(Pages),
}

/// Arguments of `watchfix run`.
#[derive(Debug, Args)]
#[command(
    override_usage = "watchfix run [OPTIONS] CMD ARGS...",
    after_help = "What follows CMD is CMD's own. Exit status: that of CMD; 126 and 127 as in the shell; 125 where the library \
                  cannot be loaded into the program, which is then not started; 2 for rules that cannot be read."
)]
pub struct RunArgs {
    /// Say what would be started and whether the library is loaded into it, and do not start it
    #[arg(long)]
    pub explain: bool,

    /// The program and its arguments
    #[arg(value_name = "CMD", required = true, last = true)]
    pub command: Vec<OsString>,

    /// The rules.
    #[command(flatten)]
    pub rules: RuleArgs,
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
