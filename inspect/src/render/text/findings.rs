//! The findings: sentence, evidence, command.

use super::wrap::{wrap, wrap_command};
use super::{Layout, evidence};
use crate::findings::{Finding, named};
use crate::model::{Fds, Report};
use crate::render::{number, sanitize};
use std::io::{self, Write};

/// Kinds of descriptors named where nothing is wrong, those with most first.
const KINDS: usize = 3;

pub fn write(report: &Report, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    // "Nothing wrong" about a process nobody could look into would be a lie.
    let blind = report.process.fds.by_type.is_none() && !report.incomplete.is_empty();
    if report.findings.is_empty()
        && let Some(counts) = counts(&report.process.fds)
    {
        writeln!(to)?;
        let line = format!("No finding. Nothing wrong was found among {counts}.");
        return wrap(&line, layout.width, "", to);
    }
    list(&report.findings, blind, layout, to)
}

/// `61 of 1,000 descriptors: 58 sockets, 3 files`: what a reader judges "nothing wrong" by.
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

/// The findings; `blind` says that not everything could be seen.
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
    for finding in findings {
        writeln!(
            to,
            "\n{}  {}",
            layout.style.severity(finding.severity),
            layout.style.heading(finding.code)
        )?;
        wrap(&sanitize(&finding.message), layout.width, "  ", to)?;
        for line in evidence::lines(&finding.evidence) {
            let mut text = Vec::new();
            wrap(&sanitize(&line), layout.width, "    ", &mut text)?;
            write!(to, "{}", layout.style.dim(&String::from_utf8_lossy(&text)))?;
        }
        // Without a second one, a command is for the system or the file and needs no restart.
        let lead = if finding.remedy_live.is_some() {
            "When you start it again"
        } else {
            "This helps"
        };
        let commands = [
            (lead, &finding.remedy),
            ("For this process, as it runs", &finding.remedy_live),
        ];
        for (lead, command) in commands {
            let Some(command) = command else { continue };
            let missing = command.starts_with("watchfix ") && !layout.launcher;
            let note = if missing {
                " (watchfix is not installed here)"
            } else {
                ""
            };
            wrap(&format!("{lead}{note}:"), layout.width, "  ", to)?;
            // Commands quote what is unsafe themselves; this is the second lock on the door.
            let command = wrap_command(&sanitize(command), layout.width, "    ");
            write!(to, "{}", layout.style.command(&command))?;
        }
    }
    Ok(())
}
