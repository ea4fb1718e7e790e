//! The tables behind the findings.

use super::sheet::{Sheet, known, known_number, more};
use super::wrap::wrap;
use super::{Detail, Layout, files, growth, inotify, kqueue, wal};
use crate::model::{Process, Report, Scan};
use crate::words::{bytes, number, sanitize};
use std::io::{self, Write};

/// How many databases are shown without `--all`.
const DATABASES: usize = 12;

pub fn write(scan: &Scan, report: &Report, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let process = &report.process;
    about(scan, process, layout, to)?;
    descriptors(process, layout, to)?;
    inotify::instances(process, layout, to)?;
    inotify::masks(process, layout, to)?;
    kqueue::write(process, layout, to)?;
    if layout.detail == Detail::All {
        inotify::watches(process, layout, to)?;
        kqueue::watches(process, layout, to)?;
        descriptor_list(process, layout, to)?;
    } else {
        inotify::directories(process, layout, to)?;
    }
    files::write(process, layout, to)?;
    databases(process, layout, to)?;
    growth::write(process, layout, to)
}

fn about(scan: &Scan, process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let mut sheet = Sheet::new(
        layout,
        &[
            "user",
            "parent",
            "started (UTC)",
            "program",
            "linked",
            "watchfix",
        ],
        &[],
    );
    let mapped = match process.preload.mapped {
        Some(true) if process.preload.bypassed => "bypassed".into(),
        Some(true) => "loaded".into(),
        Some(false) => "no".into(),
        None => "?".to_owned(),
    };
    sheet.row(&[
        known(process.uid),
        known(process.ppid),
        known(
            process
                .start_time
                .as_deref()
                .map(|t| t.split('.').next().unwrap_or(t).replace('T', " ")),
        ),
        if process.kernel_thread {
            "-".into()
        } else {
            known(process.exe.as_ref())
        },
        match process.linkage {
            Some(crate::model::Linkage::Static) => "static".into(),
            Some(crate::model::Linkage::Dynamic) => "dynamic".into(),
            None => "?".into(),
        },
        mapped,
    ]);
    sheet.write("Process", layout, to)?;
    let mut sheet = Sheet::new(layout, &["limit", "in use", "of", "left", "by"], &[1, 2, 3]);
    let left = |used: Option<u64>, limit: Option<u64>| {
        known_number(
            used.zip(limit)
                .map(|(used, limit)| limit.saturating_sub(used)),
        )
    };
    let by_process = "this process".to_owned();
    sheet.row(&[
        "descriptors".into(),
        known_number(process.fds.open),
        known_number(process.fds.soft_limit),
        left(process.fds.open, process.fds.soft_limit),
        by_process,
    ]);
    let watches = process.watches_account();
    let instances = process.instances_account();
    for (name, usage, used, limit) in [
        (
            "inotify watches",
            watches,
            watches.and_then(|u| u.watches),
            watches.map_or(scan.limits.max_user_watches, |u| u.max_watches),
        ),
        (
            "inotify instances",
            instances,
            instances.map(|u| u.instances),
            instances.map_or(scan.limits.max_user_instances, |u| u.max_instances),
        ),
    ] {
        // For a process without watches they were not counted, and a Mac has no inotify.
        if used.is_none() && (usage.is_some() || limit.is_none()) {
            continue;
        }
        let (least, most) = match usage {
            Some(usage) if usage.at_least => ("at least ", "at most "),
            _ => ("", ""),
        };
        sheet.row(&[
            name.into(),
            used.map_or_else(|| "?".into(), |n| format!("{least}{}", number(n))),
            known_number(limit),
            format!("{most}{}", left(used, limit)),
            match usage {
                Some(usage) => format!("all of {}", usage.account),
                None => format!("all of user {}", known(process.uid)),
            },
        ]);
    }
    sheet.write("Limits", layout, to)
}

fn descriptors(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let Some(by_type) = &process.fds.by_type else {
        return Ok(());
    };
    let mut list: Vec<_> = by_type.iter().collect();
    list.sort_by(|a, b| b.1.cmp(a.1));
    let parts: Vec<_> = list
        .iter()
        .map(|(kind, count)| {
            format!(
                "{} {}",
                number(**count as u64),
                kind.name().replace('_', " ")
            )
        })
        .collect();
    writeln!(to, "\n{}", layout.style.heading("Descriptors"))?;
    let text = if parts.is_empty() {
        "none".into()
    } else {
        parts.join(", ")
    };
    wrap(&text, layout.width, "  ", to)
}

fn descriptor_list(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if process.descriptors.is_empty() {
        return Ok(());
    }
    writeln!(to, "\n{}", layout.style.heading("All descriptors"))?;
    writeln!(to, " {:>5} {:<12} {:>10}  TARGET", "FD", "TYPE", "SIZE")?;
    for descriptor in &process.descriptors {
        let size = descriptor.bytes.map(bytes).unwrap_or_default();
        let deleted = if descriptor.deleted { " (deleted)" } else { "" };
        writeln!(
            to,
            " {:>5} {:<12} {:>10}  {}{deleted}",
            descriptor.fd,
            descriptor.kind.name(),
            size,
            sanitize(&descriptor.target.to_string()),
        )?;
    }
    Ok(())
}

fn databases(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if process.sqlite.is_empty() {
        return Ok(());
    }
    let size = |n: Option<u64>| n.map(bytes).unwrap_or_default();
    let mut list: Vec<_> = process.sqlite.iter().collect();
    list.sort_by_key(|db| std::cmp::Reverse((db.wal_bytes, db.handles)));
    let shown = if layout.detail == Detail::All {
        list.len()
    } else {
        DATABASES
    };
    let header = [
        "database", "fds", "-wal fds", "-shm fds", "size", "-wal", "-shm",
    ];
    let mut sheet = Sheet::new(layout, &header, &[1, 2, 3, 4, 5, 6]);
    for database in list.iter().take(shown) {
        let deleted = if database.deleted { " (deleted)" } else { "" };
        let orphan = if database.wal_deleted == Some(true) {
            " (deleted)"
        } else {
            ""
        };
        sheet.row(&[
            format!("{}{deleted}", database.database),
            number(database.handles as u64),
            number(database.wal_handles as u64),
            number(database.shm_handles as u64),
            size(database.database_bytes),
            format!("{}{orphan}", size(database.wal_bytes)),
            size(database.shm_bytes),
        ]);
    }
    sheet.write("SQLite databases", layout, to)?;
    more(list.len(), shown, to)?;
    list.truncate(shown);
    wal::logs(&list, layout, to)
}
