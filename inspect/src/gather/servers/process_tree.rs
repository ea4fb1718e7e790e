//! All processes by PID: which one started which, and where each came from.

use crate::gather::process::processes::Processes;
use crate::gather::process::unit;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Name, Origin, Unit};
use crate::process_tree::{self, Relative, relative};
use procfs::prelude::*;
use procfs::process::Stat;

/// Every process, with its /proc/PID/stat at the time of reading.
pub type ProcessTree = process_tree::ProcessTree<Stat>;

impl Relative for Stat {
    fn pid(&self) -> u32 {
        u32::try_from(self.pid).unwrap_or_default()
    }

    fn ppid(&self) -> Option<u32> {
        u32::try_from(self.ppid).ok()
    }

    fn session(&self) -> Option<u32> {
        u32::try_from(self.session).ok()
    }

    fn began(&self) -> u64 {
        self.starttime
    }

    fn name(&self) -> Name {
        self.comm.as_str().into()
    }

    fn is_init(&self) -> bool {
        is_init(self.pid)
    }

    /// A user's service manager is the subreaper (prctl(2)) of a login (src/core/main.c of systemd). Other subreapers
    /// cannot be recognised.
    fn adopts(&self) -> bool {
        self.comm == "systemd"
    }
}

impl ProcessTree {
    /// Reads all processes except those that have ended.
    pub fn read() -> ProcessTree {
        let pids = Processes::open().and_then(|mut all| all.pids());
        let pids = pids.into_iter().flatten();
        pids.filter_map(living).collect()
    }

    /// Where a process came from.
    pub fn origin(&self, dir: &ProcDir, own: &Stat) -> Option<Origin> {
        let parent = self.parent(own)?;
        let leader = own.session().and_then(|pid| self.get(pid));
        let after = own.starttime.saturating_sub(parent.starttime);
        let text = dir.read("cgroup").unwrap_or_default();
        let group = unit::service(&text);
        Some(Origin {
            parent: relative(parent),
            parent_is_init: self.is_init_parent_of(own),
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

    /// Whether a process is the one that its control group was made for. A systemd service has a control group of its
    /// own, and the oldest process in it was started for the service. Any other process may be the orphan of a
    /// supervisor.
    fn began(&self, group: &Vec<u8>, own: &Stat) -> bool {
        !self.all().any(|other| {
            other.starttime < own.starttime
                && std::fs::read(format!("/proc/{}/cgroup", other.pid))
                    .is_ok_and(|text| unit::service(&text).as_ref() == Some(group))
        })
    }
}

/// The stat of a running process; `None` if it has ended, even if its parent has not waited for it yet.
pub fn living(pid: u32) -> Option<Stat> {
    let text = ProcDir::open(pid).ok()?.read("stat").ok()?;
    let stat = Stat::from_read(&text[..]).ok()?;
    (!matches!(stat.state, 'Z' | 'X')).then_some(stat)
}

/// Whether a process is the first of its PID namespace, according to the last number of `NSpid:` in its status.
fn is_init(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/status")).is_ok_and(|text| {
        let line = text
            .split(|&b| b == b'\n')
            .find_map(|line| line.strip_prefix(b"NSpid:"));
        line.is_some_and(|ids| ids.split(|b| b.is_ascii_whitespace()).next_back() == Some(b"1"))
    })
}

/// The unit in which a service manager keeps a process.
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
