//! The findings: sentence, evidence, command.

use super::wrap::wrap;
use super::{Layout, evidence};
use crate::findings::Finding;
use crate::render::sanitize;
use std::io::{self, Write};

pub fn write(findings: &[Finding], layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if findings.is_empty() {
        return writeln!(to, "\nNothing wrong was found.");
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
        let commands = [
            ("When you start it again:", &finding.remedy),
            ("For this process, as it runs:", &finding.remedy_live),
        ];
        // A command for the system or the file is no restart.
        let both = finding.remedy_live.is_some();
        for (lead, command) in commands {
            let Some(command) = command else { continue };
            if both {
                writeln!(to, "  {lead}")?;
            } else {
                writeln!(to, "  This helps:")?;
            }
            // Commands quote what is unsafe themselves; they stand on one line, to be copied.
            writeln!(to, "    {}", layout.style.command(&sanitize(command)))?;
        }
    }
    Ok(())
}
