//! The report on processes.

use super::wrap::shorten;
use super::{Detail, Layout, findings, gaps, growth, summary, tables};
use crate::model::{Report, Scan};
use crate::words::sanitize;
use std::io::{self, Write};

/// Writes every process of `scan`.
///
/// # Errors
/// What writing to `to` failed with.
pub fn text(scan: &Scan, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    for (at, report) in scan.processes.iter().enumerate() {
        if at > 0 {
            writeln!(to)?;
        }
        title(report, layout, to)?;
        findings::write(report, scan.is_denied(report), layout, to)?;
        if layout.detail == Detail::Short {
            growth::write(&report.process, layout, to)?;
        } else {
            tables::write(scan, report, layout, to)?;
        }
        gaps::write(&report.incomplete, layout, to)?;
        if layout.detail == Detail::Short {
            summary::counts(&report.process, layout, to)?;
        }
    }
    summary::last(scan, layout, to)
}

/// Writes the tables of one process of `scan`.
///
/// # Errors
/// What writing to `to` failed with.
pub fn tables_text(
    scan: &Scan,
    report: &Report,
    layout: Layout,
    to: &mut impl Write,
) -> io::Result<()> {
    tables::write(scan, report, layout, to)
}

/// `tool (PID 42): tool --flag`
fn title(report: &Report, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let process = &report.process;
    let name = match &process.comm {
        Some(comm) => comm.to_string(),
        None => "?".into(),
    };
    let heading = format!("{} (PID {})", sanitize(&name), process.pid);
    let arguments = process.cmdline.as_deref().unwrap_or_default();
    let command: Vec<_> = arguments.iter().map(ToString::to_string).collect();
    let command = match process.kernel_thread {
        true => "a thread of the kernel".into(),
        false => command.join(" "),
    };
    let room = usize::from(layout.width).saturating_sub(heading.chars().count() + 2);
    let command = shorten(&sanitize(&command), room);
    writeln!(
        to,
        "{}  {}",
        layout.style.heading(&heading),
        layout.style.dim(&command)
    )
}
