//! `watchfix`: the rules for programs a preload does not reach.
//!
//! [`run`] starts a program with the rules in force for it and everything it starts; [`heal`] puts
//! them in force in one that is running.

mod cli;
mod demo;
mod heal;
mod run;
mod settings;
mod sys;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command, RuleArgs};
use inspect::render::{inert, sanitize};
use settings::Settings;
use std::io::{self, Write};
use std::process::ExitCode;

/// The exit status of a command line, or a rule, that cannot be read.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match &cli.command {
        Command::Run(args) => with_rules(&args.rules, |settings| run::main(args, settings)),
        Command::Heal(args) => with_rules(&args.rules, |settings| heal::main(args, settings)),
        Command::Demo(args) => demo::main(args),
        Command::Pages(pages) => match pages.write(Cli::command()) {
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
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody is left to tell when standard output is closed.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    complain_lines(text.lines());
    USAGE.into()
}

/// One sentence on standard error. Names in it come from anywhere.
fn complain(text: &str) {
    complain_lines([text]);
}

fn complain_lines<'t>(lines: impl IntoIterator<Item = &'t str>) {
    let lines: Vec<_> = lines.into_iter().map(sanitize).collect();
    // A closed standard error must not end the program by a panic, as eprintln! would.
    let text = format!("watchfix: {}\n", lines.join("\n"));
    let _ = io::stderr().write_all(inert(&text).as_bytes());
}
