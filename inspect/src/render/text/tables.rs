//! The tables behind the findings.

use super::sheet::{Sheet, known, known_number};
use super::wrap::wrap;
use super::{Detail, Layout, files, growth, rollup, wal};
use crate::model::{CoveredBy, Instance, Name, Process, Report, Scan};
use crate::words::{bytes, number, plural, sanitize};
use std::io::{self, Write};

/// Masks shown without `--all`.
const MASKS: usize = 8;
/// Instances shown without `--all`.
const INSTANCES: usize = 12;
/// Databases shown without `--all`.
const DATABASES: usize = 12;

pub fn write(scan: &Scan, report: &Report, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let process = &report.process;
    about(scan, process, layout, to)?;
    descriptors(process, layout, to)?;
    instances(process, layout, to)?;
    masks(process, layout, to)?;
    if layout.detail == Detail::All {
        watches(process, layout, to)?;
        descriptor_list(process, layout, to)?;
    } else {
        directories(process, layout, to)?;
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
        if used.is_none() && usage.is_some() {
            // A process without watches: they were not counted.
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

fn instances(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if process.inotify.is_empty() {
        return Ok(());
    }
    let is_covered = process.inotify.iter().any(|i| i.covered_by.is_some());
    let columns: &[_] = match is_covered {
        true => &["fd", "watches", "with a path", "watchfix", ""],
        false => &["fd", "watches", "with a path", ""],
    };
    let mut sheet = Sheet::new(layout, columns, &[0, 1, 2]);
    let mut list: Vec<&Instance> = process.inotify.iter().collect();
    list.sort_by_key(|i| {
        (
            i.same_instance_as.is_some(),
            std::cmp::Reverse(i.watch_count),
        )
    });
    let shown = if layout.detail == Detail::All {
        list.len()
    } else {
        INSTANCES
    };
    for instance in list.iter().take(shown) {
        let (paths, note) = match instance.same_instance_as {
            Some(fd) => (String::new(), format!("the same instance as fd {fd}")),
            None => {
                let paths = instance.watches.iter().filter(|w| w.path.is_some()).count();
                let of_thread =
                    |thread| format!("of thread {thread}, which has descriptors of its own");
                let note = instance.thread.map(of_thread).unwrap_or_default();
                (number(paths as u64), note)
            }
        };
        let covered = instance.covered_by.map_or("", CoveredBy::name).to_owned();
        let row = [
            instance.fd.to_string(),
            number(instance.watch_count as u64),
            paths,
        ];
        let row = row.into_iter().chain(is_covered.then_some(covered));
        sheet.row(&row.chain([note]).collect::<Vec<_>>());
    }
    let title = plural(list.len(), "inotify descriptor", "inotify descriptors");
    sheet.write(&title, layout, to)?;
    more(list.len(), shown, to)
}

fn masks(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let mut list: Vec<_> = process
        .inotify
        .iter()
        .flat_map(|i| i.masks.iter().map(move |mask| (i.fd, mask)))
        .collect();
    if list.is_empty() {
        return Ok(());
    }
    list.sort_by_key(|(_, mask)| std::cmp::Reverse(mask.watches));
    let shown = if layout.detail == Detail::All {
        list.len()
    } else {
        MASKS
    };
    let mut sheet = Sheet::new(layout, &["watches", "fd", "mask", "events"], &[0, 1]);
    for (fd, mask) in list.iter().take(shown) {
        sheet.row(&[
            number(mask.watches as u64),
            fd.to_string(),
            mask.mask.to_string(),
            mask.events.to_string(),
        ]);
    }
    sheet.write("Masks", layout, to)?;
    more(list.len(), shown, to)
}

fn directories(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let top = rollup::top_directories(process);
    let trees = &process.watch_trees;
    if top.rows.is_empty() && trees.is_empty() {
        return Ok(());
    }
    let mut sheet = Sheet::new(layout, &["watches", "at and below"], &[0]);
    for tree in trees {
        let found = match tree.found {
            0 => String::new(),
            found => format!(" ({} found)", number(found as u64)),
        };
        sheet.row(&[number(tree.watches as u64), tree.place() + &found]);
    }
    for (path, count) in &top.rows {
        sheet.row(&[number(*count as u64), path.to_string()]);
    }
    sheet.write("Directories with most watches", layout, to)?;
    if let Some((root, count)) = &top.root {
        let count = number(*count as u64);
        let line = format!("and {count} on {} itself", sanitize(&root.to_string()));
        wrap(&line, layout.width, "  ", to)?;
    }
    if top.elsewhere > 0 {
        let rest = number(top.elsewhere as u64);
        writeln!(to, "  and {rest} elsewhere (--all lists every watch)")?;
    }
    Ok(())
}

/// Every watch, streamed: a table of 100,000 rows would be measured row by row first.
fn watches(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if process.inotify.iter().all(|i| i.watches.is_empty()) {
        return Ok(());
    }
    writeln!(to, "\n{}", layout.style.heading("Watches"))?;
    writeln!(
        to,
        " {:>4} {:>7} {:>10} {:>12} {:>8}  PATH",
        "FD", "WD", "MASK", "INODE", "DEVICE"
    )?;
    for instance in &process.inotify {
        for watch in &instance.watches {
            let path = watch
                .path
                .as_ref()
                .map_or_else(|| "?".into(), Name::to_string);
            let deleted = if watch.deleted { " (deleted)" } else { "" };
            writeln!(
                to,
                " {:>4} {:>7} {:>10} {:>12} {:>8}  {}{deleted}",
                instance.fd,
                watch.wd,
                watch.mask.to_string(),
                watch.inode,
                watch.device.to_string(),
                sanitize(&path),
            )?;
        }
    }
    Ok(())
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

fn more(all: usize, shown: usize, to: &mut impl Write) -> io::Result<()> {
    if all > shown {
        writeln!(
            to,
            "  and {} more (--all lists them)",
            number((all - shown) as u64)
        )?;
    }
    Ok(())
}
