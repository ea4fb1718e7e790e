//! A real process a test started: its lines can be waited for, and it ends with the test.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a test waits for something that must come. Only a broken test ever waits this long.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What comes next from a victim.
#[derive(Debug)]
pub enum Next {
    /// It printed this line.
    Line(String),
    /// Nothing, in the time given.
    Nothing,
    /// It closed both of its outputs; nothing more will come.
    Ended,
}

/// A child process with its standard output (and standard error) as lines.
///
/// It is killed, by its PID, when dropped.
pub struct Victim {
    child: Child,
    leads_group: bool,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Victim {
    /// Starts `command` with stdin and both outputs piped, and the usual signals.
    pub fn spawn(command: &mut Command) -> Victim {
        let mut child = crate::with_usual_signals(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
        let (tx, lines) = channel();
        let out = child.stdout.take().expect("stdout is piped");
        let err = child.stderr.take().expect("stderr is piped");
        let tx2 = tx.clone();
        std::thread::spawn(move || pump(BufReader::new(out), &tx));
        std::thread::spawn(move || pump(BufReader::new(err), &tx2));
        let stdin = child.stdin.take();
        Victim {
            child,
            leads_group: false,
            stdin,
            lines,
            seen: Vec::new(),
        }
    }

    /// The same in a process group of its own, of which nothing outlives the victim: a program outlives its killed
    /// `watchfix run`.
    pub fn spawn_group(command: &mut Command) -> Victim {
        let mut victim = Victim::spawn(command.process_group(0));
        victim.leads_group = true;
        victim
    }

    /// The victim's PID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far, as far as the test has waited for it.
    pub fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Waits for the next line that `wanted` accepts and returns every line up to and including it.
    /// Panics when the victim ends or [`DEADLINE`] passes first.
    pub fn lines_until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let start = Instant::now();
        let mut batch = Vec::new();
        loop {
            match self.next_within(DEADLINE.saturating_sub(start.elapsed())) {
                Next::Line(line) => {
                    let hit = wanted(&line);
                    batch.push(line);
                    if hit {
                        return batch;
                    }
                }
                Next::Nothing => {
                    panic!(
                        "no line with {what} in {DEADLINE:?}; seen: {:#?}",
                        self.seen
                    )
                }
                Next::Ended => panic!("the victim ended before {what}; seen: {:#?}", self.seen),
            }
        }
    }

    /// Its next line, if one comes in time.
    pub fn next_within(&mut self, time: Duration) -> Next {
        match self.lines.recv_timeout(time) {
            Ok(line) => {
                self.seen.push(line.clone());
                Next::Line(line)
            }
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::Ended,
        }
    }

    /// Waits for a line that contains `text`.
    pub fn line_with(&mut self, text: &str) -> String {
        self.lines_until(text, |l| l.contains(text))
            .pop()
            .expect("lines_until returns the line it found")
    }

    /// Sends one line to its standard input.
    pub fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is still open");
        writeln!(stdin, "{line}").expect("the victim reads its stdin");
        stdin.flush().expect("the victim reads its stdin");
    }

    /// Closes its standard input, which ends most fixtures.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends it a signal, by its PID.
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill has no memory effects; the child is not reaped before `self` is gone.
        unsafe { libc::kill(self.pid() as i32, signal) };
    }

    /// Sends `signal` to its group, as a terminal does.
    pub fn signal_group(&self, signal: i32) {
        assert!(self.leads_group, "the group is the test's own");
        // SAFETY: kill has no memory effects; the group was made for the victim and has its number.
        unsafe { libc::kill(-(self.pid() as i32), signal) };
    }

    /// Waits until it has ended and returns its status and every line it printed.
    pub fn finish(mut self) -> (ExitStatus, Vec<String>) {
        self.stdin = None;
        let start = Instant::now();
        loop {
            match self.next_within(DEADLINE.saturating_sub(start.elapsed())) {
                Next::Line(_) => {}
                Next::Ended => break,
                Next::Nothing => {
                    panic!(
                        "the victim did not end in {DEADLINE:?}; seen: {:#?}",
                        self.seen
                    )
                }
            }
        }
        let status = self.child.wait().expect("the child is ours to reap");
        (status, std::mem::take(&mut self.seen))
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if self.leads_group {
            self.signal_group(libc::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `holds`, where nothing announces it: what another process has done, say. Panics after [`DEADLINE`],
/// saying `what`.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn pump(mut from: impl BufRead, to: &std::sync::mpsc::Sender<String>) {
    let mut line = Vec::new();
    while matches!(from.read_until(b'\n', &mut line), Ok(n) if n > 0) {
        let text = String::from_utf8_lossy(&line)
            .trim_end_matches('\n')
            .to_owned();
        if to.send(text).is_err() {
            return;
        }
        line.clear();
    }
}
