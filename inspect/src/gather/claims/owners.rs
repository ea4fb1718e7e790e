//! Who is behind a claim: processes by PID, by socket and by lock.

use crate::gather::descriptors::locks;
use crate::gather::descriptors::locks::{LockLine, LockType};
use crate::gather::descriptors::sockets::socket_inode;
use crate::gather::process::processes::Processes;
use crate::gather::process::status;
use crate::gather::subject::proc_dir::{ProcDir, read_all};
use crate::model::{ClaimHolder, CommandLine, Identity};
use crate::sys;
use procfs::prelude::*;
use procfs::process::Stat;
use std::fs::File;
use std::ops::ControlFlow;

/// How many holders of one claim are named. The workers of a server share one socket.
pub const NAMED: usize = 8;

/// What has become of a PID.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// No process has it.
    Gone,
    /// A process that has ended keeps it until its parent waits for it.
    Zombie,
    /// It belongs to a thread of this process.
    Thread(u32),
    /// A process runs. If that can be seen, with its start in clock ticks since boot.
    Running(Option<u64>),
}

/// Looks at a PID of this program's own namespace.
pub fn state_of(pid: u32) -> State {
    let Ok(dir) = ProcDir::open(pid) else {
        // hidepid (proc(5)) hides other users' processes, but kill(2) still finds them.
        return if sys::process_exists(pid) {
            State::Running(None)
        } else {
            State::Gone
        };
    };
    let leader = dir.read("status").ok().and_then(|text| {
        let line = text
            .split(|&b| b == b'\n')
            .find_map(|l| l.strip_prefix(b"Tgid:"))?;
        std::str::from_utf8(line).ok()?.trim().parse::<u32>().ok()
    });
    if let Some(leader) = leader.filter(|&leader| leader != pid) {
        return State::Thread(leader);
    }
    let stat = dir.read("stat").ok();
    match stat.and_then(|text| Stat::from_read(&text[..]).ok()) {
        Some(stat) if matches!(stat.state, 'Z' | 'X') && stat.num_threads <= 1 => State::Zombie,
        Some(stat) => State::Running(Some(stat.starttime)),
        None if sys::process_exists(pid) => State::Running(None),
        None => State::Gone,
    }
}

/// A process as a claim's holder.
pub fn holder(pid: u32, lock: Option<&'static str>) -> ClaimHolder {
    let command = ProcDir::open(pid).ok().and_then(|dir| {
        let words = status::command_line(&dir).unwrap_or_default();
        CommandLine::of(words, status::comm(&dir))
    });
    ClaimHolder { pid, command, lock }
}

/// The processes that have this socket open, as far as they can be seen.
pub fn of_socket(inode: u64) -> Vec<ClaimHolder> {
    let mut found = Vec::new();
    each_descriptor(|pid, _, link| {
        if socket_inode(link) == Some(inode) && found.last() != Some(&pid) {
            found.push(pid);
        }
        keep_looking(found.len())
    });
    found.into_iter().map(|pid| holder(pid, None)).collect()
}

/// The processes that have a file with this path open, as far as they can be seen.
pub fn of_file(path: &[u8]) -> Vec<ClaimHolder> {
    let mut found = Vec::new();
    each_descriptor(|pid, _, link| {
        if link == path && found.last() != Some(&pid) {
            found.push(pid);
        }
        keep_looking(found.len())
    });
    // This program has it open too, to read it. Its PID is fetched once because that is a system call.
    let own = std::process::id();
    found.retain(|&pid| pid != own);
    found.into_iter().map(|pid| holder(pid, None)).collect()
}

/// Who holds a lock on `file`. `None` if the table cannot be read.
pub fn of_lock(file: Identity, path: &[u8]) -> Option<Vec<ClaimHolder>> {
    let table = read_all(&mut File::open("/proc/locks").ok()?).ok()?;
    let mut unnamed = false;
    let mut held: Vec<(u32, &'static str)> = Vec::new();
    for lock in locks::of_table(&table).filter(|lock| holds(lock, file)) {
        match lock.pid {
            // The table has the PID of the process that took the flock. A child may have inherited the lock.
            Some(pid) if lock.kind == LockType::Posix => held.push((pid, name(lock.kind))),
            _ => unnamed = true,
        }
    }
    if unnamed {
        held.extend(by_descriptor(file, path));
    }
    held.sort_unstable();
    held.dedup();
    let mut holders: Vec<_> = held
        .iter()
        .map(|&(pid, lock)| holder(pid, Some(lock)))
        .collect();
    if holders.is_empty() && unnamed {
        // No descriptor of its holder can be seen, so only the table names it.
        let taken = locks::of_table(&table).find(|lock| holds(lock, file));
        holders.extend(taken.and_then(|lock| Some(holder(lock.pid?, Some(name(lock.kind))))));
        if holders.is_empty() {
            return Some(vec![ClaimHolder {
                pid: 0,
                command: None,
                lock: Some("ofd"),
            }]);
        }
    }
    Some(holders)
}

/// The lock is listed in the fdinfo of every descriptor of the open file description it belongs to (fs/locks.c).
fn by_descriptor(file: Identity, path: &[u8]) -> Vec<(u32, &'static str)> {
    let mut found = Vec::new();
    each_descriptor(|pid, fd, link| {
        let text = (link == path)
            .then(|| std::fs::read(format!("/proc/{pid}/fdinfo/{fd}")).ok())
            .flatten()
            .unwrap_or_default();
        let lock = locks::of_fdinfo(&text).find(|lock| holds(lock, file));
        found.extend(lock.map(|lock| (pid, name(lock.kind))));
        keep_looking(found.len())
    });
    found
}

fn holds(lock: &LockLine, file: Identity) -> bool {
    !lock.waiting && lock.file == file.number() && lock.kind != LockType::Lease
}

fn name(kind: LockType) -> &'static str {
    match kind {
        LockType::Posix => "posix",
        LockType::Ofd => "ofd",
        LockType::Flock | LockType::Lease => "flock",
    }
}

fn keep_looking(found: usize) -> ControlFlow<()> {
    if found < NAMED {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

/// Visits the link of every descriptor of every process that can be read.
fn each_descriptor(mut visit: impl FnMut(u32, i32, &[u8]) -> ControlFlow<()>) {
    let Ok(mut all) = Processes::open() else {
        return;
    };
    for pid in all.pids().unwrap_or_default() {
        let mut done = false;
        // A process that ends meanwhile does not hold anything any more.
        let _ = all.each_link(pid, None, |fd, link| {
            let next = visit(pid, fd, link);
            done = next.is_break();
            next
        });
        if done {
            return;
        }
    }
}
