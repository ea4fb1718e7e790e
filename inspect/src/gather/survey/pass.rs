//! Every process of the system in one pass. Only what is shown is read: links of descriptors, fdinfo of inotify
//! instances, and what findings depend on ([`glance`]). No path is searched for.

use crate::gather::accounts::charged::{Accounts, Limits};
use crate::gather::accounts::instances::{Instances, KnownInstance};
use crate::gather::accounts::limits;
use crate::gather::accounts::users::Users;
use crate::gather::inotify::watches;
use crate::gather::process::processes::Processes;
use crate::gather::process::unit::Names;
use crate::gather::process::{pid_namespace, processes, status};
use crate::gather::subject::gaps::{Gaps, errno_text, is_gone, not_permitted};
use crate::gather::subject::mounts::Cache;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::survey::glance;
use crate::gather::survey::links::Links;
use crate::gather::survey::selection::Selection;
use crate::model::{
    Account, InotifyLimits, Instance, MaskCount, Process, Unit, UnitUse, User, UserUsage,
};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::rc::Rc;

/// The result of a pass.
pub struct Pass {
    /// The selected processes, in the order of their PIDs, and whether their descriptors could be read.
    pub processes: Vec<(Process, bool)>,
    /// The users of all processes read, by number. After them the users in user namespaces with lower limits.
    pub users: Vec<User>,
    /// What the processes of each unit use together, for all processes read. `None` stands for processes in no unit.
    pub units: Vec<(Option<Unit>, UnitUse)>,
}

/// Reads all processes. Kernel threads and zombies are left out, because they have no descriptors.
///
/// # Errors
/// The errno of opening or listing /proc.
pub fn pass(
    selection: &Selection,
    names: &Users,
    limits: &InotifyLimits,
    gaps: &mut Gaps,
) -> io::Result<Pass> {
    let mut all = Processes::open()?;
    let mut reader = Reader {
        selection,
        accounts: Accounts::new(limits.clone()),
        instances: Instances::new(),
        mounts: Cache::default(),
        names: Names::default(),
        users: BTreeMap::new(),
        units: BTreeMap::new(),
        buffer: Vec::new(),
    };
    let mut processes = Vec::new();
    let pids = all.pids()?;
    if processes::are_hidden(&pids) {
        gaps.note(
            "processes of other users",
            "/proc hides them (mounted with hidepid, proc(5)): root sees them",
        );
    }
    if pid_namespace::other_than_first().is_some() {
        gaps.note(
            "processes outside of this PID namespace",
            "they have no PID here, but count for the limits of their users: look from there",
        );
    }
    for pid in pids {
        match reader.process(&mut all, pid) {
            Ok(seen) => processes.extend(seen),
            Err(e) if is_gone(&e) => {}
            Err(e) => gaps.note(format!("process {pid}"), errno_text(&e)),
        }
    }
    reader.instances.report(gaps);
    let mut users = reader.sums(names);
    let unreadable: u64 = users.iter().map(|user| user.unreadable).sum();
    if unreadable > 0 {
        gaps.count(
            usize::try_from(unreadable).unwrap_or(usize::MAX),
            "processes whose watches, databases and findings are unknown",
            not_permitted(),
        );
    }
    for (process, _, charged) in &mut processes {
        let usages = charged.iter().filter_map(|(account, limits)| {
            let user = users.iter().find(|user| user.account == *account)?;
            Some(UserUsage {
                account: *account,
                watches: user.watches,
                instances: user.instances?,
                at_least: user.at_least,
                max_watches: limits.watches,
                max_instances: limits.instances,
                holders: Vec::new(),
                units: Vec::new(),
            })
        });
        process.is_charged_to(usages.collect());
    }
    // An account that only the namespaces above limit has no limit of its own.
    users.retain(|user| user.account.user_namespace.is_none() || user.is_bounded_below(limits));
    let shown = |(process, readable, _)| (process, readable);
    Ok(Pass {
        processes: processes.into_iter().map(shown).collect(),
        users,
        units: reader.units.into_iter().collect(),
    })
}

/// The accounts that are charged for what a process does, with their limits.
type Chain = Rc<[(Account, Limits)]>;

struct Reader<'a> {
    selection: &'a Selection,
    accounts: Accounts,
    instances: Instances<Charged>,
    mounts: Cache,
    names: Names,
    users: BTreeMap<Account, Processed>,
    units: BTreeMap<Option<Unit>, UnitUse>,
    buffer: Vec<u8>,
}

/// One instance.
struct Charged {
    /// Who is charged: the assumed creator of the instance, then the creator of that user's namespace, and so on.
    to: Chain,
    watches: usize,
    masks: Vec<MaskCount>,
}

/// Processes of one user.
#[derive(Default)]
struct Processed {
    all: u64,
    unreadable: u64,
    limits: Limits,
}

impl Reader<'_> {
    fn process(
        &mut self,
        all: &mut Processes,
        pid: u32,
    ) -> io::Result<Option<(Process, bool, Chain)>> {
        let summary = all.summary(pid)?;
        if summary.count == Some(0) {
            return Ok(None);
        }
        // The descriptors of an undumpable process belong to root, whoever runs it.
        let uid = match summary.owner {
            0 => all.user(pid)?,
            owner => owner,
        };
        if self.selection.uid.is_some_and(|wanted| wanted != uid) {
            return Ok(None);
        }
        let links = match Links::read(all, pid, summary.count) {
            Ok(links) if links.open == 0 => return Ok(None),
            Ok(links) => Some(links),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => None,
            Err(e) => return Err(e),
        };
        let dir = ProcDir::open(pid)?;
        let mut process = Process {
            pid,
            uid: Some(uid),
            comm: status::comm(&dir),
            unit: self.names.of(&dir),
            ..Process::default()
        };
        let charged: Chain = self.accounts.of(pid, uid).into();
        let mut share = UnitUse::default();
        if let Some(links) = &links {
            process.inotify = self.inotify(&dir, &charged, &mut share, &links.inotify);
        }
        share.processes = 1;
        share.unreadable = u64::from(links.is_none());
        share.fds = links
            .as_ref()
            .map_or(summary.count, |links| Some(links.open));
        self.units
            .entry(process.unit.clone())
            .or_default()
            .add(&share);
        for (account, limits) in charged.iter() {
            let user = self.users.entry(*account).or_default();
            user.all += 1;
            user.unreadable += u64::from(links.is_none());
            user.limits = *limits;
        }
        let named = self.selection.named.as_ref();
        if named.is_some_and(|named| !named.has(&dir)) {
            return Ok(None);
        }
        process.fds.open = links
            .as_ref()
            .map_or(summary.count, |links| Some(links.open));
        process.cmdline = status::command_line(&dir);
        limits::of_process(&dir, &mut process.fds, &mut Gaps::default());
        if let Some(links) = &links {
            glance::read(&dir, &mut self.mounts, &mut process, links);
        }
        Ok(Some((process, links.is_some(), charged)))
    }

    /// Reads the instances at the descriptors `fds`. An instance that another process has too is not read again and is
    /// not counted in `share`.
    fn inotify(
        &mut self,
        dir: &ProcDir,
        charged: &Chain,
        share: &mut UnitUse,
        fds: &[i32],
    ) -> Vec<Instance> {
        let mut list: Vec<Instance> = Vec::new();
        // The descriptor of each known instance in this process. The key is the process and descriptor where it was
        // found first.
        let mut seen: HashMap<(u32, i32), i32> = HashMap::new();
        for &fd in fds {
            let instance = match self.instances.find(dir.pid, fd) {
                Ok(known) => {
                    let first = *seen.entry((known.pid, known.fd)).or_insert(fd);
                    let again = first != fd;
                    Instance {
                        fd,
                        thread: None,
                        watch_count: known.what.watches,
                        masks: if again {
                            Vec::new()
                        } else {
                            known.what.masks.clone()
                        },
                        watches: Vec::new(),
                        same_instance_as: again.then_some(first),
                        covered_by: None,
                        waits: None,
                    }
                }
                Err(place) => {
                    // A descriptor that vanishes meanwhile has no watches any more.
                    let gaps = &mut Gaps::default();
                    let new = watches::read_one(dir, fd, false, &mut self.buffer, gaps).instance;
                    share.instances += 1;
                    share.watches += new.watch_count as u64;
                    let what = Charged {
                        to: Rc::clone(charged),
                        watches: new.watch_count,
                        masks: new.masks.clone(),
                    };
                    let pid = dir.pid;
                    self.instances.add(place, KnownInstance { pid, fd, what });
                    seen.insert((dir.pid, fd), fd);
                    new
                }
            };
            list.push(instance);
        }
        list
    }

    fn sums(&self, names: &Users) -> Vec<User> {
        let mut sums: HashMap<Account, (u64, u64)> = HashMap::new();
        for instance in self.instances.iter() {
            for (account, _) in instance.to.iter() {
                let (instances, watches) = sums.entry(*account).or_default();
                *instances += 1;
                *watches += instance.watches as u64;
            }
        }
        let all_in_sight = self.accounts.all_in_sight();
        self.users
            .iter()
            .map(|(&account, seen)| {
                let readable = seen.unreadable < seen.all;
                let (instances, watches) = sums.get(&account).copied().unwrap_or_default();
                User {
                    account,
                    name: names.name(account.uid).cloned(),
                    processes: seen.all,
                    unreadable: seen.unreadable,
                    watches: readable.then_some(watches),
                    instances: readable.then_some(instances),
                    findings: Vec::new(),
                    at_least: seen.unreadable > 0 || !all_in_sight,
                    max_watches: seen.limits.watches,
                    max_instances: seen.limits.instances,
                }
            })
            .collect()
    }
}
