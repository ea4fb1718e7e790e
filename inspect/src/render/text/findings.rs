//! The findings: the message, then what helps now, then what helps from the next start on.

use super::wrap::{wrap, wrap_command};
use super::{Detail, Layout, evidence};
use crate::findings::named;
use crate::model::{Fds, Finding, Healed, Paused, Report};
use crate::sys;
use crate::words::{agree, number, plural, sanitize};
use std::io::{self, Write};

/// How many kinds of descriptors are named if nothing is wrong, the most frequent first.
const KINDS: usize = 3;
/// How many lines of a command the short form shows.
const LINES: usize = 8;

/// The findings about one process; `denied` means that this user may not look into it.
pub fn write(report: &Report, denied: bool, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    // "Nothing wrong" would be a lie about a process that could not be looked into.
    let blind = report.process.fds.by_type.is_none() && !report.incomplete.is_empty();
    if report.findings.is_empty()
        && let Some(counts) = counts(&report.process.fds)
    {
        writeln!(to)?;
        let line = format!("No finding. Nothing wrong was found among {counts}.");
        wrap(&line, layout.width, "", to)?;
    } else if !(denied && report.findings.is_empty()) {
        list(&report.findings, blind, layout, to)?;
    }
    if denied {
        writeln!(to)?;
        let line = "It could not be looked into: this user may not read its descriptors, watches and databases.";
        wrap(line, layout.width, "", to)?;
    }
    if let Some(healed) = &report.healed {
        writeln!(to)?;
        was_healed(healed, layout, to)?;
    }
    if let Some(paused) = report.paused.as_ref().filter(|paused| !paused.abandoned) {
        writeln!(to)?;
        is_paused(paused, layout, to)?;
    }
    notes(&report.notes, layout, to)
}

/// The reason why there is no command.
pub fn notes(notes: &[String], layout: Layout, to: &mut impl Write) -> io::Result<()> {
    for note in notes {
        writeln!(to)?;
        wrap(&sanitize(note), layout.width, "", to)?;
    }
    Ok(())
}

/// Says that its masks are not those it asked for, and how to restore them.
fn was_healed(healed: &Healed, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let at = clock(healed.seconds).unwrap_or_else(|| healed.at.clone());
    let watches = plural(healed.watches, "watch", "watches");
    let line = format!("Healed at {at} by UID {}: {watches}", healed.uid);
    match &healed.undo {
        None => wrap(&format!("{line}."), layout.width, "", to),
        Some(undo) => {
            let line = format!("{line}. This restores the masks:");
            wrap(&line, layout.width, "", to)?;
            let command = wrap_command(&sanitize(undo), layout.width, "    ");
            write!(to, "{}", layout.style.command(&command))
        }
    }
}

/// Says that it hears nothing of some directories for now.
fn is_paused(paused: &Paused, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let time = |seconds, text: &str| clock(seconds).unwrap_or_else(|| text.to_owned());
    let dirs: Vec<_> = paused.dirs.iter().map(ToString::to_string).collect();
    let line = format!(
        "Paused since {} by UID {}, for `{}`: {} in {} {} nothing until that command has ended, {} at the latest.",
        time(paused.seconds, &paused.since),
        paused.uid,
        paused.command,
        plural(paused.watches, "watch", "watches"),
        dirs.join(", "),
        agree(paused.watches as u64, "reports", "report"),
        time(paused.until_seconds, &paused.until),
    );
    wrap(&sanitize(&line), layout.width, "", to)
}

/// `14:02`, with the day unless that is today.
fn clock(seconds: i64) -> Option<String> {
    let [year, month, day, hour, minute] = sys::local_time(seconds)?;
    let now = jiff::Timestamp::now().as_second();
    let today = sys::local_time(now).is_some_and(|now| now.starts_with(&[year, month, day]));
    Some(match today {
        true => format!("{hour:02}:{minute:02}"),
        false => format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}"),
    })
}

/// `61 of 1,000 descriptors: 58 sockets, 3 files`: on what a reader can judge "nothing wrong".
fn counts(fds: &Fds) -> Option<String> {
    let (open, kinds) = (fds.open?, fds.by_type.as_ref()?);
    let of = fds
        .soft_limit
        .map_or_else(String::new, |limit| format!(" of {}", number(limit)));
    let mut kinds: Vec<_> = kinds.iter().map(|(&kind, &count)| (kind, count)).collect();
    kinds.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
    let list: Vec<_> = kinds
        .iter()
        .take(KINDS)
        .map(|&(kind, count)| format!("{} {}", number(count as u64), named(kind, count)))
        .collect();
    (!list.is_empty()).then(|| format!("{}{of} descriptors: {}", number(open), list.join(", ")))
}

/// The findings; `blind` means that not everything could be seen.
pub fn list(
    findings: &[Finding],
    blind: bool,
    layout: Layout,
    to: &mut impl Write,
) -> io::Result<()> {
    if findings.is_empty() {
        let how_far = if blind { " in what could be seen" } else { "" };
        return writeln!(to, "\nNo finding. Nothing wrong was found{how_far}.");
    }
    let mut given: Vec<&str> = Vec::new();
    for finding in findings {
        writeln!(
            to,
            "\n{}  {}",
            layout.style.severity(finding.severity),
            layout.style.heading(finding.code)
        )?;
        wrap(&sanitize(&finding.message), layout.width, "  ", to)?;
        if layout.detail == Detail::All {
            for line in evidence::lines(&finding.evidence) {
                let mut text = Vec::new();
                wrap(&sanitize(&line), layout.width, "    ", &mut text)?;
                write!(to, "{}", layout.style.dim(&String::from_utf8_lossy(&text)))?;
            }
        }
        commands(finding.commands(), &mut given, layout, to)?;
    }
    Ok(())
}

/// Commands with the purpose of each. A command that was `given` above is not repeated.
pub fn commands<'a>(
    commands: [(&str, Option<&'a str>); 2],
    given: &mut Vec<&'a str>,
    layout: Layout,
    to: &mut impl Write,
) -> io::Result<()> {
    let mut all = commands.iter().filter_map(|&(_, text)| text).peekable();
    if all.peek().is_some() && all.all(|command| given.contains(&command)) {
        return writeln!(to, "  The same helps as above.");
    }
    for (lead, command) in commands {
        let Some(command) = command else { continue };
        if given.contains(&command) {
            writeln!(to, "  {lead}: as above.")?;
            continue;
        }
        given.push(command);
        // Commands already quote what is unsafe. This is a second safeguard.
        let text = wrap_command(&sanitize(command), layout.width, "    ");
        if layout.detail == Detail::Short && text.lines().count() > LINES {
            let line = format!(
                "{lead}: a command of {} characters, which --tables shows.",
                number(command.chars().count() as u64)
            );
            wrap(&line, layout.width, "  ", to)?;
            continue;
        }
        writeln!(to, "  {lead}:")?;
        write!(to, "{}", layout.style.command(&text))?;
    }
    Ok(())
}
