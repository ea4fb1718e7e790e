//! A program of the demo at work: what it says is read all the time.

use super::incident::Place;
use crate::sys::poll::{self, For, Ready};
use crate::sys::signal;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks. A program counts its events ten times a second.
const STEP: Duration = Duration::from_millis(20);
/// Without an event for so long it is quiet.
const QUIET: Duration = Duration::from_millis(700);
/// How long anything is waited for.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A running program. It ends with this.
pub struct Victim<'a> {
    child: Child,
    lines: Receiver<String>,
    events: Arc<AtomicU64>,
    asked_to_end: &'a OwnedFd,
}

impl<'a> Victim<'a> {
    /// Starts it on `place` and waits until it works.
    pub fn start(
        mut command: Command,
        place: &Place,
        asked_to_end: &'a OwnedFd,
    ) -> Result<Victim<'a>, String> {
        let program = command.get_program().to_owned();
        let mut child = command
            .args(place.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        let events = Arc::new(AtomicU64::new(0));
        let (sender, lines) = channel();
        if let Some(out) = child.stdout.take() {
            let events = Arc::clone(&events);
            thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    match line.strip_prefix("events ").map(str::parse) {
                        Some(Ok(count)) => events.store(count, Ordering::Relaxed),
                        // When nobody listens any more the pipe is still emptied.
                        _ => drop(sender.send(line)),
                    }
                }
            });
        }
        let mut victim = Victim {
            child,
            lines,
            events,
            asked_to_end,
        };
        let begun = place.begun();
        if victim.wait_for_line(|line| line.starts_with(begun))? {
            Ok(victim)
        } else {
            Err(format!("{} does not get to work", program.display()))
        }
    }

    /// Its PID; under `watchfix run` the launcher's.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Events in a second.
    pub fn rate(&mut self, window: Duration) -> Result<f64, String> {
        let (start, before) = (Instant::now(), self.count());
        while start.elapsed() < window {
            self.pause()?;
        }
        let events = self.count().saturating_sub(before);
        Ok(events as f64 / start.elapsed().as_secs_f64())
    }

    /// Waits until no event comes any more; says so if that does not happen.
    pub fn wait_for_quiet(&mut self) -> Result<bool, String> {
        let start = Instant::now();
        let (mut last, mut since) = (self.count(), Instant::now());
        while since.elapsed() < QUIET {
            if start.elapsed() > TIMEOUT {
                return Ok(false);
            }
            self.pause()?;
            let now = self.count();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(true)
    }

    /// Waits for a line.
    pub fn wait_for_line(&mut self, wanted: impl Fn(&str) -> bool) -> Result<bool, String> {
        let start = Instant::now();
        while start.elapsed() < TIMEOUT {
            if self.lines.try_iter().any(|line| wanted(&line)) {
                return Ok(true);
            }
            self.pause()?;
        }
        Ok(false)
    }

    fn count(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    fn pause(&mut self) -> Result<(), String> {
        let asked = For::Input(self.asked_to_end.as_fd());
        if poll::wait([asked], Some(STEP)) != [Ready::No] {
            return Err("ended before its end".into());
        }
        match self.child.try_wait() {
            Ok(Some(status)) => Err(format!("a program of the demo has ended: {status}")),
            _ => Ok(()),
        }
    }

    /// Ends it: it does so when its standard input is closed.
    pub fn end(mut self) {
        self.child.stdin = None;
        let start = Instant::now();
        while start.elapsed() < TIMEOUT && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(STEP);
        }
    }
}

impl Drop for Victim<'_> {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Not SIGKILL: a launcher hands this on.
            signal::send(self.pid(), libc::SIGTERM);
            let _ = self.child.wait();
        }
    }
}
