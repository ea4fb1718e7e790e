//! The tables of a process's inotify instances, masks and watches.

use super::sheet::{Sheet, more};
use super::wrap::wrap;
use super::{Detail, Layout, rollup};
use crate::model::{CoveredBy, Instance, Name, Process};
use crate::words::{number, plural, sanitize};
use std::io::{self, Write};

/// How many masks are shown without `--all`.
const MASKS: usize = 8;
/// How many instances are shown without `--all`.
const INSTANCES: usize = 12;

pub fn instances(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
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
                    |thread| format!("of thread {thread}, which has its own descriptors");
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

pub fn masks(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
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

pub fn directories(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
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

/// Every watch, streamed: a table would first measure all of its 100,000 rows.
pub fn watches(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
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
