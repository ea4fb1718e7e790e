//! The program: command line in, report out, exit status.

use clap::Parser;
use inspect::claims::{ClaimsArgs, exit_of_claims, scan_claims};
use inspect::cli::{Cli, Colour, Command, ReportArgs, ScanArgs, WalArgs};
use inspect::findings;
use inspect::render::{self, Layout, Style, sanitize};
use inspect::{Exit, Options, scan, terminal_width};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

/// The width where there is no terminal.
const NO_TERMINAL: u16 = 80;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => match &cli.command {
            Some(Command::Wal(args)) => wal(args).into(),
            Some(Command::Claims(args)) => claims(args).into(),
            None => run(&cli.scan).into(),
        },
        Err(e) => usage(&e).into(),
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
    complain(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    Exit::Usage
}

fn run(args: &ScanArgs) -> Exit {
    let scan = scan(
        &args.pids,
        Options {
            paths: !args.no_paths,
            path_timeout: args.path_timeout,
            progress: !args.json && io::stderr().is_terminal(),
            all: args.all,
        },
    );
    let written = write(|to| {
        if args.json {
            render::json(&scan, to)
        } else {
            render::text(&scan, layout(args.color, args.all), to)
        }
    });
    if let Err(exit) = written {
        return exit;
    }
    for error in &scan.errors {
        complain(&sanitize(&error.why));
    }
    Exit::of(&scan, args.fail_on.least())
}

/// `fdscan wal DB...`
fn wal(args: &WalArgs) -> Exit {
    let ReportArgs {
        json,
        fail_on,
        color,
    } = args.report;
    let scan = inspect::scan_databases(&args.databases);
    let written = write(|to| {
        if json {
            render::json(&scan, to)
        } else {
            render::wal_text(&scan, layout(color, false), to)
        }
    });
    if let Err(exit) = written {
        return exit;
    }
    for error in &scan.errors {
        complain(&sanitize(&error.why));
    }
    Exit::of_databases(&scan, fail_on.least())
}

/// `fdscan claims PATH...`
fn claims(args: &ClaimsArgs) -> Exit {
    let scan = scan_claims(args);
    let written = write(|to| {
        if args.report.json {
            render::json(&scan, to)
        } else {
            render::claims_text(&scan, layout(args.report.color, false), to)
        }
    });
    match written {
        Err(exit) => exit,
        Ok(()) => exit_of_claims(&scan, args),
    }
}

/// Writes an answer to standard output.
fn write(
    answer: impl FnOnce(&mut BufWriter<io::StdoutLock<'_>>) -> io::Result<()>,
) -> Result<(), Exit> {
    let mut to = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match answer(&mut to).and_then(|()| to.flush()) {
        // The reader has seen enough (`fdscan 1 | head`).
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => {
            complain(&format!("the report could not be written: {e}"));
            Err(Exit::Usage)
        }
        Ok(()) => Ok(()),
    }
}

fn layout(color: Colour, all: bool) -> Layout {
    let terminal = io::stdout().is_terminal();
    // https://no-color.org: set and not empty.
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Layout {
        width: terminal_width().unwrap_or(NO_TERMINAL),
        style: Style {
            colour: match color {
                Colour::Auto => terminal && wanted,
                Colour::Always => true,
                Colour::Never => false,
            },
        },
        all,
        launcher: findings::launcher_is_installed(),
    }
}

fn complain(text: &str) {
    // A closed standard error must not end the program by a panic, as eprintln! would.
    let _ = writeln!(io::stderr(), "fdscan: {text}");
}
