//! The tables of a Mac's kqueues that watch files.

use super::sheet::{Sheet, more};
use super::{Detail, Layout};
use crate::model::{Name, Process};
use crate::words::{number, plural, sanitize};
use std::io::{self, Write};

/// How many rows are shown without `--all`.
const ROWS: usize = 12;

pub fn write(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let mut rows: Vec<_> = process
        .kqueue
        .iter()
        .flat_map(|kqueue| kqueue.masks.iter().map(move |count| (kqueue.fd, count)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.watches));
    let shown = match layout.detail {
        Detail::All => rows.len(),
        _ => ROWS,
    };
    let mut sheet = Sheet::new(layout, &["watches", "fd", "notes", "events"], &[0, 1]);
    for (fd, count) in rows.iter().take(shown) {
        sheet.row(&[
            number(count.watches as u64),
            fd.to_string(),
            count.mask.to_string(),
            count.events.to_string(),
        ]);
    }
    let title = plural(process.kqueue.len(), "kqueue", "kqueues") + " with watches on files";
    sheet.write(&title, layout, to)?;
    more(rows.len(), shown, to)
}

/// Every watch.
pub fn watches(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    if process.kqueue.is_empty() {
        return Ok(());
    }
    writeln!(to, "\n{}", layout.style.heading("Kqueue watches"))?;
    writeln!(to, " {:>6} {:>6} {:>7}  PATH", "KQUEUE", "FD", "NOTES")?;
    for kqueue in &process.kqueue {
        for watch in &kqueue.watches {
            let path = watch.path.as_ref();
            let path = path.map_or_else(|| "?".into(), Name::to_string);
            writeln!(
                to,
                " {:>6} {:>6} {:>7}  {}",
                kqueue.fd,
                watch.descriptor,
                watch.mask.to_string(),
                sanitize(&path)
            )?;
        }
    }
    Ok(())
}
