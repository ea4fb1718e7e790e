//! The log of decisions, one line each, where `--log` asks for it.
//!
//! To write it neither waits nor ends a process: what cannot be written at once is left out. The signals of a broken pipe and
//! of a file at its limit are ignored ([`super::inherited`]).

use crate::sys::{poll, process, socket};
use inspect::render::inert;
use inspect::words::sanitize;
use rules::rule::Log as Wanted;
use std::ffi::OsStr;
use std::fmt::Arguments;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Where lines go.
pub struct Log {
    to: Option<File>,
    terminal: bool,
    socket: bool,
}

impl Log {
    /// Opens the place the rules name.
    ///
    /// # Errors
    /// The file cannot be opened for writing, or is not a regular one.
    pub fn open(wanted: Wanted<'_>) -> io::Result<Log> {
        let terminal = wanted == Wanted::Stderr;
        let to = match wanted {
            Wanted::None => None,
            Wanted::Stderr => Some(standard_error()?),
            Wanted::File(path) => Some(regular(OsStr::from_bytes(path))?),
        };
        let kind = to.as_ref().map(File::metadata).transpose()?;
        Ok(Log {
            to,
            terminal,
            socket: kind.is_some_and(|kind| kind.file_type().is_socket()),
        })
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
        let Some(mut to) = self.to.as_ref() else {
            return;
        };
        // Names in it come from anywhere.
        let line = format!("watchfix[{pid}]: {}\n", sanitize(&text.to_string()));
        let line = inert(&line);
        // One write, so that lines of several processes do not mix; a log that cannot be written stops nothing.
        if self.socket {
            let _ = socket::send_now(to.as_fd(), line.as_bytes());
        } else if poll::takes_output(to.as_fd()) {
            let _ = to.write(line.as_bytes());
        }
    }
}

/// A standard error of its own: the command's is what the supervisor lets go of.
///
/// A pipe that nobody empties and a terminal that was stopped would be waited for. O_NONBLOCK is set for everybody who
/// has the open file, so it is opened anew; where that is not allowed (another user's terminal), a look before each
/// line has to do.
fn standard_error() -> io::Result<File> {
    let copy = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let kind = copy.metadata()?.file_type();
    if !kind.is_fifo() && !kind.is_char_device() {
        return Ok(copy);
    }
    let mut options = OpenOptions::new();
    options
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    Ok(options.open("/proc/self/fd/2").unwrap_or(copy))
}

/// Opening a FIFO would wait for its reader, and opening a device may trigger it: so the file is checked before and after.
fn regular(path: &OsStr) -> io::Result<File> {
    let check = |is_file| match is_file {
        true => Ok(()),
        false => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    };
    if let Some(why) = inspect::gather::unanswered(Path::new(path)) {
        return Err(io::Error::other(why));
    }
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        found => check(found?.is_file())?,
    }
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW);
    let file = options.open(path)?;
    check(file.metadata()?.is_file())?;
    Ok(file)
}
