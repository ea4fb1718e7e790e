//! Watches on file systems that have a server (NFS, FUSE, 9p, virtiofs). First the server is asked whether it lives.
//! Then a child process searches for the paths, and the child is given up if the server dies meanwhile.

use crate::gather::inotify::paths::deadline::Deadline;
use crate::gather::inotify::paths::handles::Finder;
use crate::gather::inotify::paths::look::Look;
use crate::gather::inotify::paths::reasons::{HandleFailure, Pending, Search};
use crate::gather::inotify::paths::search::search;
use crate::gather::inotify::watches::ReadInstance;
use crate::gather::subject::mountinfo::Mount;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::options::Options;
use crate::gather::subject::view::View;
use crate::model::{Device, Instance, Process, ResolvedBy};
use crate::sys;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// How long the child may take beyond the time for paths: a live server answers within a moment.
const GRACE: Duration = Duration::from_secs(1);

/// What the child found out about a watch.
enum Outcome {
    Found {
        path: Vec<u8>,
        deleted: bool,
        by: ResolvedBy,
    },
    Missed(Search),
}

/// Finds the paths of those `pending` watches that are on such file systems. The others stay pending.
pub fn resolve(
    look: Look<'_>,
    process: &Process,
    read: &mut [ReadInstance],
    pending: &mut Vec<Pending>,
    options: &Options,
) {
    let (asked, others): (Vec<_>, Vec<_>) = pending
        .drain(..)
        .partition(|one| one.why == HandleFailure::MayHang);
    *pending = others;
    if asked.is_empty() {
        return;
    }
    let devices: BTreeSet<Device> = asked.iter().filter_map(|one| device(read, one)).collect();
    let mounts = answering_on(look.view, &devices);
    let lives = |device| mounts.of_device(device).any(|mount| !mount.may_hang);
    let (live, silent): (Vec<_>, Vec<_>) = asked
        .into_iter()
        .partition(|one| device(read, one).is_some_and(lives));
    pending.extend(silent.into_iter().map(unanswered));
    if live.is_empty() {
        return;
    }
    let dir = look.view.dir();
    let time = options.path_timeout.saturating_add(GRACE);
    let outcomes = sys::in_spare_child(dir.as_fd(), time, || {
        let view = &View::of(dir, &mounts);
        let look = Look { view, ..look };
        encode(&in_child(look, process, read, &live, options))
    });
    // No child has the same meaning as no answer.
    let Some(outcomes) = outcomes.ok().flatten() else {
        for mount in devices.iter().flat_map(|&device| mounts.of_device(device)) {
            look.view.gave_up(mount, time);
        }
        pending.extend(live.into_iter().map(unanswered));
        return;
    };
    let outcomes = decode(&outcomes).into_iter().map(Some);
    for (one, outcome) in live
        .into_iter()
        .zip(outcomes.chain(std::iter::repeat_with(|| None)))
    {
        let instance = read.get_mut(one.instance);
        let watch = instance.and_then(|read| read.instance.watches.get_mut(one.watch));
        match (outcome, watch) {
            (Some(Outcome::Found { path, deleted, by }), Some(watch)) => {
                watch.path = Some(path.into());
                watch.deleted = deleted;
                watch.resolved_by = Some(by);
            }
            (Some(Outcome::Missed(search)), _) => pending.push(Pending {
                why: HandleFailure::Served(search),
                ..one
            }),
            _ => pending.push(unanswered(one)),
        }
    }
}

/// The mounts as the process sees them, but a mount with known watches counts as safe if it answers. `None` if none of
/// these mounts may hang.
pub fn answering(view: &View<'_>, instances: &[Instance]) -> Option<Mounts> {
    let watches = instances.iter().flat_map(|instance| &instance.watches);
    let known = watches.filter(|watch| watch.path.is_some());
    let devices: BTreeSet<Device> = known.map(|watch| watch.device).collect();
    let mut mounts = devices
        .iter()
        .flat_map(|&device| view.mounts().of_device(device));
    let any = mounts.any(|mount| mount.may_hang);
    any.then(|| answering_on(view, &devices))
}

fn answering_on(view: &View<'_>, devices: &BTreeSet<Device>) -> Mounts {
    let is_live = |mount: &Mount| devices.contains(&mount.device) && view.answers(mount);
    view.mounts().trusting(is_live)
}

fn device(read: &[ReadInstance], one: &Pending) -> Option<Device> {
    let watches = &read.get(one.instance)?.instance.watches;
    Some(watches.get(one.watch)?.device)
}

fn unanswered(one: Pending) -> Pending {
    Pending {
        why: HandleFailure::NoAnswer,
        ..one
    }
}

/// The search, as on any other file system. What is changed in `read` is the child's own.
fn in_child(
    look: Look<'_>,
    process: &Process,
    read: &mut [ReadInstance],
    live: &[Pending],
    options: &Options,
) -> Vec<Outcome> {
    let mut deadline = Deadline::new(options.path_timeout, live.len(), false);
    let mut finder = Finder::new(look, process, read);
    let mut pending = finder.resolve(read, &mut deadline);
    let places: HashSet<_> = live.iter().map(place).collect();
    pending.retain(|one| places.contains(&place(one)));
    let options = &Options {
        listen: Duration::ZERO,
        ..*options
    };
    let searched = search(
        look,
        process,
        &mut finder,
        read,
        pending,
        &mut deadline,
        options,
    );
    let mut reasons: HashMap<_, _> = searched
        .left
        .iter()
        .map(|(one, why)| (place(one), *why))
        .collect();
    let outcome = |one: &Pending| {
        let watch = read.get(one.instance)?.instance.watches.get(one.watch)?;
        Some(Outcome::Found {
            path: watch.path.as_ref()?.as_bytes().to_vec(),
            deleted: watch.deleted,
            by: watch.resolved_by?,
        })
    };
    let mut missed = |one| {
        let search = reasons.remove(&place(one)).flatten();
        Outcome::Missed(search.unwrap_or(Search::NotFound))
    };
    live.iter()
        .map(|one| outcome(one).unwrap_or_else(|| missed(one)))
        .collect()
}

fn place(one: &Pending) -> (usize, usize) {
    (one.instance, one.watch)
}

const FOUND: [ResolvedBy; 3] = [ResolvedBy::Handle, ResolvedBy::Candidate, ResolvedBy::Walk];
const MISSED: u8 = 0x40;
const DELETED: u8 = 0x80;

/// One byte for each outcome. If a path was found, the path and a NUL follow.
fn encode(outcomes: &[Outcome]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Both lists have fewer than 64 entries.
    let number = |at: Option<usize>| at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
    for outcome in outcomes {
        match outcome {
            Outcome::Found { path, deleted, by } => {
                let by = number(FOUND.iter().position(|known| known == by));
                bytes.push(by | if *deleted { DELETED } else { 0 });
                bytes.extend_from_slice(path);
                bytes.push(0);
            }
            Outcome::Missed(search) => {
                let why = number(Search::ALL.iter().position(|known| known == search));
                bytes.push(MISSED | why);
            }
        }
    }
    bytes
}

/// The reverse of `encode`. Stops at an incomplete outcome.
fn decode(mut bytes: &[u8]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        let number = usize::from(first & !(MISSED | DELETED));
        if first & MISSED != 0 {
            let Some(&search) = Search::ALL.get(number) else {
                break;
            };
            outcomes.push(Outcome::Missed(search));
            bytes = rest;
            continue;
        }
        let mut parts = rest.splitn(2, |&byte| byte == 0);
        let (Some(path), Some(after), Some(&by)) = (parts.next(), parts.next(), FOUND.get(number))
        else {
            break;
        };
        outcomes.push(Outcome::Found {
            path: path.to_vec(),
            deleted: first & DELETED != 0,
            by,
        });
        bytes = after;
    }
    outcomes
}
