//! `fdscan events PID`: what wakes its watchers, and who does it.

mod beyond_masks;
mod causes;
mod conclude;
mod files;
mod fillers;
mod hints;
mod left;
mod listen;
mod missed;
mod tally;

use crate::findings::Remedies;
use crate::gather::{self, Gaps, Live, Options};
use crate::model::{
    Bits, Cause, CommandLine, Conclusion, EventsScan, Failure, FailureKind, FileEvents, Name,
    NameCount, PlaceCount, Relation, SCHEMA, Watch,
};
use crate::sys::Signals;
use listen::{Heard, Listener};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;
use tally::Who;

/// How long paths are looked for before listening begins.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it is listened to what is found, where more is found only by listing what wakes the process: most loops
/// take a second.
const FIRST: Duration = Duration::from_secs(2);
/// Rows kept of each list.
const MOST: usize = 100;
/// PIDs and names kept with a cause.
const FEW: usize = 10;

/// Listens beside a process for `time`, or until this program is interrupted. With `wake` the process may be woken so
/// that what it watches is found.
///
/// # Errors
/// There is no such process, it may not be looked into, or nothing can be listened to at all.
pub fn events(pid: u32, time: Duration, wake: bool) -> Result<EventsScan, Failure> {
    let remedies = Remedies::new(gather::here);
    let mut gaps = Gaps::default();
    let mut live = Live::open(pid)?;
    let options = Options {
        paths: true,
        path_timeout: PATIENCE,
        listen: time.min(FIRST),
        wake,
        progress: false,
        all: false,
        window: None,
    };
    live.look_with(&options, &mut gaps);
    live.read_databases();
    live.read_record();
    let failed = |e| Failure {
        pid: Some(pid),
        why: format!("nothing can be listened to: {}", gather::errno_text(&e)),
        kind: FailureKind::NotPermitted,
    };
    let signals = Signals::catch(&[]).map_err(failed)?;
    let listener = Listener::beside(&live, &mut gaps).map_err(failed)?;
    let taken_at = jiff::Timestamp::now().to_string();
    let heard = listener.listen(&live, time, &signals);
    let process = live.process();
    if heard.time < time {
        let why = match live.has_ended() {
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
        seconds: heard.time.as_millis().max(1) as f64 / 1000.0,
        watched: listener.watched,
        listened: listener.listened,
        total: heard.tally.total,
        overflows: heard.tally.overflows,
        goes_on: heard.goes_on(),
        events: heard.tally.all.list(),
        directories: directories(&live, &listener, &heard),
        files: files(&live, &listener, &heard),
        causes: heard.causes.then(|| causes(&heard)),
        hints: Vec::new(),
        conclusion: Conclusion::default(),
        incomplete: gaps.into_list(),
    };
    if scan.causes.is_none() {
        scan.hints = hints::of(&scan.files);
    }
    scan.conclusion = conclude::conclude(process, &scan, &heard.tally.all, &remedies);
    Ok(scan)
}

fn watch<'a>(live: &'a Live, listener: &Listener, wd: i32) -> Option<&'a Watch> {
    let &(instance, at) = listener.places.get(&wd)?;
    live.process().inotify.get(instance)?.watches.get(at)
}

fn directories(live: &Live, listener: &Listener, heard: &Heard) -> Vec<PlaceCount> {
    let counts = heard.tally.watches.iter();
    let mut list: Vec<_> = counts
        .filter_map(|(&wd, &count)| {
            let watch = watch(live, listener, wd)?;
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

fn files(live: &Live, listener: &Listener, heard: &Heard) -> Vec<FileEvents> {
    let mut by_path: HashMap<Name, Bits> = HashMap::new();
    for ((wd, name), bits) in &heard.tally.files {
        let place = watch(live, listener, *wd).and_then(|watch| watch.path.as_ref());
        let path = match place {
            // What is told of the watched inode itself has no name.
            Some(place) if name.is_empty() => place.clone(),
            Some(place) => [place.as_bytes(), b"/", name].concat().into(),
            None => Name::from(&name[..]),
        };
        // A file may be watched itself, and its directory as well.
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

/// Processes with one command line.
#[derive(Default)]
struct Group<'a> {
    pids: Vec<u32>,
    bits: Bits,
    names: HashMap<&'a [u8], Bits>,
}

/// Processes with one command line are one cause: a watcher that starts a tool again and again is not
/// hidden behind its PIDs.
fn causes(heard: &Heard) -> Vec<Cause> {
    let mut groups: HashMap<&Who, Group<'_>> = HashMap::new();
    for (pid, by_process) in &heard.tally.causes {
        let Some(who) = heard.who.get(pid) else {
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
                    changes: bits.most_of(left::CHANGES),
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
