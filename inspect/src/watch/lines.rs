//! A reading as one line, for a pipe or a log.

use crate::model::{LogReading, Reading};
use crate::words::{bytes, duration, number, sanitize};

/// `12:03:11Z  fds 454/1,024 +2.1/s, limit in 4 min  watches 5,299  ...`
pub fn line(reading: &Reading) -> String {
    // `2026-11-22T12:03:11.123Z`: only the time of day, in UTC, is shown.
    let time = reading.taken_at.split('T').nth(1).unwrap_or_default();
    let mut parts = vec![format!("{}Z", time.split('.').next().unwrap_or_default())];
    let fds = &reading.fds;
    parts.push(counter(
        "fds",
        &of(fds.open, fds.soft_limit),
        fds.per_second,
        fds.seconds_left,
    ));
    for (name, user) in [
        ("watches", &reading.watches),
        ("instances", &reading.instances),
    ] {
        let value = of(user.count, None);
        parts.push(counter(name, &value, user.per_second, user.seconds_left));
    }
    parts.extend(reading.sqlite.iter().flatten().map(log));
    parts.join("  ")
}

/// `454/1,024`
pub fn of(value: Option<u64>, limit: Option<u64>) -> String {
    let known = |value: Option<u64>| value.map_or_else(|| "?".into(), number);
    match limit {
        Some(limit) => format!("{}/{}", known(value), number(limit)),
        None => known(value),
    }
}

fn counter(name: &str, value: &str, rate: Option<f64>, left: Option<u64>) -> String {
    let mut text = format!("{name} {value}");
    if let Some(rate) = rate.filter(|rate| rate.abs() >= 0.05) {
        text += &format!(" {rate:+.1}/s");
    }
    if let Some(left) = left {
        text += &format!(", limit in {}", duration(left));
    }
    text
}

fn log(log: &LogReading) -> String {
    let base = crate::model::Name::from(log.database.base()).to_string();
    let size = log.wal_bytes.map_or_else(|| "?".into(), bytes);
    let mut text = format!("{}-wal {size}", sanitize(&base));
    if let Some(rate) = log.per_second.filter(|rate| rate.abs() >= 1.0) {
        text += &format!(" {}", byte_rate(rate));
    }
    if let Some(left) = log.seconds_left {
        text += &format!(", disk full in {}", duration(left));
    }
    text + &format!(", connections {}", number(log.wal_handles))
}

/// `+35.0 MiB/s`
pub fn byte_rate(rate: f64) -> String {
    let sign = if rate < 0.0 { '-' } else { '+' };
    format!("{sign}{}/s", bytes(rate.abs() as u64))
}
