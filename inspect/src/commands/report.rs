//! `fdscan report PID`

use super::processes::one;
use super::{complain, write};
use inspect::MOMENT;
use inspect::cli::{ReportArgs, ReportFormat};
use inspect::render::{self};
use inspect::words::sanitize;
use inspect::{Exit, Options};
use std::io::{self, IsTerminal};

/// Writes the report to standard output.
pub fn report(args: &ReportArgs) -> Exit {
    let pid = match one(&args.process, "report", false) {
        Ok(pid) => pid,
        Err(exit) => return exit,
    };
    let options = Options {
        paths: true,
        path_timeout: args.path_timeout,
        listen: MOMENT,
        wake: false,
        progress: io::stderr().is_terminal(),
        all: false,
        window: None,
    };
    let report = match inspect::bug_report(pid, options, args.time) {
        Ok(report) => report,
        Err(failure) => {
            complain(&sanitize(&failure.why));
            return failure.kind.into();
        }
    };
    let written = write(|to| match args.format {
        ReportFormat::Markdown => render::markdown(&report, to),
        ReportFormat::Html => render::html(&report, to),
    });
    written.err().unwrap_or(Exit::Done)
}
