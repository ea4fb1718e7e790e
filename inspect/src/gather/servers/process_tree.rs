//! All processes by PID: which one started which, and where each came from.

use crate::gather::process::processes::Processes;
use crate::gather::process::unit;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Origin, ProcessRef, StartedBy, Unit};
use procfs::prelude::*;
use procfs::process::Stat;
use std::collections::HashMap;

/// Every process, as /proc/PID/stat had it when it was read.
pub struct ProcessTree {
    by_pid: HashMap<u32, Stat>,
}

impl ProcessTree {
    /// Reads all of them, except those that have ended.
    pub fn read() -> ProcessTree {
        let pids = Processes::open().and_then(|mut all| all.pids());
        let pids = pids.into_iter().flatten();
        ProcessTree {
            by_pid: pids.filter_map(|pid| Some((pid, living(pid)?))).collect(),
        }
    }

    /// One of them.
    pub fn get(&self, pid: u32) -> Option<&Stat> {
        self.by_pid.get(&pid)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Stat> {
        self.by_pid.values()
    }

    /// Adds one that began later.
    pub fn add(&mut self, pid: u32, stat: Stat) {
        self.by_pid.insert(pid, stat);
    }

    fn parent(&self, of: &Stat) -> Option<&Stat> {
        self.get(u32::try_from(of.ppid).ok()?)
    }

    /// Its parent first. A list read while processes come and go may have a loop.
    fn ancestors<'a>(&'a self, of: &'a Stat) -> impl Iterator<Item = &'a Stat> {
        std::iter::successors(self.parent(of), |at| self.parent(at)).take(64)
    }

    /// The process that started one that began after `own`. A process that began before `since`, in clock ticks, was
    /// not created for that start: it is a supervisor, however young.
    pub fn started_by(&self, of: &Stat, own: &Stat, since: u64) -> StartedBy {
        // A process that adopts orphans need not have started anything.
        let handed_on = of.ppid == own.ppid || of.ppid == 1 || is_init(of.ppid);
        let is_older = |other: &&Stat| !is_younger(other, own) || other.starttime < since;
        let older = self.ancestors(of).find(is_older);
        StartedBy {
            parent: self.parent(of).map(relative),
            supervisor: older.filter(|_| !handed_on).map(relative),
            below_its_parent: self.ancestors(of).skip(1).any(|at| at.pid == own.ppid),
        }
    }

    /// Where a process came from.
    pub fn origin(&self, dir: &ProcDir, own: &Stat) -> Option<Origin> {
        let parent = self.parent(own)?;
        let leader = u32::try_from(own.session)
            .ok()
            .and_then(|pid| self.get(pid));
        let after = own.starttime.saturating_sub(parent.starttime);
        let text = dir.read("cgroup").unwrap_or_default();
        let group = unit::service(&text);
        Some(Origin {
            parent: relative(parent),
            parent_is_init: own.ppid == 1 || is_init(own.ppid),
            is_init: is_init(own.pid),
            leads_session: own.session == own.pid,
            // A leader that began later is another process with the same PID.
            leader_alive: leader.is_some_and(|leader| leader.starttime <= own.starttime),
            parent_in_session: parent.session == own.session,
            after_parent: after / procfs::ticks_per_second(),
            own_service: group.as_ref().is_some_and(|group| self.began(group, own)),
            unit: unit::service_of(&text),
            ignores_hangup: ignores_hangup(dir),
        })
    }

    /// A service of systemd has a control group of its own. The oldest process in it was started for
    /// it; any other may be the orphan of a supervisor.
    fn began(&self, group: &Vec<u8>, own: &Stat) -> bool {
        !self.by_pid.values().any(|other| {
            other.starttime < own.starttime
                && std::fs::read(format!("/proc/{}/cgroup", other.pid))
                    .is_ok_and(|text| unit::service(&text).as_ref() == Some(group))
        })
    }

    fn is_ancestor(&self, of: &Stat, who: &Stat) -> bool {
        self.ancestors(of).any(|at| at.pid == who.pid)
    }

    /// One server's processes, as far as their starts show.
    pub fn related(&self, a: &Stat, b: &Stat) -> bool {
        self.are_of_one_line(a, b) || self.are_of_one_start(a, b)
    }

    /// Both are one process, or one started the other.
    pub fn are_of_one_line(&self, a: &Stat, b: &Stat) -> bool {
        a.pid == b.pid || self.is_ancestor(a, b) || self.is_ancestor(b, a)
    }

    /// Whether both have the same session, or the same parent, unless that only adopts orphans.
    pub fn are_of_one_start(&self, a: &Stat, b: &Stat) -> bool {
        a.session == b.session || (a.ppid == b.ppid && !self.takes_in(a))
    }

    /// Whether its parent may have adopted it: init, or a user's service manager, which is the subreaper (prctl(2)) of
    /// a login (src/core/main.c of systemd). Other subreapers cannot be recognised.
    fn takes_in(&self, of: &Stat) -> bool {
        let manager = self.parent(of).is_some_and(|stat| stat.comm == "systemd");
        of.ppid == 1 || manager || is_init(of.ppid)
    }
}

/// What is known about a running process; `None` for one that has ended, even if its parent has not noticed.
pub fn living(pid: u32) -> Option<Stat> {
    let text = ProcDir::open(pid).ok()?.read("stat").ok()?;
    let stat = Stat::from_read(&text[..]).ok()?;
    (!matches!(stat.state, 'Z' | 'X')).then_some(stat)
}

/// Two starts within one clock tick are distinguished by their PIDs.
pub fn is_younger(a: &Stat, b: &Stat) -> bool {
    (a.starttime, a.pid) > (b.starttime, b.pid)
}

fn relative(stat: &Stat) -> ProcessRef {
    ProcessRef {
        pid: u32::try_from(stat.pid).unwrap_or_default(),
        comm: stat.comm.as_str().into(),
    }
}

/// Whether a process is the first of its PID namespace: the last number of `NSpid:` in its status.
fn is_init(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/status")).is_ok_and(|text| {
        let line = text
            .split(|&b| b == b'\n')
            .find_map(|line| line.strip_prefix(b"NSpid:"));
        line.is_some_and(|ids| ids.split(|b| b.is_ascii_whitespace()).next_back() == Some(b"1"))
    })
}

/// The unit a service manager keeps a process in.
pub fn unit_of(dir: &ProcDir) -> Option<Unit> {
    unit::service_of(&dir.read("cgroup").ok()?)
}

/// Whether SIGHUP is ignored: the lowest bit of `SigIgn:` (proc_pid_status(5)).
fn ignores_hangup(dir: &ProcDir) -> bool {
    let text = dir.read("status").unwrap_or_default();
    let mut lines = text.split(|&b| b == b'\n');
    let mask = lines.find_map(|line| line.strip_prefix(b"SigIgn:"));
    let last = mask.and_then(|mask| mask.trim_ascii().last().copied());
    last.and_then(|digit| char::from(digit).to_digit(16))
        .is_some_and(|digit| digit & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: u32 = 1;
    // No process has such a PID (PID_MAX_LIMIT is 2^22).
    const REAPER: u32 = 1 << 23;
    const SUPERVISOR: u32 = REAPER + 1;
    const ORPHAN: u32 = REAPER + 2;
    const BOOTSTRAP: u32 = REAPER + 3;
    const NEXT: u32 = REAPER + 4;

    /// PID, parent and start; each leads its session.
    fn tree(list: &[(u32, u32, u64)]) -> ProcessTree {
        let mut tree = ProcessTree {
            by_pid: HashMap::new(),
        };
        for &(pid, parent, start) in list {
            // Fields 6 and 22 are the session and the start (proc_pid_stat(5)).
            let text = format!(
                "{pid} (p{pid}) S {parent} {pid} {pid} {} {start} {}",
                ["0"; 15].join(" "),
                ["0"; 30].join(" ")
            );
            let stat = Stat::from_read(text.as_bytes()).unwrap();
            tree.add(pid, stat);
        }
        tree
    }

    fn started_by(tree: &ProcessTree, of: u32, own: u32) -> (Option<u32>, Option<u32>, bool) {
        let found = tree.started_by(tree.get(of).unwrap(), tree.get(own).unwrap(), 0);
        (
            found.parent.map(|parent| parent.pid),
            found.supervisor.map(|supervisor| supervisor.pid),
            found.below_its_parent,
        )
    }

    #[test]
    fn the_supervisor_is_the_nearest_ancestor_older_than_the_orphan() {
        let tree = tree(&[
            (INIT, 0, 0),
            (SUPERVISOR, INIT, 5),
            (ORPHAN, INIT, 9),
            (BOOTSTRAP, SUPERVISOR, 70),
            (NEXT, BOOTSTRAP, 71),
        ]);
        assert_eq!(
            started_by(&tree, NEXT, ORPHAN),
            (Some(BOOTSTRAP), Some(SUPERVISOR), true)
        );
        // A supervisor with no bootstrap.
        assert_eq!(
            started_by(&tree, BOOTSTRAP, ORPHAN),
            (Some(SUPERVISOR), Some(SUPERVISOR), true)
        );
    }

    #[test]
    fn a_supervisor_that_is_younger_than_the_orphan_is_named_and_not_the_shell_it_came_from() {
        let tree = tree(&[
            (INIT, 0, 0),
            (REAPER, INIT, 2),
            (ORPHAN, INIT, 9),
            (SUPERVISOR, REAPER, 50),
            (BOOTSTRAP, SUPERVISOR, 70),
            (NEXT, BOOTSTRAP, 71),
        ]);
        let (next, own) = (tree.get(NEXT).unwrap(), tree.get(ORPHAN).unwrap());
        let supervisor = |since| tree.started_by(next, own, since).supervisor.unwrap().pid;
        assert_eq!(supervisor(60), SUPERVISOR);
        assert_eq!(supervisor(0), REAPER);
    }

    #[test]
    fn who_takes_in_orphans_started_nothing() {
        // The bootstrap of the next one is gone as well.
        let tree = tree(&[
            (INIT, 0, 0),
            (REAPER, INIT, 2),
            (ORPHAN, REAPER, 9),
            (NEXT, REAPER, 71),
        ]);
        assert_eq!(started_by(&tree, NEXT, ORPHAN), (Some(REAPER), None, false));
    }

    #[test]
    fn the_orphan_of_a_subreaper_is_below_it_by_way_of_another() {
        let tree = tree(&[
            (INIT, 0, 0),
            (REAPER, INIT, 2),
            (ORPHAN, REAPER, 9),
            (BOOTSTRAP, REAPER, 70),
            (NEXT, BOOTSTRAP, 71),
        ]);
        assert_eq!(
            started_by(&tree, NEXT, ORPHAN),
            (Some(BOOTSTRAP), Some(REAPER), true)
        );
    }

    #[test]
    fn orphans_that_a_users_service_manager_takes_in_were_started_apart() {
        for (comm, together) in [("systemd", false), ("node", true)] {
            let mut tree = tree(&[(REAPER, INIT, 2), (ORPHAN, REAPER, 9), (NEXT, REAPER, 71)]);
            tree.by_pid.get_mut(&REAPER).unwrap().comm = comm.into();
            let [reaper, a, b] = [REAPER, ORPHAN, NEXT].map(|pid| tree.get(pid).unwrap());
            assert_eq!(tree.are_of_one_start(a, b), together, "{comm}");
            assert!(!tree.are_of_one_line(a, b) && tree.are_of_one_line(reaper, b));
        }
    }

    #[test]
    fn a_list_that_changed_while_it_was_read_may_have_a_loop() {
        let tree = tree(&[
            (ORPHAN, BOOTSTRAP, 9),
            (BOOTSTRAP, NEXT, 70),
            (NEXT, BOOTSTRAP, 71),
        ]);
        assert_eq!(
            started_by(&tree, NEXT, ORPHAN),
            (Some(BOOTSTRAP), None, true)
        );
    }
}
