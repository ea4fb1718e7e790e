//! The other processes of the same user, or of a user namespace that the user created: how many inotify instances and
//! watches are charged in total.
//!
//! Only links are read, and the fdinfo of inotify descriptors, whose lines are counted but not parsed.

use crate::gather::accounts::charged::{Accounts, Limits};
use crate::gather::accounts::instances::{Instances, KnownInstance};
use crate::gather::descriptors::fdinfo;
use crate::gather::process::processes::Processes;
use crate::gather::process::unit::Names;
use crate::gather::subject::gaps::{Gaps, is_gone, not_permitted};
use crate::gather::subject::lines::each_line;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Account, LimitHolder, Unit, UnitShare, UserUsage};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;

/// A process with no more descriptors than this usually has only its standard streams.
const STREAMS: u64 = 3;
/// How many holders of a limit are named.
const HOLDERS: usize = 3;

/// One inotify instance, known by one of its descriptors.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// The process.
    pub pid: u32,
    /// The descriptor there.
    pub fd: i32,
    /// Its watches.
    pub watches: u64,
}

/// Sums up what is charged to the accounts `charged` of process `pid`. `own` are its instances, which are already read.
/// Watches are summed up only with `count_watches`. Without it, processes with hardly more than their standard streams
/// are skipped: a finding about a process without an instance only says that others have most of the limit, and those
/// have more descriptors.
pub fn usage(
    accounts: &mut Accounts,
    charged: &[(Account, Limits)],
    pid: u32,
    own: Vec<Counted>,
    count_watches: bool,
    gaps: &mut Gaps,
) -> Vec<UserUsage> {
    let mut scan = Scan {
        accounts,
        charged,
        count_watches,
        instances: Instances::new(),
        unreadable: 0,
        passed_over: false,
        buffer: Vec::new(),
    };
    for Counted { pid, fd, watches } in own {
        if let Err(place) = scan.instances.find(pid, fd) {
            let what = Charged { from: 0, watches };
            scan.instances.add(place, KnownInstance { pid, fd, what });
        }
    }
    if let Ok(mut all) = Processes::open() {
        for other in all.pids().unwrap_or_default() {
            // This program's own instances are gone when it ends.
            if other == pid || other == std::process::id() {
                continue;
            }
            match scan.process(&mut all, other) {
                Err(e) if !is_gone(&e) => scan.unreadable += 1,
                _ => {}
            }
        }
    }
    if scan.unreadable > 0
        && let Some((account, _)) = charged.last()
    {
        gaps.count(
            scan.unreadable,
            format!("other processes of {account} in the user's sums of watches and instances"),
            not_permitted(),
        );
    }
    scan.instances.report(gaps);
    let mut any_near = false;
    let sums = charged.iter().enumerate().map(|(at, (account, limits))| {
        let those = || scan.instances.iter().filter(move |i| i.from <= at);
        let watches = count_watches.then(|| those().map(|i| i.watches).sum());
        let instances = those().count() as u64;
        // The holders are read only near a limit.
        let near = is_near(watches, limits.watches) || is_near(Some(instances), limits.instances);
        any_near |= near;
        let list = if near {
            scan.by_process(at)
        } else {
            Vec::new()
        };
        UserUsage {
            account: *account,
            watches,
            instances,
            at_least: scan.unreadable > 0 || scan.passed_over || !scan.accounts.all_in_sight(),
            max_watches: limits.watches,
            max_instances: limits.instances,
            units: by_unit(&list),
            holders: holders(list),
        }
    });
    let sums = sums.collect();
    // Below that, the unseen part would have to be larger than all that is seen.
    if !any_near {
        gaps.set_aside();
    }
    sums
}

/// Whether more than half of a limit is in use: no finding is about less.
fn is_near(used: Option<u64>, limit: Option<u64>) -> bool {
    used.zip(limit)
        .is_some_and(|(used, limit)| used > limit / 2)
}

/// A process with its watches and instances.
type Share = (u32, (u64, u64));

/// The holders with the most watches and those with the most instances.
fn most<T: Clone>(list: &[T], sums: impl Fn(&T) -> (u64, u64)) -> Vec<T> {
    let mut by_watches = list.to_vec();
    by_watches.sort_by_key(|one| Reverse(sums(one)));
    let mut by_instances = list.to_vec();
    by_instances.sort_by_key(|one| Reverse((sums(one).1, sums(one).0)));
    let all = by_watches.into_iter().take(HOLDERS);
    all.chain(by_instances.into_iter().take(HOLDERS)).collect()
}

/// Names are only read for the few that are shown.
fn holders(list: Vec<Share>) -> Vec<LimitHolder> {
    let mut shown = most(&list, |(_, sums)| *sums);
    shown.sort_unstable();
    shown.dedup();
    let holder = |(pid, (watches, instances))| LimitHolder {
        pid,
        comm: crate::gather::process::status::comm_of(pid),
        watches,
        instances,
    };
    shown.into_iter().map(holder).collect()
}

/// The units with the most watches and those with the most instances.
fn by_unit(list: &[Share]) -> Vec<UnitShare> {
    let mut names = Names::default();
    let mut shares: BTreeMap<Unit, UnitShare> = BTreeMap::new();
    for &(pid, (watches, instances)) in list {
        let unit = ProcDir::open(pid).ok().and_then(|dir| names.of(&dir));
        let Some(unit) = unit else {
            continue;
        };
        let share = shares.entry(unit.clone()).or_insert(UnitShare {
            unit,
            processes: 0,
            watches: 0,
            instances: 0,
        });
        share.processes += 1;
        share.watches += watches;
        share.instances += instances;
    }
    let list: Vec<_> = shares.into_values().collect();
    let mut shown = most(&list, |share| (share.watches, share.instances));
    shown.sort_by_key(|share| Reverse((share.watches, share.instances)));
    shown.dedup_by(|a, b| a.unit == b.unit);
    shown
}

struct Scan<'a> {
    accounts: &'a mut Accounts,
    /// The accounts to sum up: those of one process, its own first.
    charged: &'a [(Account, Limits)],
    count_watches: bool,
    instances: Instances<Charged>,
    unreadable: usize,
    /// Whether a process was skipped.
    passed_over: bool,
    buffer: Vec<u8>,
}

/// One instance.
struct Charged {
    /// It is charged to this account and to those after it.
    from: usize,
    watches: u64,
}

impl Scan<'_> {
    /// The processes that count for an account, by their PIDs.
    fn by_process(&self, at: usize) -> Vec<Share> {
        let mut sums: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (pid, charged) in self.instances.with_pids() {
            if charged.from <= at {
                let (watches, instances) = sums.entry(pid).or_default();
                *watches += charged.watches;
                *instances += 1;
            }
        }
        sums.into_iter().collect()
    }

    fn process(&mut self, all: &mut Processes, pid: u32) -> io::Result<()> {
        // Kernel threads, which are most processes of a small system, have none.
        let summary = all.summary(pid)?;
        if summary.count == Some(0) {
            return Ok(());
        }
        if !self.count_watches && summary.count.is_some_and(|count| count <= STREAMS) {
            self.passed_over = true;
            return Ok(());
        }
        // Reading who is charged costs as much as reading the instances, so it is done only if some were found. What
        // seems to belong to root may belong to anybody.
        let wanted = |uid| self.charged.iter().any(|(account, _)| account.uid == uid);
        let from = if wanted(summary.owner) {
            None
        } else {
            let uid = match summary.owner {
                0 => all.user(pid)?,
                owner => owner,
            };
            (!wanted(uid)).then(|| self.from(pid, uid))
        };
        if from == Some(None) {
            return Ok(());
        }
        let mut found = Vec::new();
        let looked = all.each_link(pid, summary.count, |fd, link| {
            if link == b"anon_inode:inotify" {
                found.push(fd);
            }
            ControlFlow::Continue(())
        });
        if looked.is_ok() && found.is_empty() {
            return Ok(());
        }
        let from = match from {
            Some(from) => from,
            None => self.from(pid, all.user(pid)?),
        };
        let Some(from) = from else {
            return Ok(());
        };
        looked?;
        for fd in found {
            if let Err(place) = self.instances.find(pid, fd) {
                let watches = match self.count_watches {
                    true => self.watches(pid, fd)?,
                    false => 0,
                };
                let what = Charged { from, watches };
                self.instances.add(place, KnownInstance { pid, fd, what });
            }
        }
        Ok(())
    }

    /// The first of the wanted accounts that a process is charged to. What is charged to one account is also charged to
    /// those above it.
    fn from(&mut self, pid: u32, uid: u32) -> Option<usize> {
        let its = self.accounts.of(pid, uid);
        let has =
            |(wanted, _): &(Account, Limits)| its.iter().any(|(account, _)| account == wanted);
        self.charged.iter().position(has)
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
