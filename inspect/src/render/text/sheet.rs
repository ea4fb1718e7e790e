//! A table as text.

use super::Layout;
use crate::words::{number, sanitize};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use std::io::{self, Write};

/// One thin line below the header: frames would cost the width that paths need.
const fn rule_below_header(line: char) -> TableStyle {
    TableStyle::new().header_separator(LineStyle::none().fill(line).junction(line))
}

pub struct Sheet {
    table: Table,
}

impl Sheet {
    /// `right` are the columns of figures, which are aligned to the right.
    pub fn new(layout: Layout, header: &[&str], right: &[usize]) -> Sheet {
        let mut table = Table::new();
        table
            .load_style(rule_below_header(if layout.ascii { '-' } else { '─' }))
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(layout.width.saturating_sub(1))
            .set_header(header.iter().map(|text| text.to_uppercase()));
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
        }
        for &column in right {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Sheet { table }
    }

    pub fn row(&mut self, cells: &[String]) {
        self.table
            .add_row(cells.iter().map(|cell| sanitize(cell).into_owned()));
    }

    pub fn write(&self, title: &str, layout: Layout, to: &mut impl Write) -> io::Result<()> {
        writeln!(to, "\n{}", layout.style.heading(title))?;
        for line in self.table.lines() {
            writeln!(to, " {}", line.trim_end())?;
        }
        Ok(())
    }
}

pub fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "?".into(), |value| value.to_string())
}

pub fn known_number(value: Option<u64>) -> String {
    value.map_or_else(|| "?".into(), number)
}

/// The line below a table that does not show all rows.
pub fn more(all: usize, shown: usize, to: &mut impl Write) -> io::Result<()> {
    if all > shown {
        writeln!(
            to,
            "  and {} more (--all lists them)",
            number((all - shown) as u64)
        )?;
    }
    Ok(())
}
