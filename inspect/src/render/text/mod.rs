//! Text for a person under stress: what is wrong first, worst first, with the command that helps; what it
//! is about in one line; and last, where the eye is, what that comes to. The tables behind it and all that
//! could not be seen come in between, where they are asked for.

mod check;
mod claims;
mod events;
mod evidence;
mod files;
mod findings;
mod growth;
mod rollup;
mod summary;
mod tables;
mod top;
mod wal;
mod wrap;

use super::{Style, number, sanitize};
use crate::model::{Gap, Report, Scan};
pub use check::check_text;
pub use claims::claims_text;
pub use events::events_text;
pub use evidence::lines as lines_of;
pub use rollup::{Top, roll_up};
use std::io::{self, Write};
pub use top::top_text;
pub use wal::wal_text;
use wrap::wrap;

/// How the text is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Columns of the terminal.
    pub width: u16,
    /// Colour or not.
    pub style: Style,
    /// How much is shown.
    pub detail: Detail,
    /// The terminal shows ASCII only.
    pub ascii: bool,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// What is wrong, what helps, and one line of counts.
    Short,
    /// The tables behind it, rolled up.
    Tables,
    /// Everything: each watch and descriptor, and what the findings rest on.
    All,
}

impl Detail {
    /// With the tables, or without them.
    pub fn of(tables: bool) -> Detail {
        match tables {
            true => Detail::Tables,
            false => Detail::Short,
        }
    }
}

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
        gaps(&report.incomplete, layout, to)?;
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
    let command = match (process.kernel_thread, process.state) {
        (true, _) => "a thread of the kernel".into(),
        (false, Some('Z')) => "a zombie: it has ended".into(),
        _ => command.join(" "),
    };
    let room = usize::from(layout.width).saturating_sub(heading.chars().count() + 2);
    let command = wrap::shorten(&sanitize(&command), room);
    writeln!(
        to,
        "{}  {}",
        layout.style.heading(&heading),
        layout.style.dim(&command)
    )
}

fn gaps(gaps: &[Gap], layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if layout.detail == Detail::Short {
        return gaps_in_short(gaps, layout, to);
    }
    if gaps.is_empty() {
        return Ok(());
    }
    writeln!(to, "\n{}", layout.style.heading("Not seen"))?;
    for gap in gaps {
        let line = format!("{}: {}.", named(gap), gap.why);
        wrap(&sanitize(&line), layout.width, "  ", to)?;
    }
    Ok(())
}

/// As few lines as tell what may be missing among the findings.
fn gaps_in_short(gaps: &[Gap], layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let gaps: Vec<_> = gaps.iter().filter(|gap| !gap.aside).collect();
    let line = match gaps.as_slice() {
        [] => return Ok(()),
        [gap] => format!("Not seen: {}: {}.", named(gap), gap.why),
        all => {
            let list: Vec<_> = all.iter().map(|gap| named(gap)).collect();
            format!("Not seen: {}. --tables says why.", list.join("; "))
        }
    };
    writeln!(to)?;
    wrap(&sanitize(&line), layout.width, "", to)
}

/// What is missing, and how many of it.
fn named(gap: &Gap) -> String {
    match gap.count {
        Some(count) => format!("{} ({})", gap.what, number(count as u64)),
        None => gap.what.clone(),
    }
}
