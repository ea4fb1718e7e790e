//! One process, source by source.

use super::arguments::Started;
use super::descriptors::{self, Open};
use super::kernel::{Kernel, Question};
use super::process::{Listed, program, working_directory};
use super::{claims, servers, sockets, sqlite};
use crate::formats::secrets;
use crate::model::{Failure, FailureKind, Gaps, Kind, Name, Process};
use crate::sys;
use crate::words::errno_text;
use std::io;

/// No conclusion is drawn from fewer sockets.
const WORTH_READING: usize = 64;
/// The library that is asked for by DYLD_INSERT_LIBRARIES.
const LIBRARY: &[u8] = b"libwatchfix.dylib";

/// Reads one process. Both parts of the answer may be there: a process of another user still shows its name.
pub fn process(
    kernel: &impl Kernel,
    pid: u32,
    all: bool,
    gaps: &mut Gaps,
) -> (Option<Process>, Option<Failure>) {
    let listed = match Listed::ask(kernel, pid) {
        Ok(listed) => listed,
        Err(error) => return (None, Some(unknown(pid, &error))),
    };
    let mut process = identified(kernel, &listed);
    let started = started(kernel, &mut process, gaps);
    let open = match descriptors::read(kernel, pid, gaps) {
        Ok(open) => open,
        Err(error) if is_gone(&error) => return (None, Some(unknown(pid, &error))),
        Err(error) => {
            gaps.note("its descriptors, watches and databases", errno_text(&error));
            let failure = refused(&process, &error);
            return (Some(process), Some(failure));
        }
    };
    take_over(&mut process, open, all);
    sqlite::look(&mut process, gaps);
    surroundings(kernel, &mut process, &listed, started, gaps);
    // Each question is asked by PID, which may be another process's by now.
    match Listed::ask(kernel, pid) {
        Ok(now) if now.start == listed.start => {}
        Ok(_) => {
            return (
                None,
                Some(unknown(pid, &io::Error::from_raw_os_error(libc::ESRCH))),
            );
        }
        Err(error) => return (None, Some(unknown(pid, &error))),
    }
    gaps.extend(&never_told(&process));
    (Some(process), None)
}

fn identified(kernel: &impl Kernel, listed: &Listed) -> Process {
    let mut process = Process {
        pid: listed.pid,
        ppid: Some(listed.ppid),
        comm: Some(listed.name.clone()),
        uid: Some(listed.uid),
        gid: Some(listed.gid),
        start_time: listed.start_time(),
        state: listed.state(),
        exe: program(kernel, listed.pid),
        ..Process::default()
    };
    process.surroundings.session = listed.session;
    process
}

/// What it was started with: its arguments, and whether the library was asked for. Of its environment nothing else is
/// kept.
fn started(kernel: &impl Kernel, process: &mut Process, gaps: &mut Gaps) -> Option<Started> {
    let started = match Started::ask(kernel, process.pid) {
        Ok(started) => started,
        Err(error) => {
            gaps.note("its arguments and environment", errno_text(&error));
            return None;
        }
    };
    process.cmdline = Some(secrets::hide(started.arguments.clone()));
    if !started.environment.is_empty() {
        let asked = started.variable(b"DYLD_INSERT_LIBRARIES");
        let asked = asked.unwrap_or_default().split(|&byte| byte == b':');
        let asked: Vec<Name> = asked.filter(|e| !e.is_empty()).map(Name::from).collect();
        // dyld ends a program that cannot load it (docs/macos.md). One that loses the variable shows no environment.
        process.preload.mapped = Some(asked.iter().any(|entry| entry.base() == LIBRARY));
        process.preload.requested = Some(asked);
        process.watchfix_rules = started.variables(b"WATCHFIX_");
    }
    Some(started)
}

fn take_over(process: &mut Process, open: Open, all: bool) {
    let fds = &mut process.fds;
    fds.open = Some(open.count as u64);
    fds.by_type = Some(descriptors::by_type(&open.list));
    fds.roll_up(&open.list);
    fds.list = all.then(|| open.list.clone());
    process.surroundings.listeners = sockets::listeners(&open.sockets);
    if open.sockets.len() >= WORTH_READING {
        process.surroundings.sockets = sockets::endpoints(&open.sockets);
    }
    process.kqueue = open.kqueues;
    process.descriptors = open.list;
}

fn surroundings(
    kernel: &impl Kernel,
    process: &mut Process,
    listed: &Listed,
    started: Option<Started>,
    gaps: &mut Gaps,
) {
    let directories = kernel.ask(process.pid, Question::Directories);
    process.surroundings.cwd = directories
        .ok()
        .and_then(|answer| working_directory(&answer));
    process.surroundings.claims = claims::of_process(kernel, process);
    if !process.surroundings.listeners.is_empty() {
        servers::read(kernel, process, listed, started, gaps);
    }
}

/// What a Mac tells nobody about another process. No finding rests on it, so it is said where the tables are.
fn never_told(process: &Process) -> Gaps {
    let mut gaps = Gaps::default();
    gaps.note(
        "its limit of descriptors (RLIMIT_NOFILE)",
        "macOS tells it to no other process; launchd gives 256 unless a job says otherwise",
    );
    gaps.note(
        "its FSEvents streams",
        "they are in fseventsd, and only kqueue's watches are seen",
    );
    if !process.sqlite.is_empty() {
        gaps.note(
            "who holds locks on its databases",
            "macOS has no list of locks",
        );
    }
    if process.descriptors.iter().any(|d| d.kind == Kind::Socket) {
        gaps.note(
            "whether it ignores SIGHUP, as nohup(1) makes it",
            "proc_info does not tell",
        );
    }
    gaps.set_aside();
    gaps
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH))
}

fn unknown(pid: u32, error: &io::Error) -> Failure {
    let (kind, why) = match is_gone(error) {
        true => (
            FailureKind::NoProcess,
            format!("there is no process {pid}, or it has ended"),
        ),
        false => (
            FailureKind::NotPermitted,
            format!("process {pid} cannot be looked at: {}", errno_text(error)),
        ),
    };
    Failure {
        pid: Some(pid),
        why,
        kind,
    }
}

fn refused(process: &Process, error: &io::Error) -> Failure {
    let pid = process.pid;
    let way_out = match process.uid {
        Some(uid) if uid != sys::effective_user() => {
            format!("run fdscan as user {uid} or as root")
        }
        _ => "run fdscan as root".into(),
    };
    Failure {
        pid: Some(pid),
        why: format!(
            "the descriptors of process {pid} cannot be read ({}): {way_out}",
            errno_text(error)
        ),
        kind: FailureKind::NotPermitted,
    }
}
