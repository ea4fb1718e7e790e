//! All processes: first the users and the kernel's limits, then the processes.

use super::sheet::{Sheet, known, known_number};
use super::wrap::wrap;
use super::{Layout, gaps};
use crate::model::{Row, Severity, Top, Unit, UnitRow, User};
use crate::words::{bytes, number, plural, sanitize};
use std::cmp::Reverse;
use std::io::{self, Write};

/// How many users are shown: those that use the most.
const USERS: usize = 8;
/// How many units are shown if they were asked for: those that use the most.
const UNITS: usize = 12;
/// The maximum width of a unit's name in columns, if there is more room.
const UNIT: usize = 32;
const LEAST_UNIT: usize = 16;
/// The minimum width at which a command line says anything.
const COMMAND: usize = 16;

/// Writes the users and processes of `top`.
///
/// # Errors
/// What writing to `to` failed with.
pub fn top_text(top: &Top, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    users(&top.users, layout, to)?;
    if top.by_unit {
        units(&top.units, layout, to)?;
    }
    processes(top, layout, to)?;
    if top.processes_left_out > 0 {
        let more = number(top.processes_left_out as u64);
        writeln!(to, "  and {more} more (--limit 0 lists them)")?;
    }
    gaps::write(&top.incomplete, layout, to)?;
    writeln!(to)?;
    wrap(&last(top), layout.width, "", to)
}

/// `2 of 214 processes have a critical finding, 3 a warning. fdscan PID shows more and says what helps.`
fn last(top: &Top) -> String {
    let with = |severity| {
        let rows = top.processes.iter();
        rows.filter(|row| row.worst() == Some(severity)).count()
    };
    let parts = [
        (with(Severity::Critical), "with a critical finding"),
        (with(Severity::Warning), "with a warning"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|&(count, _)| count > 0)
        .map(|(count, what)| format!("{} {what}", number(count as u64)))
        .collect();
    let shown = plural(top.processes.len(), "process", "processes");
    let of = match top.processes_left_out {
        0 => String::new(),
        more => format!(" of {}", number((top.processes.len() + more) as u64)),
    };
    let mut found = match parts.is_empty() {
        true => "none with a warning".into(),
        false => parts.join(", "),
    };
    let unknown = top.processes.iter().filter(|row| row.findings.is_none());
    match unknown.count() {
        0 => {}
        unknown => found += &format!(", {} not looked into", number(unknown as u64)),
    }
    format!("{shown}{of}: {found}. fdscan PID shows more and says what helps.")
}

fn users(users: &[User], layout: Layout, to: &mut impl Write) -> io::Result<()> {
    // Users without an instance are left out, but not users about whom nothing is known.
    let mut list: Vec<&User> = users.iter().filter(|u| u.instances != Some(0)).collect();
    list.sort_by_key(|user| Reverse((user.watches, user.instances)));
    let header = [
        "user",
        "processes",
        "watches",
        "of",
        "instances",
        "of",
        "limits",
    ];
    let mut sheet = Sheet::new(layout, &header, &[1, 2, 3, 4, 5]);
    for user in list.iter().take(USERS) {
        let used = |n: Option<u64>| match n {
            Some(n) if user.at_least => format!("{}+", number(n)),
            n => known_number(n),
        };
        sheet.row(&[
            user_name(user),
            number(user.processes),
            used(user.watches),
            limit(user.max_watches),
            used(user.instances),
            limit(user.max_instances),
            user.findings
                .iter()
                .map(|f| f.severity)
                .max()
                .map_or("-", Severity::name)
                .into(),
        ]);
    }
    if !list.is_empty() {
        sheet.write("Users", layout, to)?;
    }
    let more = list.len().saturating_sub(USERS);
    if more > 0 {
        writeln!(
            to,
            "  and {more} more with fewer watches (--json lists them)"
        )?;
    }
    Ok(())
}

/// What each container, pod or unit has in total.
fn units(list: &[UnitRow], layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let header = ["unit", "processes", "watches", "inst", "fds"];
    let mut sheet = Sheet::new(layout, &header, &[1, 2, 3, 4]);
    for UnitRow { unit, used } in list.iter().take(UNITS) {
        let sum = |n: u64| match used.unreadable {
            _ if used.is_unknown() => "?".into(),
            0 => number(n),
            _ => format!("{}+", number(n)),
        };
        sheet.row(&[
            cut(&unit_name(unit.as_ref()), UNIT),
            number(used.processes),
            sum(used.watches),
            sum(used.instances),
            known_number(used.fds),
        ]);
    }
    sheet.write("Units", layout, to)?;
    match list.len().saturating_sub(UNITS) {
        0 => Ok(()),
        more => writeln!(
            to,
            "  and {more} more with fewer watches (--json lists them)"
        ),
    }
}

/// The processes, with their units and command lines as far as there is room for these.
fn processes(top: &Top, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let mut header = vec![
        "pid", "user", "name", "watches", "inst", "fds", "of", "wal", "findings",
    ];
    let mut rows: Vec<Vec<String>> = top.processes.iter().map(cells).collect();
    let units = || top.processes.iter().map(|row| unit_name(row.unit.as_ref()));
    if top.by_unit {
        // If asked for, it takes the place of the user.
        header.remove(1);
        rows.iter_mut().for_each(|row| drop(row.remove(1)));
        let most = room(&header, &rows, layout)
            .saturating_sub(2)
            .clamp(LEAST_UNIT, UNIT);
        header.insert(1, "unit");
        for (row, unit) in rows.iter_mut().zip(units()) {
            row.insert(1, cut(&unit, most));
        }
    } else {
        let longest = units()
            .map(|unit| width(&unit))
            .max()
            .unwrap_or(0)
            .min(UNIT);
        let has_some = top.processes.iter().any(|row| row.unit.is_some());
        if has_some && room(&header, &rows, layout) > longest.max("unit".len()) {
            header.push("unit");
            rows.iter_mut()
                .zip(units())
                .for_each(|(row, unit)| row.push(cut(&unit, UNIT)));
        }
    }
    let left = room(&header, &rows, layout).saturating_sub(1);
    if left >= COMMAND {
        header.push("command");
        for (row, process) in rows.iter_mut().zip(&top.processes) {
            row.push(cut(&known(process.command.as_ref()), left));
        }
    }
    let mut sheet = Sheet::new(layout, &header, &[0, 3, 4, 5, 6, 7]);
    rows.iter().for_each(|row| sheet.row(row));
    sheet.write("Processes", layout, to)
}

fn cells(row: &Row) -> Vec<String> {
    vec![
        row.pid.to_string(),
        name(row.user.as_ref(), row.uid),
        known(row.comm.as_ref()),
        known_number(row.watches),
        known_number(row.instances),
        known_number(row.fds.open),
        known_number(row.fds.soft_limit),
        match row.wal_bytes {
            Some(0) => "-".into(),
            size => size.map_or_else(|| "?".into(), bytes),
        },
        findings(row),
    ]
}

fn unit_name(unit: Option<&Unit>) -> String {
    unit.map_or_else(|| "-".into(), Unit::to_string)
}

/// The columns that a table of these rows leaves free. There are two blanks between cells and one before each line.
fn room(header: &[&str], rows: &[Vec<String>], layout: Layout) -> usize {
    let columns = header.iter().enumerate().map(|(at, title)| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells
            .map(|cell| width(cell))
            .max()
            .unwrap_or(0)
            .max(title.len())
            + 2
    });
    usize::from(layout.width).saturating_sub(columns.sum::<usize>() + 1)
}

/// The maximum width on the screen: a character that is not ASCII may take two columns.
fn width(text: &str) -> usize {
    let text = sanitize(text);
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// As much of the text as fits, as it is shown.
fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.into();
    }
    let mut kept = String::new();
    for c in sanitize(text).chars() {
        // The ellipsis may take two columns as well.
        if width(&kept) + width(c.encode_utf8(&mut [0; 4])) + 2 > most {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

/// A limit. A new user namespace has none of its own (kernel/user_namespace.c: INT_MAX).
fn limit(limit: Option<u64>) -> String {
    match limit {
        Some(most) if most >= i32::MAX as u64 => "none".into(),
        limit => known_number(limit),
    }
}

/// `root`, or `root in user:[4026532178]`, which is how lsns(8) names a namespace.
fn user_name(user: &User) -> String {
    let name = name(user.name.as_ref(), Some(user.account.uid));
    match user.account.user_namespace {
        Some(inode) => format!("{name} in user:[{inode}]"),
        None => name,
    }
}

fn name(name: Option<&crate::model::Name>, uid: Option<u32>) -> String {
    match name {
        Some(name) => name.to_string(),
        None => known(uid),
    }
}

/// `critical`, or the worst of several and their number: `critical (3)`.
fn findings(row: &Row) -> String {
    let count = row.findings.as_ref().map(Vec::len);
    match (row.worst(), count) {
        (_, None) => "?".into(),
        (Some(worst), Some(count)) if count > 1 => format!("{} ({count})", worst.name()),
        (worst, _) => worst.map_or("-", Severity::name).into(),
    }
}
