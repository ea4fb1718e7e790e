//! Where a server came from, and the processes that were started to take its place.

use super::arguments::Started;
use super::kernel::{Kernel, Question};
use super::process::{Listed, program, working_directory};
use super::{descriptors, jobs, sockets};
use crate::formats::claims::verdicts::TTL;
use crate::formats::shared::shared;
use crate::model::{Gaps, Name, Origin, Process, SameProgram};
use crate::process_tree::{ProcessTree, Relative, is_younger, relative};
use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

/// Processes of the same program whose descriptors are read.
const READ: usize = 32;
/// What began so many seconds before a process is not part of its start.
const LONG_BEFORE: u64 = 60;
const MICROS: u64 = 1_000_000;

/// Fills in `surroundings.origin` and `surroundings.same_program` of a process that listens.
pub fn read(
    kernel: &impl Kernel,
    process: &mut Process,
    own: &Listed,
    started: Option<Started>,
    gaps: &mut Gaps,
) {
    let tree = tree(kernel);
    let jobs = match own.ppid {
        1 => kernel.jobs().and_then(|text| jobs::running(&text)),
        _ => Some(HashSet::new()),
    };
    if jobs.is_none() {
        gaps.note(
            "whether launchd started it or adopted it",
            "`launchctl list` shows no job of this user that runs",
        );
    }
    process.surroundings.origin = origin(&tree, own, jobs.as_ref());
    let ours = Own {
        process,
        listed: own,
        arguments: started.map(|started| started.arguments),
        sockets: process
            .surroundings
            .listeners
            .iter()
            .map(|l| l.inode)
            .collect(),
    };
    let mut others: Vec<&Listed> = tree
        .all()
        .filter(|other| other.name == own.name && !tree.are_of_one_line(own, other))
        .filter(|other| !tree.are_of_one_start(own, other))
        .collect();
    others.sort_by_key(|other| std::cmp::Reverse((other.began(), other.pid)));
    let others = others.into_iter().take(READ);
    let same = others.filter_map(|other| examine(kernel, &tree, &ours, other));
    process.surroundings.same_program = same.collect();
}

/// All processes but those that have ended.
fn tree(kernel: &impl Kernel) -> ProcessTree<Listed> {
    let pids = kernel.pids().unwrap_or_default().into_iter();
    pids.filter_map(|pid| Listed::ask(kernel, pid).ok())
        .filter(|listed| !listed.is_zombie())
        .collect()
}

fn origin(tree: &ProcessTree<Listed>, own: &Listed, jobs: Option<&HashSet<u32>>) -> Option<Origin> {
    let parent = tree.parent(own)?;
    let leader = own.session.and_then(|pid| tree.get(pid));
    let adopted_or_started = own.ppid == 1;
    Some(Origin {
        parent: relative(parent),
        parent_is_init: adopted_or_started,
        // There are no containers.
        is_init: false,
        leads_session: own.session == Some(own.pid),
        leader_alive: leader.is_some_and(|leader| leader.began() <= own.began()),
        parent_in_session: parent.session == own.session,
        after_parent: own.began().saturating_sub(parent.began()) / MICROS,
        unit: None,
        // launchd is the parent of what it starts as well: only its jobs were not adopted.
        own_service: adopted_or_started && jobs.is_none_or(|jobs| jobs.contains(&own.pid)),
        ignores_hangup: false,
    })
}

/// The process that is looked at.
struct Own<'a> {
    process: &'a Process,
    listed: &'a Listed,
    arguments: Option<Vec<Name>>,
    sockets: HashSet<u64>,
}

fn examine(
    kernel: &impl Kernel,
    tree: &ProcessTree<Listed>,
    own: &Own<'_>,
    other: &Listed,
) -> Option<SameProgram> {
    let process = own.process;
    let arguments = Started::ask(kernel, other.pid).ok()?.arguments;
    let ours = own.arguments.as_ref()?;
    // An interpreter's first argument is the program.
    if program(kernel, other.pid) != process.exe || arguments.get(1) != ours.get(1) {
        return None;
    }
    let open = descriptors::read(kernel, other.pid, &mut Gaps::default()).ok()?;
    let listeners = sockets::listeners(&open.sockets);
    // A socket that was handed over: workers of one server.
    if listeners.iter().any(|l| own.sockets.contains(&l.inode)) {
        return None;
    }
    let directories = kernel.ask(other.pid, Question::Directories).ok();
    let cwd = directories.and_then(|answer| working_directory(&answer));
    let since = other.began().saturating_sub(LONG_BEFORE * MICROS);
    Some(SameProgram {
        pid: other.pid,
        started_by: tree.started_by(other, own.listed, since),
        same_command: arguments == *ours,
        wants_its_place: true,
        same_cwd: cwd.is_some() && cwd == process.surroundings.cwd,
        younger: is_younger(other, own.listed),
        terminal: other.terminal,
        listeners,
        shared: shared(process, &open.list),
        claims: Vec::new(),
        settled: settled(own.listed) && settled(other),
    })
}

/// Whether it runs for longer than a start waits for another one that is under way.
fn settled(listed: &Listed) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = listed.start.zip(now.ok());
    seconds.is_some_and(|((began, _), now)| now.as_secs().saturating_sub(began) > TTL.as_secs())
}
