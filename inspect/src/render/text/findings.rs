//! The findings: sentence, evidence, command.

use super::wrap::{wrap, wrap_command};
use super::{Layout, evidence};
use crate::findings::Finding;
use crate::model::Report;
use crate::render::sanitize;
use std::io::{self, Write};

pub fn write(report: &Report, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    // "Nothing wrong" about a process nobody could look into would be a lie.
    let blind = report.process.fds.by_type.is_none() && !report.incomplete.is_empty();
    list(&report.findings, blind, layout, to)
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
