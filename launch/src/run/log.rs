//! What is decided, line by line, where `--log` asks for it.

use crate::sys::process;
use rules::rule::Log as Wanted;
use std::ffi::OsStr;
use std::fmt::Arguments;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

/// Where lines go.
pub struct Log {
    to: Option<File>,
    terminal: bool,
}

impl Log {
    /// Opens the place the rules name.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub fn open(wanted: Wanted<'_>) -> io::Result<Log> {
        let to = match wanted {
            Wanted::None => None,
            // A copy: its own standard error is what the supervisor lets go of.
            Wanted::Stderr => Some(File::from(io::stderr().as_fd().try_clone_to_owned()?)),
            Wanted::File(path) => {
                let mut options = OpenOptions::new();
                options.append(true).create(true);
                Some(options.open(OsStr::from_bytes(path))?)
            }
        };
        let terminal = wanted == Wanted::Stderr;
        Ok(Log { to, terminal })
    }

    /// Whether lines go anywhere.
    pub fn is_wanted(&self) -> bool {
        self.to.is_some()
    }

    /// Its descriptor.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.to.as_ref().map(AsFd::as_fd)
    }

    /// Lets go of a standard error: who reads it waits for its end, and the command has ended.
    pub fn command_has_ended(&self) {
        if let Some(to) = self.to.as_ref().filter(|_| self.terminal) {
            process::make_null(to.as_fd());
        }
    }

    /// One line about process `pid`.
    pub fn line(&self, pid: u32, text: Arguments<'_>) {
        if let Some(mut to) = self.to.as_ref() {
            // One write, so that lines of several processes do not mix; a log that cannot be written stops nothing.
            let _ = to.write_all(format!("watchfix[{pid}]: {text}\n").as_bytes());
        }
    }
}
