//! The text of `fdscan events`: the conclusion, then the counts behind it.

use super::sheet::Sheet;
use super::wrap::{shorten, wrap, wrap_command};
use super::{Detail, Layout, findings, gaps};
use crate::model::{Cause, EventCount, EventsScan, Name, Relation};
use crate::words::{number, plural, sanitize};
use std::io::{self, Write};

/// How many rows of each table are shown.
const SHOWN: usize = 10;
/// How many kinds of events the last line names.
const KINDS: usize = 3;

/// Writes the answer.
///
/// # Errors
/// What writing to `to` failed with.
pub fn events_text(scan: &EventsScan, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let name = scan
        .comm
        .as_ref()
        .map_or_else(|| "?".into(), Name::to_string);
    let heading = format!("{} (PID {})", sanitize(&name), scan.pid);
    writeln!(
        to,
        "{}  {}",
        layout.style.heading(&heading),
        layout.style.dim(&format!(
            "listened for {:.1} s to {} of {}",
            scan.seconds,
            number(scan.listened as u64),
            plural(scan.watched, "watched inode", "watched inodes"),
        ))
    )?;
    writeln!(to)?;
    wrap(&sanitize(&scan.conclusion.message), layout.width, "  ", to)?;
    let concluded = &scan.conclusion;
    let commands = [
        ("Now", concluded.remedy_live.as_deref()),
        ("Next start", concluded.remedy.as_deref()),
    ];
    findings::commands(commands, &mut Vec::new(), layout, to)?;
    if let Some(ask) = &concluded.ask {
        writeln!(to, "  To listen to all its watches:")?;
        let command = wrap_command(&sanitize(ask), layout.width, "    ");
        write!(to, "{}", layout.style.command(&command))?;
    }
    findings::notes(&concluded.notes, layout, to)?;
    if scan.overflows > 0 {
        let times = usize::try_from(scan.overflows).unwrap_or(usize::MAX);
        let line = format!(
            "The queue of fdscan itself overflowed {}: there were more events than shown.",
            plural(times, "time", "times")
        );
        wrap(&line, layout.width, "  ", to)?;
    }
    if layout.detail != Detail::Short {
        counts(scan, layout, to)?;
        causes(scan, layout, to)?;
    }
    gaps::write(&scan.incomplete, layout, to)?;
    writeln!(to)?;
    wrap(&last(scan, layout), layout.width, "", to)
}

/// `12,000 events in 8.0 s: modify 11,000, open 1,000. --tables shows directories, files and causes.`
fn last(scan: &EventsScan, layout: Layout) -> String {
    let total = usize::try_from(scan.total).unwrap_or(usize::MAX);
    let mut line = format!(
        "{} in {:.1} s",
        plural(total, "event", "events"),
        scan.seconds
    );
    let kinds = scan.events.iter().take(KINDS);
    let kinds: Vec<_> = kinds
        .map(|entry| format!("{} {}", entry.event, number(entry.count)))
        .collect();
    if !kinds.is_empty() {
        line += &format!(": {}", kinds.join(", "));
    }
    line += ".";
    if layout.detail == Detail::Short && scan.total > 0 {
        line += " --tables shows them by directory, file and cause.";
    }
    line
}

fn counts(scan: &EventsScan, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if scan.total == 0 {
        return Ok(());
    }
    let mut sheet = Sheet::new(layout, &["count", "event"], &[0]);
    for entry in &scan.events {
        sheet.row(&[number(entry.count), entry.event.into()]);
    }
    sheet.write("Events", layout, to)?;
    let mut sheet = Sheet::new(layout, &["count", "watched"], &[0]);
    for place in scan.directories.iter().take(SHOWN) {
        let path = place.path.as_ref().map(Name::to_string);
        let path = path.unwrap_or_else(|| format!("inode {}", place.inode));
        sheet.row(&[number(place.count), path]);
    }
    sheet.write("By watched directory or file", layout, to)?;
    let mut sheet = Sheet::new(layout, &["count", "events", "file"], &[0]);
    for file in scan.files.iter().take(SHOWN) {
        sheet.row(&[
            number(file.count),
            words(&file.events),
            file.path.to_string(),
        ]);
    }
    sheet.write("By file", layout, to)
}

fn causes(scan: &EventsScan, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let mut sheet = Sheet::new(layout, &["count", "events", "caused by"], &[0]);
    for cause in scan.causes.iter().flatten().take(SHOWN) {
        sheet.row(&[number(cause.count), words(&cause.events), who(cause)]);
    }
    if scan
        .causes
        .as_ref()
        .is_some_and(|causes| !causes.is_empty())
    {
        sheet.write("By process, according to fanotify", layout, to)?;
    }
    if scan.hints.is_empty() {
        return Ok(());
    }
    let mut sheet = Sheet::new(layout, &["pid", "open for", "file", "command"], &[0]);
    for hint in &scan.hints {
        let command = hint.command.as_ref().map(ToString::to_string);
        sheet.row(&[
            hint.pid.to_string(),
            if hint.writes { "writing" } else { "reading" }.into(),
            hint.path.to_string(),
            shorten(&command.unwrap_or_default(), 60),
        ]);
    }
    sheet.write("Who has these files open (a hint, not a proof)", layout, to)
}

fn words(events: &[EventCount]) -> String {
    let names: Vec<_> = events.iter().map(|entry| entry.event).collect();
    names.join(" ")
}

fn who(cause: &Cause) -> String {
    let pids: Vec<_> = cause.pids.iter().take(3).map(u32::to_string).collect();
    let more = match cause.processes.saturating_sub(pids.len()) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let relation = match cause.relation {
        Relation::Itself => "itself",
        Relation::Descendant => "started by it",
        Relation::Other => "",
        Relation::Unknown => "ended before fdscan could look at it",
    };
    let command = cause
        .command
        .as_ref()
        .map(|command| shorten(&command.to_string(), 80));
    let parts = [
        Some(format!("PID {}{more}", pids.join(" "))),
        Some(relation.to_owned()),
        command,
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(", ")
}
