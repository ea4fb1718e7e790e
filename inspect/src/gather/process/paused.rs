//! The record that `watchfix pause` keeps about a process.

use crate::gather::process::records;
use crate::gather::process::status::has_ended_since;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::View;
use crate::model::{PauseRecord, Paused, PausedWatch, Process, Started};
use crate::sys;
use rules::event::ALL_EVENTS;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::Path;

/// The pause that a process is under, if a readable record says so and its watches are still muted, or are held by a
/// guardian that still exists. If there are several records, the pause that began last counts.
pub fn paused(process: &Process) -> Option<Paused> {
    if process.inotify.is_empty() {
        return None;
    }
    let own = ProcDir::open(std::process::id()).ok()?;
    let mounts = Mounts::of(&own, &mut Gaps::default());
    let view = View::of(&own, &mounts);
    let mut all = Vec::new();
    for (uid, place) in records::places(process) {
        let dir = place.join("pause");
        for name in names(&view, &dir) {
            let read = records::read(&view, uid, &dir.join(name));
            let record = read.and_then(|(text, _)| PauseRecord::parse(&text));
            all.extend(record.and_then(|record| of(process, uid, record)));
        }
    }
    all.into_iter().max_by_key(|paused: &Paused| paused.seconds)
}

/// The names of the records in a directory.
fn names(view: &View<'_>, dir: &Path) -> Vec<String> {
    let Ok(dir) = view.list(dir.as_os_str().as_encoded_bytes()) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    // If the listing fails midway, the remaining names are missing.
    let _ = sys::each_entry(dir.as_fd(), &mut Vec::new(), |entry| {
        let name = String::from_utf8_lossy(entry.name);
        // Files that belong to a record have a dot in their names.
        if !name.contains('.') {
            names.push(name.into_owned());
        }
        ControlFlow::Continue(())
    });
    names
}

fn of(process: &Process, uid: u32, record: PauseRecord) -> Option<Paused> {
    let own = Started {
        pid: process.pid,
        ticks: process.start_ticks?,
    };
    let is_mute = |fd: i32, wd: i32| {
        let mut instances = process.inotify.iter();
        let instance = instances.find(|instance| instance.fd == fd);
        let mut watches = instance.into_iter().flat_map(|instance| &instance.watches);
        watches.any(|watch| watch.wd == wd && watch.mask.0 & ALL_EVENTS == 0)
    };
    let watches = record.watches.iter().filter(|watch| watch.process == own);
    let Started { pid, ticks } = record.guardian;
    let abandoned = has_ended_since(pid, ticks);
    // When the guardian ends, what it holds ends too.
    let is_paused = |watch: &&PausedWatch| match watch.held {
        true => !abandoned && !record.over,
        false => is_mute(watch.fd, watch.wd),
    };
    let watches = watches.filter(is_paused).count();
    let time = |seconds| Some(jiff::Timestamp::from_second(seconds).ok()?.to_string());
    Some(Paused {
        since: time(record.since)?,
        until: time(record.until)?,
        uid,
        watches,
        abandoned,
        dirs: record.dirs,
        command: record.command.into(),
        guardian: pid,
        seconds: record.since,
        until_seconds: record.until,
    })
    .filter(|paused| paused.watches > 0)
}
