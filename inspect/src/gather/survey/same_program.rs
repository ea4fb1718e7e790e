//! Where a process came from, and who else runs its program. All processes are read, and then the few that matter more
//! closely.

use crate::formats::claims::verdicts::TTL;
use crate::formats::shared::{claim_written, shared};
use crate::gather::claims::{distinct, places};
use crate::gather::descriptors::census;
use crate::gather::descriptors::sockets::Tables;
use crate::gather::process::program::Program;
use crate::gather::servers::place::Place;
use crate::gather::servers::process_tree::ProcessTree;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Cache;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::View;
use crate::model::{Fds, Name, Process, SameProgram};
use crate::process_tree::is_younger;
use crate::sys;
use procfs::process::Stat;
use std::collections::HashSet;

/// How many processes of the same program are reported at most.
const READ: usize = 32;

/// Fills in `surroundings.origin` and `surroundings.same_program` of a process that listens or claims something, has a
/// valid claim beside its state, or has lost its client.
pub fn read(dir: &ProcDir, process: &mut Process) {
    let claims = process.descriptors.iter().any(claim_written);
    let claimed = !distinct::claimed(process).is_empty();
    let left = process.surroundings.client_gone;
    if process.surroundings.listeners.is_empty() && !claims && !claimed && !left {
        return;
    }
    let all = ProcessTree::read();
    let Some(own) = all.get(process.pid) else {
        return;
    };
    process.surroundings.origin = all.origin(dir, own);
    let mut cache = Cache::default();
    let mounts = cache.of(dir);
    let view = View::of(dir, &mounts);
    let Some(program) = Program::of(&view) else {
        return;
    };
    let own = Own {
        process,
        view: &view,
        stat: own,
        program,
        place: Place::of(process),
    };
    let mut list: Vec<_> = all
        .all()
        .filter(|other| other.comm == own.stat.comm && !all.are_of_one_line(own.stat, other))
        .collect();
    // Processes named in a claim come first, then the youngest.
    let named = distinct::claimed(process);
    let is_named = |stat: &Stat| {
        named
            .iter()
            .any(|claim| i64::from(claim.pid) == i64::from(stat.pid))
    };
    list.sort_by_key(|other| std::cmp::Reverse((is_named(other), other.starttime)));
    let mut others = Vec::new();
    for other in list {
        if others.len() == READ {
            break;
        }
        let pid = u32::try_from(other.pid).ok();
        let Some(theirs) = pid.and_then(|pid| ProcDir::open(pid).ok()) else {
            continue;
        };
        let mounts = cache.of(&theirs);
        let theirs = View::of(&theirs, &mounts);
        if let Some(runs) = Program::of(&theirs).filter(|runs| runs.is(&own.program)) {
            others.extend(examine(&all, &own, other, &theirs, &runs));
        }
    }
    process.surroundings.same_program = others;
}

/// The examined process.
struct Own<'a> {
    process: &'a Process,
    view: &'a View<'a>,
    stat: &'a Stat,
    program: Program,
    place: Option<Place>,
}

fn examine(
    all: &ProcessTree,
    own: &Own<'_>,
    other: &Stat,
    view: &View<'_>,
    runs: &Program,
) -> Option<SameProgram> {
    let theirs = view.dir();
    let process = own.process;
    // A server that has lost its client no longer belongs to anybody, whatever its session.
    let apart = process.surroundings.client_gone || !all.are_of_one_start(own.stat, other);
    let same_command = runs.is_command(&own.program);
    let place = own.place.as_ref();
    let mut claims = distinct::between(process, theirs.pid);
    // Processes that were started together may belong to one server.
    if !apart && (claims.is_empty() || !same_command) {
        return None;
    }
    let mut gaps = Gaps::default();
    let descriptors = census::read(theirs, view.mounts(), &mut Fds::default(), &mut gaps).ok()?;
    let listeners = Tables::of(theirs).of_descriptors(&descriptors);
    let ours: HashSet<u64> = process
        .surroundings
        .listeners
        .iter()
        .map(|l| l.inode)
        .collect();
    // A socket that was handed over shows that both are workers of one server.
    if listeners
        .iter()
        .any(|listener| ours.contains(&listener.inode))
    {
        return None;
    }
    let cwd = view.working_directory().map(Name::from);
    if claims.iter().any(|claim| claim.pid == process.pid) {
        let places = places::of(theirs, &descriptors, &listeners, cwd.as_ref());
        distinct::keep_shared(&mut claims, own.view, view, &places);
    }
    let serve = !process.surroundings.listeners.is_empty() && !listeners.is_empty();
    if !apart && (claims.is_empty() || !serve) {
        return None;
    }
    Some(SameProgram {
        pid: theirs.pid,
        started_by: all.started_by(other, own.stat, long_before(other)),
        same_command,
        wants_its_place: place.is_none_or(|place| place.may_be_wanted_by(theirs)),
        same_cwd: cwd.is_some() && cwd == process.surroundings.cwd,
        younger: is_younger(other, own.stat),
        terminal: other.tty_nr != 0,
        listeners,
        shared: match apart {
            true => shared(process, &descriptors),
            false => Vec::new(),
        },
        claims,
        settled: settled(own.stat) && settled(other),
    })
}

/// In clock ticks since boot: a process that began before this is not part of the start of `of`.
fn long_before(of: &Stat) -> u64 {
    const SECONDS: u64 = 60;
    of.starttime
        .saturating_sub(SECONDS * procfs::ticks_per_second())
}

/// Whether it has run for longer than a start waits for another start in progress.
fn settled(stat: &Stat) -> bool {
    let began = stat.starttime / procfs::ticks_per_second();
    sys::since_boot().as_secs().saturating_sub(began) > TTL.as_secs()
}
