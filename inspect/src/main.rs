//! The program: command line in, answer out, exit status.

mod commands;

use clap::Parser;
use inspect::Exit;
use inspect::cli::{Cli, Command};
use inspect::model::redact_names;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(&cli),
        Err(e) => usage(&e).into(),
    }
}

fn run(cli: &Cli) -> ExitCode {
    if cli.redact {
        redact_names();
    }
    if inspect::output_was_closed() && writes(cli) {
        commands::complain("standard output is closed: the answer can be written nowhere");
        return Exit::Usage.into();
    }
    let exit = match &cli.command {
        // It ends as the command does that it runs.
        Some(Command::Check(args)) => return commands::check(args),
        Some(Command::Top(args)) => commands::top(args),
        Some(Command::Events(args)) => commands::events(args),
        Some(Command::Pages(pages)) => commands::pages(pages),
        Some(Command::Export(args)) => commands::export(args),
        Some(Command::Watch(args)) => commands::watch(args),
        Some(Command::Report(args)) => commands::report(args),
        Some(Command::Wal(args)) => commands::wal(args),
        Some(Command::Claims(args)) => commands::claims(args),
        None => commands::scan(&cli.scan),
    };
    exit.into()
}

/// Whether the answer goes to standard output.
fn writes(cli: &Cli) -> bool {
    match &cli.command {
        // The command writes there, or nobody.
        Some(Command::Check(args)) => args.command.is_empty() || args.json,
        Some(Command::Export(args)) => args.output.is_none() && args.listen.is_none(),
        Some(Command::Pages(pages)) => pages.are_printed(),
        _ => true,
    }
}

/// Help and version are answers, everything else is a usage error.
fn usage(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // Nobody is left to tell when standard output is closed.
        let _ = error.print();
        return Exit::Done;
    }
    let text = error.to_string();
    commands::complain(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    Exit::Usage
}
