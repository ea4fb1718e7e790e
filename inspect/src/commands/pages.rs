//! `fdscan completions SHELL` and `fdscan man DIR`

use super::complain;
use clap::CommandFactory;
use inspect::Exit;
use inspect::cli::Cli;
use inspect::pages::{FDSCAN, Pages};
use inspect::words::sanitize;

/// Writes them from the definition of the command line.
pub fn pages(pages: &Pages) -> Exit {
    match pages.write(Cli::command(), FDSCAN) {
        Ok(()) => Exit::Done,
        Err(why) => {
            complain(&sanitize(&why));
            Exit::Usage
        }
    }
}
