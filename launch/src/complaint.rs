//! What is said on standard error.

use inspect::render::inert;
use inspect::words::sanitize;
use std::io::{self, Write};

/// The exit status of a command line, or a rule, that cannot be read; and of an answer that could not be written.
pub const USAGE: u8 = 2;

/// One sentence on standard error. Names in it come from anywhere.
pub fn complain(text: &str) {
    complain_plainly(&format!("watchfix: {}\n", sanitize(text)));
}

/// Lines on standard error.
pub fn complain_plainly(text: &str) {
    // A closed standard error must not end the program by a panic, as eprintln! would.
    let _ = io::stderr().write_all(inert(text).as_bytes());
}
