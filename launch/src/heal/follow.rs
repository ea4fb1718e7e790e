//! `--follow`: watches that appear later are healed too, until the process ends.
//!
//! Nothing of the process is held open but its pidfd and files in /proc: a copy of an instance would keep
//! it alive when the process closes it.

use super::pass::Stopped;
use super::refused::Refused;
use crate::sys::poll::{self, For, Ready};
use crate::sys::{memory, pidfd, signal};
use inspect::gather::Fingerprint;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Between two looks at least, and at most.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Of the time, at most one part in this many is spent looking.
const SHARE: u32 = 20;

/// How following a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It ended.
    Process,
    /// Somebody asked this program to end.
    Asked,
}

/// Calls `look` whenever there may be something new, beginning with now; it says whether it changed anything.
///
/// # Errors
/// There is no such process; what `look` returns, unless it is that the process has ended.
pub fn follow(pid: u32, mut look: impl FnMut() -> Result<bool, Stopped>) -> Result<End, Stopped> {
    let process = pidfd::open(pid).map_err(|e| Refused::opening(pid, &e))?;
    let asked = signal::requests_to_end()
        .map_err(|e| Stopped::Unprepared(format!("process {pid} cannot be followed: {e}")))?;
    let mut fingerprint = Fingerprint::of(pid).map_err(|_| Refused::ended(pid))?;
    let mut pause = Duration::ZERO;
    loop {
        let (ended, asked) = (For::Input(process.as_fd()), For::Input(asked.as_fd()));
        match poll::wait([ended, asked], Some(pause)) {
            [Ready::No, Ready::No] => {}
            [Ready::No, _] => return Ok(End::Asked),
            _ => return Ok(End::Process),
        }
        let start = Instant::now();
        // When its descriptors cannot be listed any more, it is ending.
        if fingerprint.changed().unwrap_or(false) {
            match look() {
                Err(Stopped::Refused(Refused::NoProcess(_))) => return Ok(End::Process),
                Err(other) => return Err(other),
                // What was seen before is not what to compare with any more.
                Ok(true) => fingerprint.forget(),
                Ok(false) => {}
            }
            memory::give_back_what_is_free();
        }
        pause = (start.elapsed() * SHARE).clamp(SHORTEST, LONGEST);
    }
}
