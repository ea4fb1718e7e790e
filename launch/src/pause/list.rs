//! `watchfix pause --list`: who pauses what, since when, which watches.

use super::store::{Store, dirs, is_guarded};
use crate::cli::PauseArgs;
use crate::complaint::{USAGE, complain};
use inspect::gather::comm_of;
use inspect::model::{Name, PauseRecord, Started};
use inspect::output;
use inspect::render::inert;
use inspect::words::{duration, plural, sanitize};
use serde::Serialize;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// The form of the JSON document.
const SCHEMA: &str = "watchfix-pause/1";

/// Prints the pauses of this user.
pub fn main(args: &PauseArgs) -> ExitCode {
    let all = Store::look();
    let text = match args.json {
        // Of numbers, texts and lists of them: none that JSON has no form for.
        true => serde_json::to_string(&document(&all)).unwrap_or_default() + "\n",
        false => inert(&table(&all)).into_owned(),
    };
    match output::print(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            USAGE.into()
        }
    }
}

fn state(record: &PauseRecord) -> &'static str {
    match record {
        record if !is_guarded(record) => "abandoned",
        record if record.over => "waiting for another pause",
        _ => "in force",
    }
}

fn table(all: &[PauseRecord]) -> String {
    if all.is_empty() {
        return "no pause of this user is in force\n".to_owned();
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let mut text = String::new();
    for record in all {
        let since = now.saturating_sub(record.since.unsigned_abs());
        let rest = record.until.unsigned_abs().saturating_sub(now);
        text += &format!(
            "{}: {}, for {}, ",
            dirs(record),
            state(record),
            duration(since)
        );
        text += &format!("at most {} more\n", duration(rest));
        let command = Name::from(&record.command[..]).to_string();
        text += &format!("  command: {}\n", sanitize(&command));
        text += &format!("  guardian: process {}\n", record.guardian.pid);
        let mut by_process: BTreeMap<Started, usize> = BTreeMap::new();
        for watch in &record.watches {
            *by_process.entry(watch.process).or_default() += 1;
        }
        for (process, count) in by_process {
            let comm = comm_of(process.pid).map_or_else(|| "ended".into(), |comm| comm.to_string());
            let watches = plural(count, "watch", "watches");
            text += &format!("  {watches} of {} (PID {})\n", sanitize(&comm), process.pid);
        }
    }
    text
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    pauses: Vec<OnePause<'a>>,
}

#[derive(Serialize)]
struct OnePause<'a> {
    dirs: &'a [Name],
    state: &'static str,
    /// Seconds since 1970.
    since: i64,
    until: i64,
    command: Name,
    guardian: u32,
    replay: &'a str,
    watches: Vec<OneWatch<'a>>,
}

#[derive(Serialize)]
struct OneWatch<'a> {
    pid: u32,
    fd: i32,
    wd: i32,
    mask: String,
    path: &'a Name,
}

fn document(all: &[PauseRecord]) -> Document<'_> {
    Document {
        schema: SCHEMA,
        pauses: all.iter().map(one_pause).collect(),
    }
}

fn one_pause(record: &PauseRecord) -> OnePause<'_> {
    let watches = record.watches.iter().map(|watch| OneWatch {
        pid: watch.process.pid,
        fd: watch.fd,
        wd: watch.wd,
        mask: format!("{:#x}", watch.mask),
        path: &watch.path,
    });
    OnePause {
        dirs: &record.dirs,
        state: state(record),
        since: record.since,
        until: record.until,
        command: record.command[..].into(),
        guardian: record.guardian.pid,
        replay: &record.replay,
        watches: watches.collect(),
    }
}
