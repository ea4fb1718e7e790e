//! The text of `fdscan check`: one line for every rule, then the findings that broke rules.

use super::wrap::wrap;
use super::{Layout, findings, gaps};
use crate::model::{CheckScan, CommandRun, Finding};
use crate::words::{plural, sanitize};
use std::io::{self, Write};

/// Writes the outcome.
///
/// # Errors
/// What writing to `to` failed with.
pub fn check_text(scan: &CheckScan, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    for rule in &scan.rules {
        let verdict = match rule.passed {
            Some(true) => "ok     ".into(),
            Some(false) => layout.style.failed("BROKEN "),
            None => "unknown".into(),
        };
        writeln!(to, "{verdict}  {}: {}", rule.title, sanitize(&rule.message))?;
    }
    if let Some(run) = &scan.command {
        command(run, scan.processes.len(), layout, to)?;
    }
    if !scan.findings.is_empty() {
        let list: Vec<Finding> = scan.findings.iter().map(|f| f.finding.clone()).collect();
        findings::list(&list, false, layout, to)?;
    }
    gaps::write(&scan.incomplete, layout, to)
}

fn command(
    run: &CommandRun,
    processes: usize,
    layout: Layout,
    to: &mut impl Write,
) -> io::Result<()> {
    let looks = usize::try_from(run.samples).unwrap_or(usize::MAX);
    let line = format!(
        "The command ran for {:.1} s in {}, was looked at {}, and ended with status {}.",
        run.seconds,
        plural(processes, "process", "processes"),
        plural(looks, "time", "times"),
        run.exit_status,
    );
    wrap(&line, layout.width, "", to)?;
    if !run.left_running.is_empty() {
        let names: Vec<_> = run
            .left_running
            .iter()
            .map(|process| format!("PID {} ({})", process.pid, process.comm))
            .collect();
        let line = format!("It left running: {}.", names.join(", "));
        wrap(&sanitize(&line), layout.width, "", to)?;
    }
    Ok(())
}
