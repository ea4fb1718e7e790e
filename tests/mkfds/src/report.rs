//! What a fixture tells its test.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::inotify::Instance;

/// Why a state could not be reached, as a sentence.
pub type Outcome = Result<(), String>;

/// The lines of one fixture. The PID stands there from the start, so that a test can find a fixture that
/// does not get ready.
pub struct Report {
    out: std::io::Stdout,
}

impl Report {
    /// Prints the PID.
    pub fn start() -> Result<Report, String> {
        let mut report = Report {
            out: std::io::stdout(),
        };
        report.line(&format!("PID {}", std::process::id()))?;
        Ok(report)
    }

    /// Prints one fact.
    pub fn fact(&mut self, key: &str, value: impl std::fmt::Display) -> Outcome {
        self.line(&format!("{key}={value}"))
    }

    /// Prints one path, with every byte that is not printable ASCII as `\xNN`.
    pub fn path(&mut self, key: &str, path: &Path) -> Outcome {
        self.line(&format!("{key}={}", escape(path.as_os_str().as_bytes())))
    }

    /// Says that the state is complete.
    pub fn ready(&mut self) -> Outcome {
        self.line("READY")
    }

    /// Says that the state is complete, and keeps it until standard input is closed.
    pub fn hold(&mut self) -> Outcome {
        self.ready()?;
        wait_for_end()
    }

    /// As [`Report::hold`]; each line on standard input is answered by the number of bytes of events
    /// that wait in `instance`: what has woken this process.
    pub fn hold_watching(&mut self, instance: &Instance) -> Outcome {
        self.ready()?;
        for line in std::io::stdin().lines() {
            line.map_err(|e| format!("Standard input cannot be read: {e}."))?;
            self.fact("queued", instance.queued()?)?;
        }
        Ok(())
    }

    fn line(&mut self, text: &str) -> Outcome {
        writeln!(self.out, "{text}")
            .and_then(|()| self.out.flush())
            .map_err(|e| format!("Standard output cannot be written: {e}."))
    }
}

/// Whether standard input has been closed, without waiting for it.
pub fn has_ended() -> bool {
    let mut input = libc::pollfd {
        fd: 0,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `input` is one valid pollfd.
    unsafe { libc::poll(&mut input, 1, 0) != 0 }
}

/// Reads standard input to its end.
pub fn wait_for_end() -> Outcome {
    let mut chunk = [0; 4096];
    loop {
        match std::io::stdin().read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(format!("Standard input cannot be read: {e}.")),
        }
    }
}

/// Printable ASCII as it is, everything else and the backslash as `\xNN`: one line, and no byte is lost.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if (b' '..=b'~').contains(&byte) && byte != b'\\' {
            text.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}
