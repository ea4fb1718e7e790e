//! Open regular files by directory and by extension.

use super::Layout;
use super::sheet::Sheet;
use crate::model::Process;
use crate::words::number;
use std::io::{self, Write};

/// How many rows of each table are shown.
const SHOWN: usize = 5;
/// If the first row has fewer than this, the table says no more than the list of kinds.
const WORTH_A_TABLE: usize = 8;

pub fn write(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let directories = process.fds.top_directories.iter();
    let rows: Vec<_> = directories
        .map(|row| (row.descriptors, row.directory.to_string()))
        .collect();
    table("Directories with most open files", "in", &rows, layout, to)?;
    let extensions = process.fds.top_extensions.iter();
    let rows: Vec<_> = extensions
        .map(|row| {
            let name = row.extension.as_ref();
            let text = name.map_or_else(|| "(none)".into(), |e| format!("*.{e}"));
            (row.descriptors, text)
        })
        .collect();
    table(
        "Extensions with most open files",
        "names",
        &rows,
        layout,
        to,
    )
}

fn table(
    title: &str,
    column: &str,
    rows: &[(usize, String)],
    layout: Layout,
    to: &mut impl Write,
) -> io::Result<()> {
    if rows.first().is_none_or(|row| row.0 < WORTH_A_TABLE) {
        return Ok(());
    }
    let mut sheet = Sheet::new(layout, &["open", column], &[0]);
    for (count, name) in rows.iter().take(SHOWN) {
        sheet.row(&[number(*count as u64), name.clone()]);
    }
    sheet.write(title, layout, to)
}
