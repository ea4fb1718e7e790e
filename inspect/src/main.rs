//! The program: command line in, answer out, exit status.

mod commands;

use clap::{CommandFactory, Parser};
use inspect::Exit;
#[cfg(target_os = "linux")]
use inspect::cli::split_off_command;
use inspect::cli::{Cli, Command, in_our_words};
use inspect::output::{CLOSED, print_help};
#[cfg(target_os = "linux")]
use inspect::targets::Target;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    inspect::abort_on_panic();
    let args: Vec<OsString> = std::env::args_os().collect();
    #[cfg(target_os = "linux")]
    let args = split_off_command(args, &Cli::command(), "check", Target::is_number);
    if args.len() < 2 {
        return short_help().into();
    }
    match Cli::try_parse_from(&args) {
        Ok(cli) => run(&cli),
        Err(e) => usage(&e, &args).into(),
    }
}

fn run(cli: &Cli) -> ExitCode {
    if cli.redact {
        inspect::redact_names();
    }
    if inspect::output_was_closed() && writes(cli) {
        commands::complain(CLOSED);
        return Exit::Usage.into();
    }
    let exit = match &cli.command {
        // It ends as the command does that it runs.
        #[cfg(target_os = "linux")]
        Some(Command::Check(args)) => return commands::check(args),
        #[cfg(target_os = "linux")]
        Some(Command::Top(args)) => commands::top(args),
        #[cfg(target_os = "linux")]
        Some(Command::Events(args)) => commands::events(args),
        Some(Command::Pages(pages)) => commands::pages(pages),
        #[cfg(target_os = "linux")]
        Some(Command::Export(args)) => commands::export(args),
        #[cfg(target_os = "linux")]
        Some(Command::Watch(args)) => commands::watch(args),
        #[cfg(target_os = "linux")]
        Some(Command::Report(args)) => commands::report(args),
        #[cfg(target_os = "linux")]
        Some(Command::Wal(args)) => commands::wal(args),
        #[cfg(target_os = "linux")]
        Some(Command::Claims(args)) => commands::claims(args),
        Some(Command::Reach(args)) => commands::reach(args),
        None => commands::scan(&cli.scan),
    };
    exit.into()
}

/// Whether the answer goes to standard output.
fn writes(cli: &Cli) -> bool {
    match &cli.command {
        // The command writes there, or nobody.
        #[cfg(target_os = "linux")]
        Some(Command::Check(args)) => args.command.is_empty() || args.json,
        #[cfg(target_os = "linux")]
        Some(Command::Export(args)) => args.output.is_none() && args.listen.is_none(),
        Some(Command::Pages(pages)) => pages.are_printed(),
        _ => true,
    }
}

/// To who asked for nothing.
fn short_help() -> Exit {
    commands::complain_plainly(&Cli::command().render_help().to_string());
    Exit::Usage
}

/// Help and version are answers, everything else is a usage error.
fn usage(error: &clap::Error, args: &[OsString]) -> Exit {
    if !error.use_stderr() {
        return match print_help(error) {
            Ok(()) => Exit::Done,
            Err(why) => {
                commands::complain(&why);
                Exit::Usage
            }
        };
    }
    commands::complain_plainly(&in_our_words(error, &Cli::command(), args));
    Exit::Usage
}
