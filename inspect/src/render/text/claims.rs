//! The text of `fdscan claims`: each verdict with its reason and owner.

use super::Layout;
use super::sheet::Sheet;
use super::wrap::{wrap, wrap_command};
use crate::model::{Claim, ClaimScan};
use crate::words::{number, sanitize};
use std::io::{self, Write};

/// Writes every claim of `scan`.
///
/// # Errors
/// What writing to `to` failed with.
pub fn claims_text(scan: &ClaimScan, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if scan.claims.is_empty() {
        return writeln!(
            to,
            "No claim: no file has the name of a PID, port, lock or stop file. `fdscan claims FILE` judges any file."
        );
    }
    let mut sheet = Sheet::new(layout, &["verdict", "names", "age", "claim"], &[2]);
    for claim in &scan.claims {
        sheet.row(&[
            claim.verdict.name().into(),
            named(claim),
            claim.age_seconds.map(age).unwrap_or_default(),
            claim.path.to_string(),
        ]);
    }
    sheet.write("Claims", layout, to)?;
    for claim in &scan.claims {
        let text = format!("\n{}: {}", claim.path, claim.verdict.name());
        writeln!(
            to,
            "\n{}",
            layout.style.heading(&sanitize(text.trim_start()))
        )?;
        wrap(&sanitize(&claim.why), layout.width, "  ", to)?;
        for holder in &claim.holders {
            let command = holder.command.as_ref().map(ToString::to_string);
            let lock = holder
                .lock
                .map(|lock| format!(" ({lock})"))
                .unwrap_or_default();
            let line = format!(
                "PID {}{lock}: {}",
                holder.pid,
                command.as_deref().unwrap_or("?")
            );
            wrap(&sanitize(&line), layout.width, "    ", to)?;
        }
        if let Some(command) = &claim.remedy {
            let command = wrap_command(&sanitize(command), layout.width, "    ");
            write!(to, "  Now:\n{}", layout.style.command(&command))?;
        }
    }
    writeln!(to, "\n{}.", verdicts(scan))
}

/// `2 live, 1 stale`
fn verdicts(scan: &ClaimScan) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for claim in &scan.claims {
        let name = claim.verdict.name();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let parts: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{} {name}", number(*count as u64)))
        .collect();
    parts.join(", ")
}

fn named(claim: &Claim) -> String {
    match (claim.pid, &claim.address) {
        (Some(pid), _) => format!("PID {pid}"),
        (None, Some(address)) => address.to_string(),
        (None, None) => String::new(),
    }
}

/// Seconds, in the largest unit of which there are at least two.
fn age(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let fits = units.iter().find(|(length, _)| seconds >= 2 * length);
    match fits {
        Some((length, unit)) => format!("{} {unit}", seconds / length),
        None => format!("{seconds} s"),
    }
}
