//! Runs a command and examines all its processes repeatedly until it ends.

use super::rules::{Figures, Rule};
use super::tally::Tally;
use super::{LOOK, take_in};
use crate::findings::{self, Remedies};
use crate::formats::secrets;
use crate::gather::{self, Monitors, Options, Sampler};
use crate::model::{CheckScan, CommandLine, CommandRun, Gap, Name, ProcessRef, SCHEMA};
use crate::sys::{self, Signal, Signals};
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::mem;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Time between two samples. A shorter burst may be missed.
const SAMPLE: Duration = Duration::from_millis(20);
/// Time between two searches for findings, which cost more.
const SCAN: Duration = Duration::from_millis(200);
/// Examining takes at most a tenth of one processor's time.
const SHARE: u32 = 10;

/// Why a command did not run, and the exit status that a shell would give.
#[derive(Debug)]
pub struct NotStarted {
    /// A sentence without its full stop.
    pub why: String,
    /// 127 if there is no such program, 126 if it cannot be run.
    pub status: u8,
}

/// Runs the program that `words` name, and checks it and everything it starts until it ends. The command shares this
/// program's standard output; if `apart` is set, it writes to this program's standard error instead.
///
/// # Errors
/// Why it could not be started.
pub fn command(words: &[OsString], rules: &[Rule], apart: bool) -> Result<CheckScan, NotStarted> {
    let taken_at = jiff::Timestamp::now().to_string();
    let failed = |what: &str, e: &io::Error| NotStarted {
        why: format!("{what}: {}", gather::errno_text(e)),
        status: 126,
    };
    let signals =
        Signals::catch(&[libc::SIGCHLD]).map_err(|e| failed("signals cannot be waited for", &e))?;
    sys::adopt_orphans().map_err(|e| failed("daemons cannot be kept in sight", &e))?;
    let names: Vec<Name> = words
        .iter()
        .map(|word| word.as_encoded_bytes().into())
        .collect();
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed(
            "no command was given",
            &io::ErrorKind::InvalidInput.into(),
        ));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    if apart {
        command.stdout(Stdio::from(io::stderr()));
    }
    signals.leave_to(&mut command);
    // `sys::reap` reaps the child and the orphans it leaves.
    let child = command.spawn().map_err(|e| {
        let what = format!(
            "{} cannot be started",
            names.first().unwrap_or(&Name::default())
        );
        match e.kind() {
            io::ErrorKind::NotFound => NotStarted {
                why: format!("{what}: there is no such program"),
                status: 127,
            },
            _ => failed(&what, &e),
        }
    })?;
    let mut watch = Watch {
        pid: child.id(),
        began: Instant::now(),
        tally: Tally::new(rules),
        samplers: HashMap::new(),
        monitors: Monitors::default(),
        masks: rules.iter().any(|rule| matches!(rule, Rule::DenyEvent(_))),
        scan_at: Instant::now(),
        samples: 0,
        refused: HashSet::new(),
        gaps: Vec::new(),
        interrupted: false,
    };
    let status = watch.until_it_ends(&signals);
    if status != 0 {
        watch.why_it_failed();
    }
    let seconds = watch.seconds();
    let run = CommandRun {
        command: CommandLine::of(secrets::hide(names), None)
            .ok_or_else(|| failed("no command was given", &io::ErrorKind::InvalidInput.into()))?,
        pid: watch.pid,
        exit_status: sys::shell_status(status),
        seconds,
        samples: watch.samples,
        left_running: left_running(),
    };
    let passed = !watch.tally.is_broken();
    let (rules, findings, processes) = watch.tally.results();
    Ok(CheckScan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at,
        passed,
        command: Some(run),
        rules,
        findings,
        processes,
        errors: Vec::new(),
        incomplete: watch.gaps,
    })
}

/// A running command.
struct Watch {
    pid: u32,
    began: Instant,
    tally: Tally,
    samplers: HashMap<u32, Sampler>,
    /// From the first look that finds watches, these listen for events that wake the processes.
    monitors: Monitors,
    /// Whether a rule is about masks.
    masks: bool,
    /// When to look for findings again.
    scan_at: Instant,
    samples: u64,
    /// Processes that cannot be read. Each is reported once.
    refused: HashSet<u32>,
    gaps: Vec<Gap>,
    interrupted: bool,
}

impl Watch {
    /// Time since the command began, in seconds, rounded up to whole milliseconds.
    fn seconds(&self) -> f64 {
        self.began.elapsed().as_micros().div_ceil(1000) as f64 / 1000.0
    }

    /// Examines the processes until the command has ended, and returns its wait status.
    fn until_it_ends(&mut self, signals: &Signals) -> i32 {
        loop {
            let next = self.look();
            loop {
                let left = next.saturating_duration_since(Instant::now());
                if left.is_zero() || !signals.wait(&[], left) {
                    break;
                }
                while let Some(signal) = signals.next() {
                    self.signal(signal);
                }
                while let Some((pid, status)) = sys::reap() {
                    if pid == self.pid {
                        return status;
                    }
                }
            }
        }
    }

    /// The command decides what to do with the first interruption. A second one ends it at once.
    fn signal(&mut self, signal: Signal) {
        if signal.number == libc::SIGCHLD {
            return;
        }
        if mem::replace(&mut self.interrupted, true) {
            sys::signal_child(self.pid, libc::SIGKILL);
        } else if !signal.from_terminal {
            // The terminal has sent its signal to the command as well.
            sys::signal_child(self.pid, signal.number);
        }
    }

    /// Takes one look, and returns when to take the next.
    fn look(&mut self) -> Instant {
        let began = Instant::now();
        self.samples += 1;
        // If the process tree cannot be listed, only the command itself is examined.
        let pids = gather::descendants(std::process::id()).unwrap_or_else(|_| vec![self.pid]);
        self.samplers.retain(|pid, _| pids.contains(pid));
        self.monitors.keep(&pids);
        for &pid in &pids {
            self.sample(pid);
        }
        let sampled = Instant::now();
        if sampled >= self.scan_at {
            self.scan(&pids);
            self.scan_at = sampled + SCAN.max(sampled.elapsed() * SHARE);
        }
        sampled + SAMPLE.max((sampled - began) * SHARE)
    }

    fn sample(&mut self, pid: u32) {
        use std::collections::hash_map::Entry;
        let sampler = match self.samplers.entry(pid) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => match Sampler::open(pid) {
                Ok(sampler) => new.insert(sampler),
                // It has ended since it was listed.
                Err(_) => return,
            },
        };
        let Ok(sample) = sampler.sample() else {
            self.samplers.remove(&pid);
            return;
        };
        let comm = gather::comm_of(pid).unwrap_or_else(|| "?".into());
        let seconds = self.seconds();
        let process = ProcessRef { pid, comm };
        let masks = self.masks.then(|| gather::masks_of(pid)).flatten();
        self.tally
            .figures(&process, &Figures::of_sample(&sample, masks), Some(seconds));
    }

    /// A failed command may have met a limit of its user. The command sees that as "No space left on device" or "Too
    /// many open files", and it may have ended before it could be examined.
    fn why_it_failed(&mut self) {
        // This program's own usage must not count.
        self.monitors.keep(&[]);
        let own = sys::effective_user();
        let selection = gather::Selection {
            uid: Some(own),
            named: None,
        };
        let Ok(top) = crate::scans::top(&selection, &gather::Users::default()) else {
            return;
        };
        let remedies = Remedies::new(gather::local_system);
        let comm = gather::comm_of(self.pid).unwrap_or_else(|| "the command".into());
        let who = ProcessRef {
            pid: self.pid,
            comm,
        };
        let seconds = self.seconds();
        for user in top.users.iter().filter(|user| user.account.uid == own) {
            let found = findings::of_failure(user, &top.processes, &remedies);
            self.tally.findings(&who, found, Some(seconds));
        }
    }

    fn scan(&mut self, pids: &[u32]) {
        // No directory is listed to find what is watched.
        let options = Options {
            paths: true,
            ..LOOK
        };
        let (scan, monitors) =
            crate::scans::scan_with_monitors(pids, options, mem::take(&mut self.monitors));
        self.monitors = monitors;
        let seconds = self.seconds();
        for report in &scan.processes {
            take_in(&mut self.tally, &report.process, report, Some(seconds));
        }
        for error in scan.errors {
            if error.kind == crate::model::FailureKind::NotPermitted
                && let Some(pid) = error.pid
                && self.refused.insert(pid)
            {
                self.gaps.push(Gap {
                    what: format!("process {pid} of the command"),
                    why: error.why,
                    count: None,
                    aside: false,
                });
            }
        }
    }
}

/// The processes that the command left running.
fn left_running() -> Vec<ProcessRef> {
    let pids = gather::descendants(std::process::id()).unwrap_or_default();
    let alive = pids.into_iter().filter_map(|pid| {
        let comm = gather::comm_of(pid)?;
        Some(ProcessRef { pid, comm })
    });
    alive.collect()
}
