//! Logs of SQLite databases: the table in a process's report, and the text of `fdscan wal`.

use super::holders::{holders, lock_list, who};
use super::sheet::Sheet;
use super::wrap::wrap;
use super::{Detail, Layout, findings, gaps, growth, summary};
use crate::model::{Database, DatabaseReport, DatabaseScan, Name};
use crate::words::{bytes, number, plural, sanitize};
use std::io::{self, Write};

/// How many holders of a database a line names.
const NAMED: usize = 3;

/// Writes every database of `scan`.
///
/// # Errors
/// What writing to `to` failed with.
pub fn wal_text(scan: &DatabaseScan, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    for (at, report) in scan.databases.iter().enumerate() {
        if at > 0 {
            writeln!(to)?;
        }
        let database = &report.database;
        let name = sanitize(&database.database.to_string()).into_owned();
        writeln!(
            to,
            "{}  {}",
            layout.style.heading(&name),
            layout.style.dim(&mode(database))
        )?;
        of_database(report, layout, to)?;
    }
    if scan.databases.is_empty() {
        return Ok(());
    }
    let all = scan.databases.iter().flat_map(|report| &report.findings);
    let mut line = summary::of_findings(all.clone());
    let unseen = |report: &DatabaseReport| report.incomplete.iter().any(|gap| !gap.aside);
    if all.clone().next().is_none() && scan.databases.iter().any(unseen) {
        line += " in what could be seen";
    }
    if scan.databases.len() > 1 {
        line += &format!(
            " in {}",
            plural(scan.databases.len(), "database", "databases")
        );
    }
    line += ".";
    if layout.detail == Detail::Short {
        line += " --tables shows files, readers, locks and who has it open.";
    }
    writeln!(to)?;
    wrap(&line, layout.width, "", to)
}

fn of_database(report: &DatabaseReport, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let database = &report.database;
    findings::list(&report.findings, !report.incomplete.is_empty(), layout, to)?;
    if layout.detail == Detail::Short {
        writeln!(to)?;
        wrap(&in_short(database), layout.width, "", to)?;
        who_has_it(database, layout, to)?;
    } else {
        sizes(database, layout, to)?;
        marks(database, layout, to)?;
        holders(database, layout, to)?;
    }
    growth::of_log(database.growth.as_ref(), layout, to)?;
    gaps::write(&report.incomplete, layout, to)
}

/// `-wal 11.1 GiB: live 4.00 MiB, pending 0 B, 12 of 12 frames checkpointed; database 4.00 MiB, -shm 32.0 KiB.`
fn in_short(database: &Database) -> String {
    let mut parts = Vec::new();
    if let Some(bytes) = database.wal_bytes {
        let mut log = format!("-wal {}", size(Some(bytes)));
        if let Some(wal) = &database.wal {
            log += &format!(
                ": live {}, pending {}, {} of {} frames checkpointed",
                size(wal.live_bytes),
                size(wal.pending_bytes),
                figure(wal.checkpointed_frames),
                figure(wal.frames),
            );
        }
        parts.push(log);
    }
    let mut files = vec![format!("database {}", size(database.database_bytes))];
    if database.shm_bytes.is_some() {
        files.push(format!("-shm {}", size(database.shm_bytes)));
    }
    parts.push(files.join(", "));
    let mut line = parts.join("; ");
    if let Some(first) = line.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    line + "."
}

/// `3 processes have it open: 42 (app), 43 (app), 44 (backup).`
fn who_has_it(database: &Database, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let holders = &database.holders;
    if holders.is_empty() {
        return writeln!(to, "No process that can be seen has it open.");
    }
    let named = holders.iter().take(NAMED).map(|holder| {
        let command = super::wrap::shorten(&holder.command(), 40);
        format!("PID {} ({command})", holder.pid)
    });
    let named: Vec<_> = named.collect();
    let more = match holders.len().saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" and {} more", number(more as u64)),
    };
    let line = format!(
        "{}: {}{more}.",
        plural(
            holders.len(),
            "process has it open",
            "processes have it open"
        ),
        named.join(", ")
    );
    wrap(&sanitize(&line), layout.width, "", to)
}

fn mode(database: &Database) -> String {
    let page = database.wal.as_ref().and_then(|wal| wal.page_size);
    let page = page.map_or_else(String::new, |size| {
        format!(", pages of {}", bytes(size.into()))
    });
    match (database.wal_mode, &database.wal) {
        (Some(true), Some(_)) => format!("WAL mode{page}"),
        (Some(true), None) => "WAL mode, no log here".into(),
        _ => "rollback journal".into(),
    }
}

fn size(value: Option<u64>) -> String {
    value.map_or_else(|| "?".into(), bytes)
}

fn figure(value: Option<u32>) -> String {
    value.map_or_else(|| "?".into(), |n| number(n.into()))
}

fn sizes(database: &Database, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let header = ["file", "size", "live", "pending", "frames", "checkpointed"];
    let mut sheet = Sheet::new(layout, &header, &[1, 2, 3, 4, 5]);
    let mut row = |name: &str, bytes: Option<u64>, rest: [String; 4]| {
        if bytes.is_some() {
            let mut cells = vec![name.to_owned(), size(bytes)];
            cells.extend(rest);
            sheet.row(&cells);
        }
    };
    let none = || [const { String::new() }; 4];
    row("database", database.database_bytes, none());
    let log = match &database.wal {
        Some(wal) => [
            size(wal.live_bytes),
            size(wal.pending_bytes),
            figure(wal.frames),
            figure(wal.checkpointed_frames),
        ],
        None => none(),
    };
    row("-wal", database.wal_bytes, log);
    row("-shm", database.shm_bytes, none());
    sheet.write("Files", layout, to)
}

fn marks(database: &Database, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let Some(wal) = &database.wal else {
        return Ok(());
    };
    let Some(marks) = wal.read_marks else {
        return Ok(());
    };
    let mut sheet = Sheet::new(layout, &["read mark", "frame", "held by"], &[1]);
    for (slot, mark) in marks.iter().enumerate() {
        let locks = wal.locks.iter().flatten();
        let held: Vec<_> = locks
            .filter(|lock| lock.slot.is_some_and(|s| usize::from(s) == slot))
            .map(who)
            .collect();
        if mark.is_none() && held.is_empty() {
            continue;
        }
        let held = if held.is_empty() {
            "nobody".into()
        } else {
            held.join(" ")
        };
        sheet.row(&[
            format!("READ({slot})"),
            mark.map_or_else(|| "not in use".into(), |mark| number(mark.into())),
            held,
        ]);
    }
    sheet.write("Readers", layout, to)
}

/// A table of the known logs of `databases` for a process's report, with who holds what.
pub fn logs(databases: &[&Database], layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let known: Vec<_> = databases
        .iter()
        .filter_map(|database| Some((*database, database.wal.as_ref()?)))
        .filter(|(_, wal)| {
            wal.frames.is_some() || wal.locks.as_ref().is_some_and(|l| !l.is_empty())
        })
        .collect();
    if known.is_empty() {
        return Ok(());
    }
    let header = [
        "-wal of",
        "live",
        "pending",
        "frames",
        "in database",
        "locks (PID)",
    ];
    let mut sheet = Sheet::new(layout, &header, &[1, 2, 3, 4]);
    for (database, wal) in known {
        sheet.row(&[
            Name::from(database.database.base()).to_string(),
            size(wal.live_bytes),
            size(wal.pending_bytes),
            figure(wal.frames),
            figure(wal.checkpointed_frames),
            lock_list(wal),
        ]);
    }
    sheet.write("SQLite logs", layout, to)
}
