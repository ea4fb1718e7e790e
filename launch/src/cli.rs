//! The command line of watchfix.

use crate::replay::Replay;
use crate::rule_args::RuleArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use inspect::cli::{TargetArgs, parse_pid, parse_seconds};
use inspect::pages::Pages;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Keeps a program's watches from firing on reads and on its own databases, whatever it is built
/// from, and also while it runs.
#[derive(Debug, Parser)]
#[command(
    name = "watchfix",
    version,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  watchfix heal 812           end a loop in a process that is running (--undo takes it back)
  watchfix run npm run dev    start a program that reads do not wake"
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

    /// Put the rules in force in a program that is already running
    Heal(HealArgs),

    /// Keep watchers quiet through a command, such as a deploy
    ///
    /// Who watches DIR, or anything below it, hears nothing while CMD runs, and once afterwards what changed.
    Pause(PauseArgs),

    /// Show what it does: two real incidents, before and after
    Demo(DemoArgs),

    /// Completions and man pages.
    #[command(flatten)]
    Pages(Pages),
}

/// Arguments of `watchfix run`.
#[derive(Debug, Args)]
#[command(
    override_usage = "watchfix run [OPTIONS] CMD ARGS...",
    after_help = "What follows CMD is CMD's own. Exit status: that of CMD; 126 and 127 as in the shell; 125 where an engine \
                  that was asked for cannot be had; 2 for rules that cannot be read."
)]
pub struct RunArgs {
    /// How the rules reach the program: the preload library where it can be loaded and the supervisor for
    /// everything else, or one of them alone
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    pub engine: EngineChoice,

    /// Say what would be used for the program and why, and do not start it
    #[arg(long)]
    pub explain: bool,

    /// Do not say so where the rules do not reach the program
    #[arg(short, long)]
    pub quiet: bool,

    /// The program and its arguments
    #[arg(value_name = "CMD", required = true, last = true)]
    pub command: Vec<OsString>,

    /// The rules.
    #[command(flatten)]
    pub rules: RuleArgs,
}

/// How the rules reach a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// Both, each where it can work.
    Auto,
    /// The preload library alone.
    Preload,
    /// The supervisor alone.
    Seccomp,
}

/// Arguments of `watchfix heal`.
#[derive(Debug, Args)]
#[command(
    override_usage = "watchfix heal [OPTIONS] PID|NAME|:PORT...",
    after_help = "Exit status, of several processes the highest: 0 every watch is as asked for, 1 some are not, 2 usage, \
                  or the answer could not be written, 3 no such process, 4 not permitted."
)]
pub struct HealArgs {
    /// Show what would be changed and change nothing
    #[arg(long, conflicts_with_all = ["follow", "undo"])]
    pub dry_run: bool,

    /// Go on with watches that appear later, until the process ends
    #[arg(long, conflicts_with = "undo")]
    pub follow: bool,

    /// Give the watches back the masks they had
    #[arg(long)]
    pub undo: bool,

    /// Print JSON (schema watchfix-heal/1) instead of text
    #[arg(long, conflicts_with = "follow")]
    pub json: bool,

    /// The processes.
    #[command(flatten)]
    pub processes: TargetArgs,

    /// The rules.
    #[command(flatten)]
    pub rules: RuleArgs,
}

/// Arguments of `watchfix pause`.
#[derive(Debug, Args)]
#[command(
    override_usage = "watchfix pause [OPTIONS] DIR... -- CMD ARGS...\n       watchfix pause --list [--json]\n       \
                      watchfix pause --release DIR...",
    after_help = "Exit status: that of CMD; 126 and 127 as in the shell; 125 where the pause cannot be made, and CMD was not \
                  started; 2 usage. --release: 1 where there is no such pause, or it could not be ended."
)]
pub struct PauseArgs {
    /// Only the watches of this process; may be given several times
    #[arg(long, value_name = "PID", value_parser = parse_pid)]
    pub pid: Vec<u32>,

    /// Directories below DIR whose watches go on: /abs, ~/dir, **/name
    #[arg(long, value_name = "DIRS")]
    pub exclude: Option<OsString>,

    /// End the pause after so long, even if CMD goes on
    #[arg(long, value_name = "SECONDS", default_value = "900", value_parser = parse_seconds)]
    pub timeout: Duration,

    /// What watchers hear afterwards
    #[arg(long, value_name = "WHAT", default_value = "all")]
    pub replay: Replay,

    /// Say nothing but what went wrong
    #[arg(short, long)]
    pub quiet: bool,

    /// Show who pauses what, since when, and which watches
    #[arg(long, conflicts_with_all = ["release", "dirs", "command"])]
    pub list: bool,

    /// With --list: print JSON (schema watchfix-pause/1) instead of text
    #[arg(long, requires = "list")]
    pub json: bool,

    /// End the pauses of DIR now; what changed is told
    #[arg(long, conflicts_with = "command")]
    pub release: bool,

    /// The directories
    #[arg(value_name = "DIR")]
    pub dirs: Vec<PathBuf>,

    /// The command and its arguments
    #[arg(value_name = "CMD", last = true)]
    pub command: Vec<OsString>,
}

/// Arguments of `watchfix demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the programs are that it is shown with; by default demo, beside this program
    #[arg(long, value_name = "DIR")]
    pub victims: Option<PathBuf>,
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
    fn a_command_keeps_its_own_flags() {
        let cli = Cli::try_parse_from(["watchfix", "run", "--", "tool", "--strip", "-x"]).unwrap();
        let Command::Run(run) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(run.command, ["tool", "--strip", "-x"]);
        assert_eq!(run.rules.strip, None);
    }
}
