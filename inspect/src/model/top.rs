//! All processes of the system, and what each user has in use.

use super::{
    Account, CommandLine, Finding, Gap, InotifyLimits, Name, Process, Severity, Unit, UnitRow,
};
use clap::ValueEnum;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::HashMap;

/// One run of `fdscan top`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Top {
    /// Always `fdscan/1`.
    pub schema: &'static str,
    /// The version of this program.
    pub fdscan_version: &'static str,
    /// When the pass began: RFC 3339, UTC.
    pub taken_at: String,
    /// The limits of the system, for each user.
    pub limits: InotifyLimits,
    /// Every user with processes, most watches first.
    pub users: Vec<User>,
    /// Every container, pod and unit with processes, most watches first.
    pub units: Vec<UnitRow>,
    /// The processes asked for.
    pub processes: Vec<Row>,
    /// How many processes are not listed.
    pub processes_left_out: usize,
    /// What could not be seen, and why.
    pub incomplete: Vec<Gap>,
    /// The processes are sorted by their units.
    #[serde(skip)]
    pub by_unit: bool,
}

/// What one user has in use. The kernel charges an instance and its watches to the user who created it
/// (fs/notify/inotify/inotify_user.c, `inotify_new_group`). That user is not shown anywhere, so it is taken to be
/// the user of the first process that has it. The user who created that user's namespace is charged as well.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct User {
    /// The user.
    #[serde(flatten)]
    pub account: Account,
    /// Its name in /etc/passwd.
    pub name: Option<Name>,
    /// How many processes it is charged for.
    pub processes: u64,
    /// How many of them have descriptors that may not be read.
    pub unreadable: u64,
    /// Watches of all its instances; `None` if no process could be read.
    pub watches: Option<u64>,
    /// Its instances. An instance that several processes have counts once.
    pub instances: Option<u64>,
    /// The limits it is near.
    pub findings: Vec<FindingSummary>,
    /// Whether the sums are lower bounds, because a process could not be read, or one in other namespaces may count.
    pub at_least: bool,
    /// The limit of its watches.
    pub max_watches: Option<u64>,
    /// The limit of its instances.
    pub max_instances: Option<u64>,
}

impl User {
    /// Whether it may have less than `limits` allow.
    pub fn is_bounded_below(&self, limits: &InotifyLimits) -> bool {
        let lower = |own: Option<u64>, other: Option<u64>| {
            own.is_some_and(|own| other.is_none_or(|other| own < other))
        };
        lower(self.max_watches, limits.max_user_watches)
            || lower(self.max_instances, limits.max_user_instances)
    }
}

/// One process in one line. `None` means that this user may not know it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Row {
    /// Its PID.
    pub pid: u32,
    /// The name of its main thread.
    pub comm: Option<Name>,
    /// Its command line, or its name in brackets if it has none.
    pub command: Option<CommandLine>,
    /// The container, pod or systemd unit that it belongs to; `None` if it is in none that is known.
    pub unit: Option<Unit>,
    /// Its effective user.
    pub uid: Option<u32>,
    /// That user's name.
    pub user: Option<Name>,
    /// Watches of its instances.
    pub watches: Option<u64>,
    /// Its inotify instances. An instance with several descriptors counts once.
    pub instances: Option<u64>,
    /// Its descriptors.
    pub fds: FdsInUse,
    /// Bytes of the logs of its databases.
    pub wal_bytes: Option<u64>,
    /// Its databases with a log.
    pub sqlite: Option<Vec<LogInUse>>,
    /// What is wrong, worst first, as far as one pass shows it.
    pub findings: Option<Vec<FindingSummary>>,
}

/// The descriptors of a process and their limit.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FdsInUse {
    /// How many are open.
    pub open: Option<u64>,
    /// RLIMIT_NOFILE, soft.
    pub soft_limit: Option<u64>,
}

/// A database that a process has open, and its log.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogInUse {
    /// Its path.
    pub database: Name,
    /// Descriptors of its -wal: one for each connection.
    pub wal_handles: usize,
    /// The size of its -wal.
    pub wal_bytes: Option<u64>,
    /// Bytes of the log that are not in the database yet.
    pub pending_bytes: Option<u64>,
}

/// A finding by its name.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FindingSummary {
    /// Which.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
}

/// What the processes are sorted by: most first, unknown last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// The worst finding, then how many there are.
    Findings,
    /// Watches.
    Watches,
    /// Inotify instances.
    Instances,
    /// Open descriptors.
    Fds,
    /// Bytes of SQLite logs.
    Wal,
    /// The name, A to Z.
    Name,
    /// The PID, lowest first.
    Pid,
    /// The watches of its container, pod or unit, whose processes come one after the other.
    Unit,
}

impl Row {
    /// From a process as one pass saw it; `readable` says whether its descriptors were.
    pub fn new(
        process: &Process,
        user: Option<&Name>,
        readable: bool,
        findings: &[Finding],
    ) -> Row {
        let logs = process.sqlite.iter().filter(|db| db.wal_handles > 0);
        let sizes: Option<Vec<u64>> = logs.clone().map(|db| db.wal_bytes).collect();
        let brief = |finding: &Finding| FindingSummary {
            code: finding.code,
            severity: finding.severity,
        };
        Row {
            pid: process.pid,
            comm: process.comm.clone(),
            command: CommandLine::of(
                process.cmdline.clone().unwrap_or_default(),
                process.comm.clone(),
            ),
            unit: process.unit.clone(),
            uid: process.uid,
            user: user.cloned(),
            watches: readable.then(|| {
                process
                    .instances()
                    .map(|instance| instance.watch_count as u64)
                    .sum()
            }),
            instances: readable.then(|| process.instances().count() as u64),
            fds: FdsInUse {
                open: process.fds.open,
                soft_limit: process.fds.soft_limit,
            },
            wal_bytes: sizes.filter(|_| readable).map(|all| all.iter().sum()),
            sqlite: readable.then(|| {
                logs.map(|db| LogInUse {
                    database: db.database.clone(),
                    wal_handles: db.wal_handles,
                    wal_bytes: db.wal_bytes,
                    pending_bytes: db.wal.as_ref().and_then(|wal| wal.pending_bytes),
                })
                .collect()
            }),
            findings: (readable || !findings.is_empty())
                .then(|| findings.iter().map(brief).collect()),
        }
    }

    /// The worst finding.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().flatten().map(|f| f.severity).max()
    }
}

impl Top {
    /// Sorts the processes and keeps the first `limit` of them.
    pub fn arrange(&mut self, sort: Sort, limit: Option<usize>) {
        let by = &mut self.processes;
        // A stable sort: equal ones stay in the order of their PIDs.
        by.sort_by_key(|row| row.pid);
        by.sort_by_key(|row| Reverse((row.watches, row.fds.open)));
        match sort {
            Sort::Findings => {
                by.sort_by_key(|row| Reverse((row.worst(), row.findings.as_ref().map(Vec::len))))
            }
            Sort::Watches => {}
            Sort::Instances => by.sort_by_key(|row| Reverse(row.instances)),
            Sort::Fds => by.sort_by_key(|row| Reverse(row.fds.open)),
            Sort::Wal => by.sort_by_key(|row| Reverse(row.wal_bytes)),
            Sort::Name => by.sort_by(|a, b| (&a.comm, a.pid).cmp(&(&b.comm, b.pid))),
            Sort::Pid => by.sort_by_key(|row| row.pid),
            Sort::Unit => {
                // They are sorted themselves.
                let units = self.units.iter().enumerate();
                let places: HashMap<_, _> = units.map(|(at, unit)| (&unit.unit, at)).collect();
                by.sort_by_key(|row| places.get(&row.unit).copied());
            }
        }
        self.by_unit = sort == Sort::Unit;
        let kept = limit.unwrap_or(usize::MAX);
        self.processes_left_out = by.len().saturating_sub(kept);
        by.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: u32, comm: &str, watches: Option<u64>, open: u64) -> Row {
        let mut row = Row::new(&Process::default(), None, true, &[]);
        row.pid = pid;
        row.comm = Some(comm.into());
        row.watches = watches;
        row.fds.open = Some(open);
        row
    }

    fn sorted(sort: Sort) -> Vec<u32> {
        let mut top = Top {
            schema: "",
            fdscan_version: "",
            taken_at: String::new(),
            limits: InotifyLimits::default(),
            users: Vec::new(),
            processes: vec![
                row(1, "b", None, 900),
                row(2, "c", Some(0), 5),
                row(3, "a", Some(7), 5),
                row(4, "d", Some(0), 6),
            ],
            units: Vec::new(),
            processes_left_out: 0,
            incomplete: Vec::new(),
            by_unit: false,
        };
        let brief = |severity| FindingSummary {
            code: "x",
            severity,
        };
        top.processes[1].findings = Some(vec![brief(Severity::Warning); 2]);
        top.processes[3].findings = Some(vec![brief(Severity::Critical)]);
        top.arrange(sort, None);
        top.processes.iter().map(|row| row.pid).collect()
    }

    #[test]
    fn what_is_not_known_comes_after_nothing_at_all() {
        assert_eq!(sorted(Sort::Watches), [3, 4, 2, 1]);
    }

    #[test]
    fn the_worst_finding_outweighs_their_number() {
        assert_eq!(sorted(Sort::Findings), [4, 2, 3, 1]);
    }

    #[test]
    fn names_and_pids_go_up_and_figures_down() {
        assert_eq!(sorted(Sort::Name), [3, 1, 2, 4]);
        assert_eq!(sorted(Sort::Pid), [1, 2, 3, 4]);
        assert_eq!(sorted(Sort::Fds), [1, 4, 3, 2]);
    }
}
