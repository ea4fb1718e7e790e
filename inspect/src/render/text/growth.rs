//! What grew between two samples.

use super::Layout;
use super::sheet::Sheet;
use crate::model::{Change, DatabaseGrowth, LimitAhead, Name, Process};
use crate::words::{bytes, duration, number};
use std::io::{self, Write};

const HEADER: [&str; 6] = [
    "what",
    "before",
    "after",
    "change",
    "per second",
    "at its limit in",
];

pub fn write(process: &Process, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let Some(growth) = &process.growth else {
        return Ok(());
    };
    let limits = &growth.limits;
    let all = [limits.descriptors, limits.instances, limits.watches];
    let mut rows = Rows::new(layout, growth.seconds, all.iter().any(Option::is_some));
    rows.limited("descriptors", growth.descriptors, limits.descriptors);
    rows.limited("inotify instances", growth.instances, limits.instances);
    rows.limited("inotify watches", growth.watches, limits.watches);
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
    let mut rows = Rows::new(layout, growth.seconds, false);
    rows.log("", growth);
    // Above is how it was when that time began.
    rows.sheet.write(
        &format!("Growth in the next {:.1} s", growth.seconds),
        layout,
        to,
    )
}

struct Rows {
    sheet: Sheet,
    seconds: f64,
    columns: usize,
}

impl Rows {
    /// With a column for the time until a limit, if any is near.
    fn new(layout: Layout, seconds: f64, limits: bool) -> Rows {
        let columns = if limits {
            HEADER.len()
        } else {
            HEADER.len() - 1
        };
        let header = HEADER.get(..columns).unwrap_or(&HEADER);
        Rows {
            sheet: Sheet::new(layout, header, &[1, 2, 3, 4]),
            seconds,
            columns,
        }
    }

    fn limited(&mut self, what: &str, change: Option<Change>, ahead: Option<LimitAhead>) {
        let ahead = ahead.map_or_else(String::new, |ahead| {
            format!("{} ({})", duration(ahead.seconds_left), number(ahead.limit))
        });
        self.row(what, change, number, ahead);
    }

    fn count(&mut self, what: &str, change: Option<Change>) {
        self.row(what, change, number, String::new());
    }

    fn row(
        &mut self,
        what: &str,
        change: Option<Change>,
        figure: fn(u64) -> String,
        ahead: String,
    ) {
        // What does not exist before or after has no row.
        let Some(change) = change.filter(|change| change.from + change.to > 0) else {
            return;
        };
        let by = change.by();
        let sign = match by {
            0 => "",
            1.. => "+",
            _ => "-",
        };
        // Slow leaks have rates below one per second.
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
            ahead,
        ];
        self.sheet.row(cells.get(..self.columns).unwrap_or(&cells));
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
            none(),
        ];
        self.sheet.row(cells.get(..self.columns).unwrap_or(&cells));
    }

    fn database(&mut self, name: &str, growth: &DatabaseGrowth) {
        self.count(&format!("{name}descriptors"), growth.handles);
        self.count(&format!("{name}-wal descriptors"), growth.wal_handles);
        self.log(name, growth);
    }

    fn log(&mut self, name: &str, growth: &DatabaseGrowth) {
        self.row(
            &format!("{name}-wal size"),
            growth.wal_bytes,
            bytes,
            String::new(),
        );
        self.count(&format!("{name}frames"), growth.frames);
        let done = format!("{name}frames in database");
        self.count(&done, growth.checkpointed_frames);
    }

    fn write(&self, layout: Layout, to: &mut impl Write) -> io::Result<()> {
        self.sheet
            .write(&format!("Growth within {:.1} s", self.seconds), layout, to)
    }
}
