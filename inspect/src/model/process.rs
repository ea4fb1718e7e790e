//! A process.

use super::{
    Change, Database, Descriptor, Fds, Growth, Healed, Identity, Instance, Kqueue, LimitsAhead,
    Name, Part, Paused, Program, Surroundings, Unit, WatchTree, Woken,
};
use serde::Serialize;
use std::collections::HashSet;

/// One process as it was seen. By default nothing is known of it.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Process {
    /// Its PID.
    pub pid: u32,
    /// Its parent.
    pub ppid: Option<u32>,
    /// The name of its main thread.
    pub comm: Option<Name>,
    /// Its program; `None` for a kernel thread.
    pub exe: Option<Name>,
    /// Its command line; empty for a kernel thread or a zombie.
    pub cmdline: Option<Vec<Name>>,
    /// Its effective user: inotify charges are made to it.
    pub uid: Option<u32>,
    /// Its effective group.
    #[serde(skip)]
    pub gid: Option<u32>,
    /// Its supplementary groups; of a process that may be started again.
    #[serde(skip)]
    pub groups: Vec<u32>,
    /// Its HOME, if that is a whole path; of such a process.
    #[serde(skip)]
    pub home: Option<Name>,
    /// When it started: RFC 3339, UTC.
    pub start_time: Option<String>,
    /// The same in clock ticks since boot: exact, so with the PID it names the process for good. Linux only: a Mac tells
    /// microseconds, which `start_time` has.
    #[serde(skip)]
    pub start_ticks: Option<u64>,
    /// The state letter of proc_pid_stat(5).
    pub state: Option<char>,
    /// Whether a dynamic loader starts its program.
    pub linkage: Option<Linkage>,
    /// Whether libwatchfix is in it.
    pub preload: Preload,
    /// Its descriptors.
    pub fds: Fds,
    /// Its inotify instances.
    pub inotify: Vec<Instance>,
    /// On a Mac, its kqueues that watch files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kqueue: Vec<Kqueue>,
    /// Where its watches without a known path most likely are, if listing these places would wake it.
    pub watch_trees: Vec<WatchTree>,
    /// What was heard on its watched inodes while it was looked at; `None` where no watch reports looks, or nothing
    /// could be listened to.
    #[serde(skip)]
    pub woken: Option<Woken>,
    /// The SQLite databases it has open.
    pub sqlite: Vec<Database>,
    /// The container, pod or systemd unit that it belongs to; `None` if it is in none that is known.
    pub unit: Option<Unit>,
    /// What its user has in use in total. For a process in another user namespace: the user in fdscan's own namespace
    /// who created that one, or the one around it.
    pub user: Option<UserUsage>,
    /// The other accounts it is charged to, in other user namespaces, its own first.
    pub user_namespaces: Vec<UserUsage>,
    /// Its session, its listeners and related processes.
    #[serde(flatten)]
    pub surroundings: Surroundings,
    /// What grew between two samples; `None` with one sample.
    pub growth: Option<Growth>,
    /// Every descriptor.
    #[serde(skip)]
    pub descriptors: Vec<Descriptor>,
    /// The rules it was started with: `WATCHFIX_*` of its environment. Findings about watches consult
    /// them in `findings::rules_in_force`.
    #[serde(skip)]
    pub watchfix_rules: Vec<(Name, Name)>,
    /// It was started by `watchfix run`, whose supervisor judges its calls.
    #[serde(skip)]
    pub supervised: bool,
    /// What `watchfix heal` did to it, and with which rules, as far as its record may be read.
    #[serde(skip)]
    pub healed: Option<Healed>,
    /// The pause it is under, if a record of it may be read.
    #[serde(skip)]
    pub paused: Option<Paused>,
    /// Where it was looked for when it was started, in its own PATH; `None` where it was called by a path, or what lies
    /// there now is another program.
    #[serde(skip)]
    pub found_in_path: Option<Program>,
    /// Why a preload may be refused: the program gains privileges when it starts.
    #[serde(skip)]
    pub gains_privileges: Option<bool>,
    /// It is a thread of the kernel: no program, no memory of its own.
    #[serde(skip)]
    pub kernel_thread: bool,
    /// The word size of its program: 32 or 64 bits.
    #[serde(skip)]
    pub word_bits: Option<u8>,
}

impl Process {
    /// Takes over what grew: what became of a database stands with it.
    pub fn grew(&mut self, mut growth: Growth) {
        for database in self.sqlite.iter_mut().filter(|database| !database.deleted) {
            database.growth = growth.databases.remove(&database.database);
        }
        growth.limits = self.limits_ahead(&growth);
        self.growth = Some(growth);
    }

    /// When what grew meets its limits.
    fn limits_ahead(&self, growth: &Growth) -> LimitsAhead {
        let ahead = |change: Option<Change>, limit: Option<u64>, used: Option<u64>, own: u64| {
            // A new user namespace has none of its own (kernel/user_namespace.c: INT_MAX).
            let limit = limit.filter(|&limit| limit < i32::MAX as u64)?;
            change?.until(limit, used?, own, growth.seconds)
        };
        let (fds, open) = (&self.fds, self.fds.open.unwrap_or(0));
        let (of_instances, of_watches) = (self.instances_account(), self.watches_account());
        let watches = self.instances().map(|instance| instance.watch_count as u64);
        LimitsAhead {
            descriptors: ahead(growth.descriptors, fds.soft_limit, fds.open, open),
            instances: ahead(
                growth.instances,
                of_instances.and_then(|user| user.max_instances),
                of_instances.map(|user| user.instances),
                self.instances().count() as u64,
            ),
            watches: ahead(
                growth.watches,
                of_watches.and_then(|user| user.max_watches),
                of_watches.and_then(|user| user.watches),
                watches.sum(),
            ),
        }
    }

    /// Takes over the accounts it is charged to, its own first.
    pub fn is_charged_to(&mut self, mut accounts: Vec<UserUsage>) {
        let here = |usage: &mut UserUsage| usage.account.user_namespace.is_none();
        self.user = accounts.pop_if(here);
        self.user_namespaces = accounts;
    }

    /// Of the accounts it is charged to, the one that has least of its watches left.
    pub fn watches_account(&self) -> Option<&UserUsage> {
        let fullness = |usage: &&UserUsage| fullness(usage.watches, usage.max_watches);
        self.accounts().max_by_key(fullness)
    }

    /// Of the accounts it is charged to, the one that has least of its instances left.
    pub fn instances_account(&self) -> Option<&UserUsage> {
        let fullness = |usage: &&UserUsage| fullness(Some(usage.instances), usage.max_instances);
        self.accounts().max_by_key(fullness)
    }

    fn accounts(&self) -> impl Iterator<Item = &UserUsage> {
        self.user_namespaces.iter().chain(&self.user)
    }

    /// Its inotify instances, each once, though it may have several descriptors of one.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.inotify
            .iter()
            .filter(|instance| instance.same_instance_as.is_none())
    }

    /// The files of its databases.
    pub fn database_parts(&self) -> impl Iterator<Item = &Part> + Clone {
        self.sqlite.iter().flat_map(|database| &database.parts)
    }

    /// What the files of its databases are known by.
    pub fn database_files(&self) -> HashSet<Identity> {
        self.database_parts()
            .filter_map(|part| part.identity)
            .collect()
    }

    /// It is known to have a dynamic loader, and makes its system calls by the C library.
    pub fn is_reached_by_library(&self) -> bool {
        self.linkage == Some(Linkage::Dynamic) && !self.preload.bypassed
    }

    /// libwatchfix.so is loaded, and sees its calls.
    pub fn has_library(&self) -> bool {
        self.preload.mapped == Some(true) && !self.preload.bypassed
    }
}

/// The share of a limit that is in use, in millionths; the least is what is not known.
fn fullness(used: Option<u64>, limit: Option<u64>) -> Option<u128> {
    Some(u128::from(used?) * 1_000_000 / u128::from(limit?.max(1)))
}

/// How a program is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Linkage {
    /// Without a program interpreter: LD_PRELOAD has no effect.
    Static,
    /// Started by a dynamic loader.
    Dynamic,
}

/// Whether libwatchfix is in this process.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Preload {
    /// The entries of LD_PRELOAD in its environment.
    pub requested: Option<Vec<Name>>,
    /// Whether libwatchfix.so is mapped.
    pub mapped: Option<bool>,
    /// It is a Go program: it makes its system calls itself, and a library sees none of them.
    #[serde(skip)]
    pub bypassed: bool,
    /// What is known about the requested libwatchfix.so itself.
    #[serde(skip)]
    pub library: Option<Library>,
}

/// The libwatchfix.so that LD_PRELOAD names, as the process would find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// No such file.
    Missing,
    /// There, an ELF file of this class in bits.
    Elf(u8),
    /// There, but no ELF file.
    NotElf,
}

/// Whom the kernel charges: a user in a user namespace (kernel/ucount.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Account {
    /// The inode of the namespace; `None` for the one fdscan runs in.
    pub user_namespace: Option<u64>,
    /// The user, by its UID as fdscan sees it.
    pub uid: u32,
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "user {}", self.uid)?;
        match self.user_namespace {
            Some(inode) => write!(f, " of user namespace {inode}"),
            None => Ok(()),
        }
    }
}

/// What one user has in use, as far as the processes that can be read show it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserUsage {
    /// The user.
    #[serde(flatten)]
    pub account: Account,
    /// Watches of all its processes; `None` if they were not counted because the process has no inotify instance.
    pub watches: Option<u64>,
    /// Inotify instances of all its processes.
    pub instances: u64,
    /// Whether the sums are lower bounds, because a process could not be read, or one in other namespaces may count.
    pub at_least: bool,
    /// The limit of its watches.
    pub max_watches: Option<u64>,
    /// The limit of its instances.
    pub max_instances: Option<u64>,
    /// Who has them, where that was counted by process: near a limit.
    #[serde(skip)]
    pub holders: Vec<LimitHolder>,
    /// The same by container, pod and unit, the largest ones.
    #[serde(skip)]
    pub units: Vec<UnitShare>,
}

/// What the processes of one unit have of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnitShare {
    /// The unit.
    pub unit: Unit,
    /// Its processes that have any.
    pub processes: u64,
    /// Their watches; 0 where they were not counted.
    pub watches: u64,
    /// Their instances.
    pub instances: u64,
}

/// A process and what it has of its user's limits.
#[derive(Debug, Clone)]
pub struct LimitHolder {
    /// Its PID.
    pub pid: u32,
    /// The name of its main thread.
    pub comm: Option<Name>,
    /// Its watches; 0 where they were not counted.
    pub watches: u64,
    /// Its instances.
    pub instances: u64,
}
