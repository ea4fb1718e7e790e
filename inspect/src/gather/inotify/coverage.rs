//! Which part of watchfix is between an instance and its process: the library, or the supervisor of `watchfix run`.

use crate::gather::descriptors::fdinfo;
use crate::gather::process::status::comm_of;
use crate::gather::process::thread::thread;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{CoveredBy, Process};
use rules::watch::read_numbers;
use std::io::Read;
use std::iter;

/// Longer chains of ancestors are not followed.
const DEEPEST: usize = 64;

/// Sets it for each instance of the process, whose program and limits must be known.
pub fn note(dir: &ProcDir, process: &mut Process) {
    let mapped = process.preload.mapped == Some(true);
    let limit = process.fds.soft_limit.unwrap_or(u64::MAX);
    let numbers = read_numbers(u32::try_from(limit).unwrap_or(u32::MAX));
    let (pid, supervised) = (process.pid, process.supervised);
    for instance in &mut process.inotify {
        let number = u32::try_from(instance.fd);
        let is_handed_out = number.is_ok_and(|number| numbers.contains(&number))
            && is_non_blocking(dir, instance.fd);
        // The library's own instances have other numbers.
        instance.covered_by = match (mapped, supervised) {
            _ if is_handed_out && has_supervisor(dir, pid) => Some(CoveredBy::Reads),
            (true, _) => Some(CoveredBy::Library),
            (false, true) => Some(CoveredBy::Masks),
            (false, false) => has_supervisor(dir, pid).then_some(CoveredBy::Masks),
        };
    }
}

/// Whether the descriptor is non-blocking. Only the first lines are read: thousands of watches may follow.
fn is_non_blocking(dir: &ProcDir, fd: i32) -> bool {
    let mut start = Vec::new();
    let file = dir.open_file(format!("fdinfo/{fd}").as_bytes(), libc::O_RDONLY);
    let read = file.and_then(|file| file.take(64).read_to_end(&mut start));
    let flags = fdinfo::header(&start).flags;
    read.is_ok() && flags.is_some_and(|flags| flags & libc::O_NONBLOCK != 0)
}

/// Whether an ancestor is `watchfix`, and the process has a filter that this one has not: while its supervisor lives, all that
/// `watchfix run` has started is below it.
fn has_supervisor(dir: &ProcDir, pid: u32) -> bool {
    let Some(filters) = filters(dir).filter(|&filters| filters > 0) else {
        return false;
    };
    let parent = |pid: &u32| thread(*pid).ok().map(|thread| thread.parent);
    let mut ancestors = iter::successors(parent(&pid), parent).take(DEEPEST);
    let watchfix = ancestors
        .find(|&ancestor| comm_of(ancestor).is_some_and(|comm| comm.as_bytes() == b"watchfix"));
    watchfix.is_some_and(|pid| {
        let dir = ProcDir::open(pid);
        dir.is_ok_and(|dir| self::filters(&dir).is_none_or(|its| its < filters))
    })
}

/// How many seccomp filters are in front of the process's calls (proc_pid_status(5), `Seccomp_filters`); before Linux 5.9, which
/// does not count them, 1 if there is one.
fn filters(dir: &ProcDir) -> Option<u32> {
    const FILTERED: u32 = 2;
    let status = dir.read("status").ok()?;
    let number = |name: &[u8]| {
        let mut lines = status.split(|&c| c == b'\n');
        let text = lines.find_map(|line| line.strip_prefix(name))?;
        str::from_utf8(text).ok()?.trim().parse::<u32>().ok()
    };
    number(b"Seccomp_filters:").or_else(|| Some(u32::from(number(b"Seccomp:")? == FILTERED)))
}
