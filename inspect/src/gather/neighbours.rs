//! The other processes of the same user: how many inotify instances and watches the user has in all.
//!
//! Only links are read, and fdinfo of inotify descriptors alone, whose lines are counted and not parsed.

use super::lines::each_line;
use super::processes::Processes;
use super::{Gaps, fdinfo, is_gone};
use crate::model::UserUsage;
use crate::sys;
use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;

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

/// Sums up what user `uid` has in use. `own` are the instances of process `pid`, already read; watches
/// are summed only with `count_watches`.
pub fn usage(
    uid: u32,
    pid: u32,
    own: Vec<Counted>,
    count_watches: bool,
    gaps: &mut Gaps,
) -> UserUsage {
    let mut scan = Scan {
        count_watches,
        instances: Vec::new(),
        uncompared: 0,
        unreadable: 0,
        buffer: Vec::new(),
    };
    for counted in own {
        scan.add(counted);
    }
    if let Ok(mut all) = Processes::open() {
        for other in all.pids().unwrap_or_default() {
            if other == pid {
                continue;
            }
            match scan.process(&mut all, other, uid) {
                Err(e) if !is_gone(&e) => scan.unreadable += 1,
                _ => {}
            }
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

struct Scan {
    count_watches: bool,
    /// Every instance once, in the order of kcmp(2).
    instances: Vec<Counted>,
    uncompared: usize,
    unreadable: usize,
    buffer: Vec<u8>,
}

impl Scan {
    fn process(&mut self, all: &mut Processes, pid: u32, uid: u32) -> io::Result<()> {
        // Asking for the user costs as much as looking, so of root's, which most are, it is asked only
        // where something was found.
        if uid != 0 {
            if all.user(pid)? != uid {
                return Ok(());
            }
        } else {
            let glance = all.glance(pid)?;
            if glance.owner != 0 || glance.count == Some(0) {
                return Ok(());
            }
        }
        let mut found = Vec::new();
        let looked = all.each_link(pid, |fd, link| {
            if link == b"anon_inode:inotify" {
                found.push(fd);
            }
            ControlFlow::Continue(())
        });
        if looked.is_ok() && found.is_empty() {
            return Ok(());
        }
        if uid == 0 && all.user(pid)? != uid {
            return Ok(());
        }
        looked?;
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
                counted.watches = self.watches(pid, fd)?;
            }
            self.instances.insert(place, counted);
        }
        Ok(())
    }

    fn watches(&mut self, pid: u32, fd: i32) -> io::Result<u64> {
        let file = File::open(format!("/proc/{pid}/fdinfo/{fd}"))?;
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
