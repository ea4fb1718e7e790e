//! `--log`: one line for every decision.

use inspect::render::sanitize;
use rules::rule::{Error, Log as Where, Problem};
use rules::{Rule, Rules};
use std::ffi::OsStr;
use std::fmt::Arguments;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

/// Where decisions are written.
#[derive(Debug)]
pub enum Log {
    /// Nowhere.
    None,
    /// To standard error.
    Stderr,
    /// To a file, at its end.
    File(File),
}

impl Log {
    /// Opens what the rules name.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub fn open<'r>(rules: &Rules<'r>) -> Result<Log, Error<'r>> {
        Ok(match rules.log {
            Where::None => Log::None,
            Where::Stderr => Log::Stderr,
            Where::File(path) => {
                let mut options = OpenOptions::new();
                options.append(true).create(true).mode(0o600);
                let file = options.open(OsStr::from_bytes(path));
                Log::File(file.map_err(|_| Error {
                    rule: Rule::Log,
                    position: 1,
                    item: path,
                    problem: Problem::CannotOpen,
                })?)
            }
        })
    }

    /// Writes a line about process `pid`, in one piece.
    pub fn line(&self, pid: u32, text: Arguments<'_>) {
        if matches!(self, Log::None) {
            return;
        }
        let line = format!("watchfix[{pid}]: {}\n", sanitize(&text.to_string()));
        // A log that cannot be written is no reason to leave the work undone.
        let _ = match self {
            Log::None => Ok(()),
            Log::Stderr => io::stderr().write_all(line.as_bytes()),
            Log::File(file) => (&*file).write_all(line.as_bytes()),
        };
    }
}
