//! `watchfix`: the rules for programs a preload does not reach.
//!
//! [`run`] starts a program with the rules in force for it and everything it starts; [`heal`] puts
//! them in force in one that is running.

#[cfg(target_os = "linux")]
mod cli;
mod complaint;
#[cfg(target_os = "linux")]
mod demo;
#[cfg(target_os = "linux")]
mod heal;
#[cfg(any(target_os = "macos", test))]
// Tests of Linux compile all of it, and run a part.
#[cfg_attr(target_os = "linux", allow(dead_code))]
mod macos;
#[cfg(target_os = "linux")]
mod pause;
#[cfg(target_os = "linux")]
mod replay;
mod rule_args;
#[cfg(target_os = "linux")]
mod run;
mod settings;
#[cfg(target_os = "linux")]
mod sys;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
#[cfg(target_os = "linux")]
use cli::{Cli, Command};
use complaint::{USAGE, complain, complain_plainly};
use inspect::cli::{in_our_words, split_off_command};
use inspect::output::print_help;
use inspect::pages::Manual;
#[cfg(target_os = "macos")]
use macos::cli::{Cli, Command};
#[cfg(target_os = "macos")]
use macos::run;
use rule_args::RuleArgs;
use settings::Settings;
use std::ffi::OsString;
use std::process::ExitCode;

/// What its man pages say beyond the command line, and the page of the library.
const MANUAL: Manual = Manual {
    sections: include_str!("../man/watchfix.man"),
    pages: &[("libwatchfix.7", include_str!("../man/libwatchfix.7"))],
};

fn main() -> ExitCode {
    inspect::abort_on_panic();
    let args = split_off_command(
        std::env::args_os().collect(),
        &Cli::command(),
        "run",
        |_| false,
    );
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &args),
    };
    // Who ends a pause by hand is told about that one.
    #[cfg(target_os = "linux")]
    if !matches!(&cli.command, Command::Pause(args) if args.release) {
        complain_plainly(&pause::recover_any());
    }
    match &cli.command {
        Command::Run(args) => with_rules(&args.rules, |settings| run::main(args, settings)),
        #[cfg(target_os = "linux")]
        Command::Heal(args) => with_rules(&args.rules, |settings| heal::main(args, settings)),
        #[cfg(target_os = "linux")]
        Command::Pause(args) => pause::main(args),
        #[cfg(target_os = "linux")]
        Command::Demo(args) => demo::main(args),
        Command::Pages(pages) => match pages.write(Cli::command(), MANUAL) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                complain(&why);
                USAGE.into()
            }
        },
    }
}

/// Reads the rules, and does nothing if one is wrong.
fn with_rules(flags: &RuleArgs, act: impl FnOnce(&Settings) -> ExitCode) -> ExitCode {
    match Settings::new(flags) {
        Ok(settings) => act(&settings),
        Err(wrong) => {
            for sentence in wrong {
                complain(&sentence);
            }
            USAGE.into()
        }
    }
}

/// Help and version are answers, everything else is a usage error.
fn usage(error: &clap::Error, args: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        return match print_help(error) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                complain(&why);
                USAGE.into()
            }
        };
    }
    let text = match error.kind() {
        // Nothing was asked for: the short help.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.to_string(),
        _ => in_our_words(error, &Cli::command(), args),
    };
    complain_plainly(&text);
    USAGE.into()
}
