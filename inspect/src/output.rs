//! Standard output: an answer that does not arrive is not a success.

use crate::sys;
use std::io::{self, Write};

/// Said where standard output was closed before the program began.
pub const CLOSED: &str = "standard output is closed: the answer can be written nowhere";

/// Writes `text` to standard output.
///
/// # Errors
/// Why it did not arrive, as a sentence without its full stop. A reader that has seen enough is not an error.
pub fn print(text: &[u8]) -> Result<(), String> {
    arrives(|| io::stdout().write_all(text))
}

/// Writes the help or the version that was asked for, which clap hands over as an error.
///
/// # Errors
/// As [`print()`].
pub fn print_help(help: &clap::Error) -> Result<(), String> {
    arrives(|| help.print())
}

fn arrives(write: impl FnOnce() -> io::Result<()>) -> Result<(), String> {
    if sys::output_was_closed() {
        return Err(CLOSED.into());
    }
    // What is kept back until the program ends is lost without a word.
    match write().and_then(|()| io::stdout().flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("the answer could not be written: {e}"))
        }
        _ => Ok(()),
    }
}
