//! `fdscan events PID`: what wakes its watchers, and who causes it.

mod beyond_masks;
mod causes;
mod conclude;
mod coverage;
mod files;
mod fillers;
mod hints;
mod listen;
mod remaining;
mod tally;

use crate::findings::Remedies;
use crate::gather::{self, Gaps, Options, ProcessHandle};
use crate::model::{
    Bits, Cause, CommandLine, Conclusion, EventsScan, Failure, FailureKind, FileEvents, Name,
    NameCount, PlaceCount, Relation, SCHEMA, Watch,
};
use crate::sys::Signals;
use listen::{Listener, Observed};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;
use tally::CauseProcess;

/// How long to look for paths before listening begins.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long to listen to what is found, if more can be found only by listing directories, which wakes the process. Most
/// loops take a second.
const FIRST: Duration = Duration::from_secs(2);
/// Rows kept of each list.
const MOST: usize = 100;
/// PIDs and names kept with a cause.
const FEW: usize = 10;

/// Listens beside a process for `time`, or until this program is interrupted. With `wake`, the search for what it
/// watches may wake the process.
///
/// # Errors
/// There is no such process, it cannot be inspected, or nothing can be listened to at all.
pub fn events(pid: u32, time: Duration, wake: bool) -> Result<EventsScan, Failure> {
    let remedies = Remedies::new(gather::local_system);
    let mut gaps = Gaps::default();
    let mut handle = ProcessHandle::open(pid)?;
    let options = Options {
        paths: true,
        path_timeout: TIMEOUT,
        listen: time.min(FIRST),
        wake,
        progress: false,
        all: false,
        window: None,
    };
    handle.look_with(&options, &mut gaps);
    handle.read_databases();
    handle.read_record();
    let failed = |e| Failure {
        pid: Some(pid),
        why: format!("nothing can be listened to: {}", gather::errno_text(&e)),
        kind: FailureKind::NotPermitted,
    };
    let signals = Signals::catch(&[]).map_err(failed)?;
    let listener = Listener::beside(&handle, &mut gaps).map_err(failed)?;
    let taken_at = jiff::Timestamp::now().to_string();
    let observed = listener.listen(&handle, time, &signals);
    let process = handle.process();
    if observed.time < time {
        let why = match handle.has_ended() {
            true => "the process ended",
            false => "it was interrupted",
        };
        gaps.note("the rest of the time", why);
    }
    let words = process.cmdline.clone().unwrap_or_default();
    let mut scan = EventsScan {
        schema: SCHEMA,
        fdscan_version: env!("CARGO_PKG_VERSION"),
        taken_at,
        pid,
        comm: process.comm.clone(),
        command: CommandLine::of(words, process.comm.clone()),
        seconds: observed.time.as_millis().max(1) as f64 / 1000.0,
        watched: listener.watched,
        listened: listener.listened,
        total: observed.tally.total,
        overflows: observed.tally.overflows,
        goes_on: observed.goes_on(),
        events: observed.tally.all.list(),
        directories: directories(&handle, &listener, &observed),
        files: files(&handle, &listener, &observed),
        causes: observed.causes.then(|| causes(&observed)),
        hints: Vec::new(),
        conclusion: Conclusion::default(),
        incomplete: gaps.into_list(),
    };
    if scan.causes.is_none() {
        scan.hints = hints::of(&scan.files);
    }
    scan.conclusion = conclude::conclude(process, &scan, &observed.tally.all, &remedies);
    Ok(scan)
}

fn watch<'a>(handle: &'a ProcessHandle, listener: &Listener, wd: i32) -> Option<&'a Watch> {
    let &(instance, at) = listener.places.get(&wd)?;
    handle.process().inotify.get(instance)?.watches.get(at)
}

fn directories(
    handle: &ProcessHandle,
    listener: &Listener,
    observed: &Observed,
) -> Vec<PlaceCount> {
    let counts = observed.tally.watches.iter();
    let mut list: Vec<_> = counts
        .filter_map(|(&wd, &count)| {
            let watch = watch(handle, listener, wd)?;
            Some(PlaceCount {
                path: watch.path.clone(),
                inode: watch.inode,
                count,
            })
        })
        .collect();
    list.sort_by_key(|place| (Reverse(place.count), place.inode));
    list.truncate(MOST);
    list
}

fn files(handle: &ProcessHandle, listener: &Listener, observed: &Observed) -> Vec<FileEvents> {
    let mut by_path: HashMap<Name, Bits> = HashMap::new();
    for ((wd, name), bits) in &observed.tally.files {
        let place = watch(handle, listener, *wd).and_then(|watch| watch.path.as_ref());
        let path = match place {
            // An event on the watched inode itself has no name.
            Some(place) if name.is_empty() => place.clone(),
            Some(place) => [place.as_bytes(), b"/", name].concat().into(),
            None => Name::from(&name[..]),
        };
        // A file may be watched both itself and through its directory.
        by_path.entry(path).or_default().join(bits);
    }
    let files = by_path
        .into_iter()
        .filter(|(path, _)| !path.as_bytes().is_empty());
    let mut list: Vec<_> = files
        .map(|(path, bits)| FileEvents {
            path,
            count: bits.sum(),
            events: bits.list(),
        })
        .collect();
    list.sort_by(|a, b| b.count.cmp(&a.count).then(a.path.cmp(&b.path)));
    list.truncate(MOST);
    list
}

/// Processes with the same command line.
#[derive(Default)]
struct Group<'a> {
    pids: Vec<u32>,
    bits: Bits,
    names: HashMap<&'a [u8], Bits>,
}

/// Processes with the same command line are one cause, so a watcher that starts a tool repeatedly is not hidden behind
/// many PIDs.
fn causes(observed: &Observed) -> Vec<Cause> {
    let mut groups: HashMap<&CauseProcess, Group<'_>> = HashMap::new();
    for (pid, by_process) in &observed.tally.causes {
        let Some(who) = observed.who.get(pid) else {
            continue;
        };
        let group = groups.entry(who).or_default();
        group.pids.push(*pid);
        group.bits.join(&by_process.all);
        for (name, bits) in &by_process.names {
            group.names.entry(name).or_default().join(bits);
        }
    }
    let mut list: Vec<_> = groups
        .into_iter()
        .map(|(who, group)| {
            let Group {
                mut pids,
                bits,
                names,
            } = group;
            pids.sort_unstable();
            let processes = pids.len();
            pids.truncate(FEW);
            let mut names: Vec<_> = names
                .into_iter()
                .map(|(name, bits)| NameCount {
                    name: name.into(),
                    count: bits.sum(),
                    changes: bits.most_of(remaining::CHANGES),
                })
                .collect();
            names.sort_by(|a, b| b.count.cmp(&a.count).then(a.name.cmp(&b.name)));
            names.truncate(FEW);
            Cause {
                pids,
                processes,
                relation: who.relation,
                comm: who.comm.clone(),
                command: CommandLine::of(who.command.clone(), who.comm.clone())
                    .filter(|_| who.relation != Relation::Unknown),
                count: bits.sum(),
                events: bits.list(),
                names,
            }
        })
        .collect();
    list.sort_by(|a, b| b.count.cmp(&a.count).then(a.pids.cmp(&b.pids)));
    list.truncate(MOST);
    list
}
