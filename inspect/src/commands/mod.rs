//! What each command does: one file for each, between the command line and the library.

#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod claims;
#[cfg(target_os = "linux")]
mod events;
#[cfg(target_os = "linux")]
mod export;
#[cfg(target_os = "macos")]
mod mac_scan;
mod pages;
#[cfg(target_os = "linux")]
mod processes;
mod reach;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod scan;
#[cfg(target_os = "linux")]
mod top;
#[cfg(target_os = "linux")]
mod wal;
#[cfg(target_os = "linux")]
mod watch;

#[cfg(target_os = "linux")]
pub use check::check;
#[cfg(target_os = "linux")]
pub use claims::claims;
#[cfg(target_os = "linux")]
pub use events::events;
#[cfg(target_os = "linux")]
pub use export::export;
#[cfg(target_os = "macos")]
pub use mac_scan::scan;
pub use pages::pages;
pub use reach::reach;
#[cfg(target_os = "linux")]
pub use report::report;
#[cfg(target_os = "linux")]
pub use scan::scan;
#[cfg(target_os = "linux")]
pub use top::top;
#[cfg(target_os = "linux")]
pub use wal::wal;
#[cfg(target_os = "linux")]
pub use watch::watch;

use inspect::cli::{AnswerArgs, Colour, ScanArgs};
use inspect::model::Scan;
use inspect::render::{self, Detail, Guard, Layout, Style, inert};
use inspect::words::sanitize;
use inspect::{Exit, terminal_width};
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// The width where there is no terminal.
const NO_TERMINAL: u16 = 80;

/// Standard output, with few large writes.
type Output = Guard<BufWriter<StdoutLock<'static>>>;

/// Writes an answer to standard output: as JSON, or as `text` does.
///
/// # Errors
/// The exit status, when it could not be written. A reader that has seen enough (`fdscan 1 | head`) is no
/// error.
fn answer(
    args: AnswerArgs,
    answer: &impl Serialize,
    text: impl FnOnce(&mut Output) -> io::Result<()>,
) -> Result<(), Exit> {
    write(|to| match args.json {
        true => render::json(answer, to.unguarded()),
        false => text(to),
    })
}

/// Writes what a scan found.
///
/// # Errors
/// As [`answer`].
fn show(scan: &Scan, args: &ScanArgs) -> Result<(), Exit> {
    let detail = match args.all {
        true => Detail::All,
        false => Detail::of(args.tables),
    };
    let layout = layout(args.answer.color, detail);
    answer(args.answer, scan, |to| render::text(scan, layout, to))
}

/// Says which processes could not be read, and gives the exit status of the scan.
fn concluded(scan: &Scan, args: &ScanArgs) -> Exit {
    for error in &scan.errors {
        complain(&sanitize(&error.why));
    }
    Exit::of(scan, args.answer.fail_on.least())
}

/// Writes to standard output.
///
/// # Errors
/// As [`answer`].
fn write(content: impl FnOnce(&mut Output) -> io::Result<()>) -> Result<(), Exit> {
    let mut to = Guard::new(BufWriter::with_capacity(1 << 16, io::stdout().lock()));
    match content(&mut to).and_then(|()| to.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(unwritten(&e)),
        _ => Ok(()),
    }
}

/// How text is laid out here.
fn layout(color: Colour, detail: Detail) -> Layout {
    let variable = |name: &str| std::env::var_os(name);
    Layout {
        width: terminal_width().unwrap_or(NO_TERMINAL),
        style: Style {
            colour: match color {
                Colour::Auto => render::wants_colour(io::stdout().is_terminal(), variable),
                Colour::Always => true,
                Colour::Never => false,
            },
        },
        detail,
        ascii: render::is_ascii(variable),
    }
}

/// The report could not be written where it should go.
fn unwritten(error: &io::Error) -> Exit {
    complain(&format!("the report could not be written: {error}"));
    Exit::Usage
}

/// Text on standard error that is not a complaint.
pub fn complain_plainly(text: &str) {
    let _ = io::stderr().write_all(inert(text).as_bytes());
}

/// Says on standard error what went wrong.
pub fn complain(text: &str) {
    // A closed standard error must not end the program by a panic, as eprintln! would.
    let _ = io::stderr().write_all(inert(&format!("fdscan: {text}\n")).as_bytes());
}
