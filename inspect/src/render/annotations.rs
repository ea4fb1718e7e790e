//! Annotations of GitHub Actions: lines that a runner shows beside a job.
//!
//! Format and escapes: docs.github.com, "Workflow commands for GitHub Actions", and
//! packages/core/src/command.ts of actions/toolkit.

use crate::model::CheckScan;
use crate::words::sanitize;
use std::io::{self, Write};

/// Writes one annotation for every broken rule.
///
/// # Errors
/// What writing to `to` failed with.
pub fn annotations(scan: &CheckScan, to: &mut impl Write) -> io::Result<()> {
    let broken = scan.rules.iter().filter(|rule| rule.passed == Some(false));
    for rule in broken {
        error(&rule.title, &rule.message, to)?;
        if rule.severity.is_some() {
            for found in &scan.findings {
                error(found.finding.code, &found.finding.message, to)?;
            }
        }
    }
    Ok(())
}

fn error(title: &str, message: &str, to: &mut impl Write) -> io::Result<()> {
    let title = data(&format!("fdscan: {title}"));
    let title = title.replace(':', "%3A").replace(',', "%2C");
    writeln!(
        to,
        "::error title={title}::{}",
        data(&sanitize(message)).replace("##[", "##\\[")
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_a_runner_would_obey_is_escaped() {
        let mut out = Vec::new();
        error("a,b: 98 %", "It: 5 %\n::stop-commands::x", &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "::error title=fdscan%3A a%2Cb%3A 98 %25::It: 5 %25\\n::stop-commands::x\n"
        );
    }
}
