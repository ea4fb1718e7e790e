//! The other processes of the same user: how many inotify instances and watches the user has in all.
//!
//! Only links are read, and fdinfo of inotify descriptors alone, whose lines are counted and not parsed.

use super::lines::each_line;
use super::proc_dir::ProcDir;
use super::{Gaps, fdinfo, is_gone};
use crate::model::UserUsage;
use crate::sys;
use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

/// One inotify instance by one of its descriptors.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// The process.
    pub pid: u32,
    /// The descriptor there.
    pub fd: i32,
    /// Its watches.
    pub watches: u64,
}

/// Sums up what user `uid` has in use. `own` are the instances already read; watches are summed only
/// with `count_watches`.
pub fn usage(uid: u32, own: Vec<Counted>, count_watches: bool, gaps: &mut Gaps) -> UserUsage {
    let mut scan = Scan {
        count_watches,
        instances: Vec::new(),
        uncompared: 0,
        unreadable: 0,
        buffer: Vec::new(),
    };
    let known: Vec<u32> = own.iter().map(|counted| counted.pid).collect();
    for counted in own {
        scan.add(counted);
    }
    let proc = File::open("/proc");
    let list = proc.as_ref().ok().and_then(|proc| pids(proc).ok());
    for pid in list.unwrap_or_default() {
        if known.contains(&pid) {
            continue;
        }
        let opened = proc.as_ref().map_err(|e| e.kind().into());
        match opened.and_then(|proc| scan.process(&ProcDir::open_in(proc, pid)?, uid)) {
            Err(e) if !is_gone(&e) => scan.unreadable += 1,
            _ => {}
        }
    }
    if scan.unreadable > 0 {
        gaps.count(
            scan.unreadable,
            format!("other processes of user {uid} in the user's sums of watches and instances"),
            "permission denied",
        );
    }
    if scan.uncompared > 0 {
        gaps.count(
            scan.uncompared,
            "inotify instances compared with those of other processes",
            "kcmp(2) is not permitted here: an instance shared by processes is counted for each",
        );
    }
    UserUsage {
        uid,
        watches: count_watches.then(|| scan.instances.iter().map(|i| i.watches).sum()),
        instances: scan.instances.len() as u64,
        at_least: scan.unreadable > 0,
    }
}

fn pids(proc: &File) -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    sys::each_entry(proc.as_fd(), &mut Vec::new(), |entry| {
        let text = std::str::from_utf8(entry.name).ok();
        pids.extend(text.and_then(|t| t.parse::<u32>().ok()));
        ControlFlow::Continue(())
    })?;
    Ok(pids)
}

struct Scan {
    count_watches: bool,
    /// Every instance once, in the order of kcmp(2).
    instances: Vec<Counted>,
    uncompared: usize,
    unreadable: usize,
    buffer: Vec<u8>,
}

impl Scan {
    fn process(&mut self, dir: &ProcDir, uid: u32) -> io::Result<()> {
        let pid = dir.pid;
        let owner = sys::stat_at(dir.as_fd(), b"", libc::AT_EMPTY_PATH)?.st_uid;
        // The directory of a process that may not be dumped belongs to root, whoever runs it.
        if owner != uid && (owner != 0 || effective_uid(dir)? != uid) {
            return Ok(());
        }
        if owner == 0 && uid == 0 && effective_uid(dir)? != 0 {
            return Ok(());
        }
        let list = dir.open_file(b"fd", libc::O_RDONLY | libc::O_DIRECTORY)?;
        let mut found = Vec::new();
        let mut link = Vec::with_capacity(256);
        let mut path = Vec::with_capacity(32);
        sys::each_entry(list.as_fd(), &mut Vec::new(), |entry| {
            path.clear();
            path.extend_from_slice(entry.name);
            if sys::read_link_at(list.as_fd(), &path, &mut link).is_ok()
                && link == b"anon_inode:inotify"
            {
                let text = std::str::from_utf8(entry.name).ok();
                found.extend(text.and_then(|t| t.parse::<i32>().ok()));
            }
            ControlFlow::Continue(())
        })?;
        for fd in found {
            let mut counted = Counted {
                pid,
                fd,
                watches: 0,
            };
            let Some(place) = self.place_of(counted) else {
                continue;
            };
            if self.count_watches {
                counted.watches = self.watches(dir, fd)?;
            }
            self.instances.insert(place, counted);
        }
        Ok(())
    }

    fn watches(&mut self, dir: &ProcDir, fd: i32) -> io::Result<u64> {
        let path = format!("fdinfo/{fd}");
        let file = dir.open_file(path.as_bytes(), libc::O_RDONLY)?;
        let mut watches = 0;
        each_line(&file, &mut self.buffer, |line| {
            watches += u64::from(fdinfo::is_watch(line));
        })?;
        Ok(watches)
    }

    fn add(&mut self, counted: Counted) {
        if let Some(place) = self.place_of(counted) {
            self.instances.insert(place, counted);
        }
    }

    /// Where a new instance belongs in the order; `None` if it is there already. What cannot be compared
    /// counts as new, at the end.
    fn place_of(&mut self, new: Counted) -> Option<usize> {
        let mut failed = false;
        let place = self.instances.binary_search_by(|old| {
            sys::compare_files((old.pid, old.fd), (new.pid, new.fd)).unwrap_or_else(|_| {
                failed = true;
                Ordering::Less
            })
        });
        self.uncompared += usize::from(failed);
        place.err()
    }
}

/// The effective user, from the `Uid:` line of status (proc_pid_status(5)): real, effective, saved, fs.
fn effective_uid(dir: &ProcDir) -> io::Result<u32> {
    // One small read for each process of the system: the line is the ninth, after the name and numbers.
    let mut status = [0u8; 1024];
    let length = dir
        .open_file(b"status", libc::O_RDONLY)?
        .read_at(&mut status, 0)?;
    status
        .get(..length)
        .unwrap_or_default()
        .split(|&b| b == b'\n')
        .find_map(|line| line.strip_prefix(b"Uid:"))
        .and_then(|ids| std::str::from_utf8(ids).ok())
        .and_then(|ids| ids.split_ascii_whitespace().nth(1))
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}
