//! `fdscan check`: checks running processes, or a command while it runs, against limits and findings.

mod rules;
mod run;
mod tally;

pub use rules::Rule;
pub use run::{NotStarted, command};

use crate::gather::Options;
use crate::gather::inotify::activity::MOMENT;
use crate::model::{CheckScan, CommandLine, Name, Process, ProcessRef, Report, SCHEMA};
use rules::{Figures, is_readable};
use std::time::Duration;
use tally::Tally;

/// How processes are examined: from what the kernel reports at once, without a search for paths.
const LOOK: Options = Options {
    paths: false,
    path_timeout: Duration::ZERO,
    listen: Duration::ZERO,
    wake: false,
    progress: false,
    all: false,
    window: None,
};

/// Checks the processes `pids` as they are now.
pub fn processes(pids: &[u32], rules: &[Rule]) -> CheckScan {
    let options = Options {
        paths: true,
        listen: MOMENT,
        ..LOOK
    };
    let scan = crate::scans::scan(pids, options);
    let mut tally = Tally::new(rules);
    let mut incomplete = Vec::new();
    for report in scan.processes {
        take_in(&mut tally, &report.process, &report, None);
        incomplete.extend(report.incomplete);
    }
    let passed = !tally.is_broken();
    let (rules, findings, processes) = tally.results();
    CheckScan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at: scan.taken_at,
        passed,
        command: None,
        rules,
        findings,
        processes,
        errors: scan.errors,
        incomplete,
    }
}

fn take_in(tally: &mut Tally, process: &Process, report: &Report, seconds: Option<f64>) {
    let who = ProcessRef {
        pid: process.pid,
        comm: process.comm.clone().unwrap_or_else(|| Name::from("?")),
    };
    tally.figures(&who, &Figures::of_process(process), seconds);
    // An unreadable or ended process has no findings. That proves nothing.
    if is_readable(process) {
        tally.findings(&who, report.findings.clone(), seconds);
    }
    let words = process.cmdline.clone().unwrap_or_default();
    tally.named(&who, CommandLine::of(words, process.comm.clone()));
}
