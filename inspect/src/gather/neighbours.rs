//! The other processes of the same user: how many inotify instances and watches the user has in all.
//!
//! Only links are read, and fdinfo of inotify descriptors alone, whose lines are counted and not parsed.

use super::instances::{Instances, Known};
use super::lines::each_line;
use super::processes::Processes;
use super::{Gaps, fdinfo, is_gone};
use crate::model::UserUsage;
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
        instances: Instances::new(),
        unreadable: 0,
        buffer: Vec::new(),
    };
    for Counted { pid, fd, watches } in own {
        if let Err(place) = scan.instances.find(pid, fd) {
            let what = watches;
            scan.instances.add(place, Known { pid, fd, what });
        }
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
    scan.instances.report(gaps);
    UserUsage {
        uid,
        watches: count_watches.then(|| scan.instances.iter().sum()),
        instances: scan.instances.iter().len() as u64,
        at_least: scan.unreadable > 0,
    }
}

struct Scan {
    count_watches: bool,
    /// With the watches of each.
    instances: Instances<u64>,
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
            if let Err(place) = self.instances.find(pid, fd) {
                let what = match self.count_watches {
                    true => self.watches(pid, fd)?,
                    false => 0,
                };
                self.instances.add(place, Known { pid, fd, what });
            }
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
}
