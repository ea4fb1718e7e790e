//! What grew between two samples.

use super::Layout;
use super::tables::Sheet;
use crate::model::{Change, DatabaseGrowth, Name, Process};
use crate::render::{bytes, number};
use std::io::{self, Write};

const HEADER: [&str; 5] = ["what", "before", "after", "change", "a second"];

pub fn write(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let Some(growth) = &process.growth else {
        return Ok(());
    };
    let mut rows = Rows::new(layout, growth.seconds);
    rows.count("descriptors", growth.descriptors);
    rows.count("inotify instances", growth.instances);
    rows.count("inotify watches", growth.watches);
    for pattern in &growth.patterns {
        let files = match &pattern.extension {
            Some(extension) => format!("{}/*.{extension}", pattern.directory),
            None => format!("files in {}", pattern.directory),
        };
        rows.more(&files, pattern.descriptors);
    }
    for database in &process.sqlite {
        if let Some(growth) = &database.growth {
            let name = database.database.base();
            rows.database(&format!("{} ", Name::from(name)), growth);
        }
    }
    rows.write(layout, to)
}

/// The same for one database, looked at by its path.
pub fn of_log(
    growth: Option<&DatabaseGrowth>,
    layout: Layout,
    to: &mut impl Write,
) -> io::Result<()> {
    let Some(growth) = growth else { return Ok(()) };
    let mut rows = Rows::new(layout, growth.seconds);
    rows.log("", growth);
    rows.write(layout, to)
}

struct Rows {
    sheet: Sheet,
    seconds: f64,
}

impl Rows {
    fn new(layout: Layout, seconds: f64) -> Rows {
        Rows {
            sheet: Sheet::new(layout, &HEADER, &[1, 2, 3, 4]),
            seconds,
        }
    }

    fn count(&mut self, what: &str, change: Option<Change>) {
        self.row(what, change, number);
    }

    fn row(&mut self, what: &str, change: Option<Change>, figure: fn(u64) -> String) {
        // What is not there and does not come is no row.
        let Some(change) = change.filter(|change| change.from + change.to > 0) else {
            return;
        };
        let by = change.by();
        let sign = match by {
            0 => "",
            1.. => "+",
            _ => "-",
        };
        // Rates below one in a second are what slow leaks have.
        let rate = by.unsigned_abs() as f64 / self.seconds;
        let rate = if rate < 10.0 {
            format!("{rate:.1}")
        } else {
            figure(rate as u64)
        };
        let cells = [
            what.to_owned(),
            figure(change.from),
            figure(change.to),
            format!("{sign}{}", figure(by.unsigned_abs())),
            format!("{sign}{rate}"),
        ];
        self.sheet.row(&cells);
    }

    fn more(&mut self, what: &str, more: u64) {
        let rate = more as f64 / self.seconds;
        let none = String::new;
        let cells = [
            what.to_owned(),
            none(),
            none(),
            format!("+{}", number(more)),
            format!("+{rate:.1}"),
        ];
        self.sheet.row(&cells);
    }

    fn database(&mut self, name: &str, growth: &DatabaseGrowth) {
        self.count(&format!("{name}descriptors"), growth.handles);
        self.count(&format!("{name}-wal descriptors"), growth.wal_handles);
        self.log(name, growth);
    }

    fn log(&mut self, name: &str, growth: &DatabaseGrowth) {
        self.row(&format!("{name}-wal size"), growth.wal_bytes, bytes);
        self.count(&format!("{name}frames"), growth.frames);
        let done = format!("{name}frames in database");
        self.count(&done, growth.checkpointed_frames);
    }

    fn write(&self, layout: Layout, to: &mut impl Write) -> io::Result<()> {
        self.sheet
            .write(&format!("Growth within {:.1} s", self.seconds), layout, to)
    }
}
