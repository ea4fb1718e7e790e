//! The summary of a scan: one line of counts for each process, and the last line of the output.

use super::wrap::wrap;
use super::{Detail, Layout};
use crate::model::{Change, Database, Finding, Growth, Process, Scan, Severity};
use crate::words::{bytes, number, plural};
use std::io::{self, Write};

/// `2,043 watches (1 instance), 61 of 1,024 descriptors, 2 databases (-wal 11.1 GiB)`
pub fn counts(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let mut parts = Vec::new();
    // After a longer look, the last count.
    let growth = process.growth.as_ref();
    let last = |count: usize, change: fn(&Growth) -> Option<Change>| {
        let change = growth.and_then(change);
        change.map_or(count, |change| usize::try_from(change.to).unwrap_or(count))
    };
    let instances = last(process.instances().count(), |growth| growth.instances);
    if instances > 0 {
        let watches = process.instances().map(|i| i.watch_count).sum();
        let watches = plural(last(watches, |growth| growth.watches), "watch", "watches");
        let instances = plural(instances, "instance", "instances");
        parts.push(format!("{watches} ({instances})"));
    }
    let watches: usize = process.kqueue.iter().map(|kqueue| kqueue.watch_count).sum();
    if watches > 0 {
        parts.push(plural(watches, "kqueue watch", "kqueue watches"));
    }
    let descriptors = growth.and_then(|growth| growth.descriptors);
    if let Some(open) = descriptors.map(|change| change.to).or(process.fds.open) {
        parts.push(match process.fds.soft_limit {
            Some(limit) => format!("{} of {} descriptors", number(open), number(limit)),
            None => plural(open as usize, "descriptor", "descriptors"),
        });
    }
    if !process.sqlite.is_empty() {
        let databases = plural(process.sqlite.len(), "database", "databases");
        let size = |database: &Database| {
            let growth = database.growth.and_then(|growth| growth.wal_bytes);
            growth.map(|change| change.to).or(database.wal_bytes)
        };
        let logs: u64 = process.sqlite.iter().filter_map(size).sum();
        parts.push(match logs {
            0 => databases,
            logs => format!("{databases} (-wal {})", bytes(logs)),
        });
    }
    if parts.is_empty() {
        return Ok(());
    }
    writeln!(to)?;
    wrap(&parts.join(", "), layout.width, "", to)
}

/// `1 critical, 2 warnings. --tables shows watches, descriptors, databases.`
pub fn last(scan: &Scan, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let reports = &scan.processes;
    if reports.is_empty() {
        return Ok(());
    }
    let denied = reports.iter().filter(|report| scan.is_denied(report));
    let denied = denied.count();
    let seen = reports.len() - denied;
    let findings = reports.iter().flat_map(|report| &report.findings);
    let unseen = plural(denied, "process", "processes") + " could not be looked into";
    let mut line = match (seen, denied) {
        (0, _) if findings.clone().next().is_none() => unseen,
        (_, 0) => of_findings(findings),
        (0, _) => format!("{}; {unseen}", of_findings(findings)),
        (seen, denied) => format!(
            "{} in {}; {} could not be looked into",
            of_findings(findings),
            plural(seen, "process", "processes"),
            number(denied as u64),
        ),
    };
    if reports.len() > 1 && denied == 0 {
        line += &format!(" in {}", plural(reports.len(), "process", "processes"));
    }
    line += ". ";
    line += &match layout.detail {
        Detail::Short => {
            let has = |part: fn(&Process) -> bool| reports.iter().any(|r| part(&r.process));
            let tables = [
                (
                    has(|p| !p.inotify.is_empty() || !p.kqueue.is_empty()),
                    "watches",
                ),
                (true, "descriptors"),
                (has(|p| !p.sqlite.is_empty()), "databases"),
            ];
            let tables: Vec<_> = tables.iter().filter(|t| t.0).map(|t| t.1).collect();
            format!("--tables shows {}.", tables.join(", "))
        }
        Detail::Tables => "--all lists each watch and descriptor.".into(),
        Detail::All => String::new(),
    };
    if layout.detail != Detail::Short {
        writeln!(to)?;
    }
    wrap(line.trim_end(), layout.width, "", to)
}

/// `1 critical, 2 warnings`
pub fn of_findings<'a>(findings: impl Iterator<Item = &'a Finding> + Clone) -> String {
    let of = |severity| findings.clone().filter(|f| f.severity == severity).count();
    let parts = [
        (of(Severity::Critical), "critical", "critical"),
        (of(Severity::Warning), "warning", "warnings"),
        (of(Severity::Info), "info", "info"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|&(count, ..)| count > 0)
        .map(|(count, one, many)| plural(count, one, many))
        .collect();
    match parts.is_empty() {
        true => "No finding".into(),
        false => parts.join(", "),
    }
}
