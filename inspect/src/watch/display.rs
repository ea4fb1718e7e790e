//! A reading as a screen.

use super::lines::byte_rate;
use super::source::Trends;
use super::trend::Trend;
use crate::model::{LogReading, Reading};
use crate::words::{bytes, duration, number, sanitize};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};
use std::time::Duration;

/// Columns of figures before the sparkline: name, now, limit, rate, time left.
const FIGURES: [u16; 5] = [11, 10, 10, 12, 12];
/// A forecast of fewer seconds than this is shown as an alarm.
const SOON: u64 = 600;

/// What the screen shows besides the reading.
pub struct Status {
    /// Time between readings.
    pub interval: Duration,
    /// The condition it waits for.
    pub until: Option<String>,
    /// Whether colour is wanted.
    pub colour: bool,
    /// Whether the terminal shows ASCII only.
    pub ascii: bool,
}

/// Draws a reading.
pub fn draw(frame: &mut Frame<'_>, reading: &Reading, trends: &Trends, status: &Status) {
    let logs = reading.sqlite.as_deref().unwrap_or_default();
    let [title, counters, heading, databases, bottom] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(5),
        Constraint::Length(u16::from(!logs.is_empty())),
        Constraint::Fill(1),
        Constraint::Length(1 + u16::from(status.until.is_some())),
    ])
    .areas(frame.area());
    let paint = Paint {
        colour: status.colour,
        ascii: status.ascii,
    };
    frame.render_widget(title_line(reading, paint), title);
    let spark =
        usize::from(counters.width).saturating_sub(usize::from(FIGURES.iter().sum::<u16>()) + 5);
    frame.render_widget(counter_table(reading, trends, spark, paint), counters);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled("SQLite logs", bold), heading);
    let rows = usize::from(databases.height) / 2;
    let list: Vec<Line<'_>> = logs
        .iter()
        .take(rows)
        .flat_map(|log| log_lines(log, trends, usize::from(databases.width), paint))
        .collect();
    frame.render_widget(Paragraph::new(list), databases);
    frame.render_widget(Paragraph::new(status_lines(status)), bottom);
}

/// Whether to use colours, and which characters the terminal can print.
#[derive(Clone, Copy)]
struct Paint {
    colour: bool,
    ascii: bool,
}

impl Paint {
    fn alarm(self, seconds_left: Option<u64>) -> Style {
        let soon = seconds_left.is_some_and(|left| left < SOON);
        match (soon, self.colour) {
            (true, true) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            (true, false) => Style::new().add_modifier(Modifier::BOLD),
            _ => Style::new(),
        }
    }

    fn spark(self) -> Style {
        match self.colour {
            true => Style::new().fg(Color::Cyan),
            false => Style::new(),
        }
    }
}

fn title_line(reading: &Reading, paint: Paint) -> Paragraph<'static> {
    let name = reading
        .comm
        .as_ref()
        .map_or_else(|| "?".into(), ToString::to_string);
    let name = format!("{} (PID {})", sanitize(&name), reading.pid);
    let left = match reading.seconds_left {
        Some(left) => format!("  full or at a limit in {}", duration(left)),
        None => String::new(),
    };
    Paragraph::new(Line::from(vec![
        Span::styled(name, Style::new().add_modifier(Modifier::BOLD)),
        Span::styled(left, paint.alarm(reading.seconds_left)),
    ]))
}

fn counter_table<'a>(reading: &Reading, trends: &Trends, spark: usize, paint: Paint) -> Table<'a> {
    let row = |name: &str, value, limit, rate: Option<f64>, left: Option<u64>, trend: &Trend| {
        Row::new(vec![
            Cell::new(name.to_owned()),
            right(known(value)),
            right(known(limit)),
            right(rate.map_or_else(String::new, |rate| format!("{rate:+.1}"))),
            right(left.map_or_else(String::new, duration)).style(paint.alarm(left)),
            Cell::new(trend.sparkline(spark, paint.ascii)).style(paint.spark()),
        ])
    };
    let fds = &reading.fds;
    let user = |name, user: &crate::model::UserReading, trend| {
        // The user's other processes count towards the same limit. They are included as far as they are known.
        let others = user
            .user_count
            .zip(user.count)
            .map_or(0, |(all, own)| all - own);
        let left = user.user_limit.map(|limit| limit.saturating_sub(others));
        row(
            name,
            user.count,
            left,
            user.per_second,
            user.seconds_left,
            trend,
        )
    };
    let rows = [
        row(
            "descriptors",
            fds.open,
            fds.soft_limit,
            fds.per_second,
            fds.seconds_left,
            &trends.fds,
        ),
        user("watches", &reading.watches, &trends.watches),
        user("instances", &reading.instances, &trends.instances),
    ];
    let widths = FIGURES.map(Constraint::Length).into_iter();
    let header = ["", "now", "at most", "per second", "time left", ""]
        .map(|text| Cell::new(Line::from(text).right_aligned()));
    Table::new(rows, widths.chain([Constraint::Fill(1)]))
        .header(Row::new(header).style(Style::new().add_modifier(Modifier::DIM)))
}

/// Two lines for a database: its figures, and its path with a sparkline.
fn log_lines<'a>(log: &LogReading, trends: &Trends, width: usize, paint: Paint) -> [Line<'a>; 2] {
    let size = |value: Option<u64>| value.map_or_else(|| "?".into(), bytes);
    let rate = log.per_second.map_or_else(String::new, byte_rate);
    // A narrow screen cuts off the end, so the least important figures come last.
    let full = log.seconds_left.map(duration);
    let full = full.map_or_else(String::new, |left| format!("disk full in {left}  "));
    let figures = format!(
        " -wal {}  {rate}  {full}pending {}  disk {} free  connections {}",
        size(log.wal_bytes),
        size(log.pending_bytes),
        size(log.disk_free_bytes),
        number(log.wal_handles),
    );
    let path = sanitize(&log.database.to_string()).into_owned();
    let room = width.saturating_sub(3);
    let spark = trends.logs.get(&log.database);
    let spark = spark
        .map(|trend| trend.sparkline((room / 3).min(60), paint.ascii))
        .unwrap_or_default();
    let path = tail(
        &path,
        room.saturating_sub(spark.chars().count()),
        paint.ascii,
    );
    [
        Line::from(vec![
            Span::raw(format!(" {path}  ")),
            Span::styled(spark, paint.spark()),
        ]),
        Line::styled(figures, paint.alarm(log.seconds_left)),
    ]
}

/// The end of a path says more than its beginning.
fn tail(path: &str, room: usize, ascii: bool) -> String {
    let skipped = path.chars().count().saturating_sub(room);
    match skipped {
        0 => path.to_owned(),
        _ => std::iter::once(if ascii { '~' } else { '…' })
            .chain(path.chars().skip(skipped + 1))
            .collect(),
    }
}

fn status_lines<'a>(status: &Status) -> Vec<Line<'a>> {
    let dim = Style::new().add_modifier(Modifier::DIM);
    let until = status.until.iter();
    let until = until.map(|text| Line::from(sanitize(text).into_owned()));
    let every = format!("every {} s, q ends", status.interval.as_secs_f64());
    until.chain([Line::styled(every, dim)]).collect()
}

fn known(value: Option<u64>) -> String {
    value.map_or_else(|| "?".into(), number)
}

fn right<'a>(text: String) -> Cell<'a> {
    Cell::new(Line::from(text).right_aligned())
}
