//! Reads one process, source by source. The order matters, because later sources depend on earlier ones.

use crate::gather::accounts::charged::Accounts;
use crate::gather::accounts::usage::Counted;
use crate::gather::accounts::{limits, usage};
use crate::gather::descriptors::census;
use crate::gather::inotify::activity::Monitors;
use crate::gather::inotify::paths::Hearing;
use crate::gather::inotify::{coverage, paths, watches};
use crate::gather::process::healed::healed;
use crate::gather::process::paused::paused;
use crate::gather::process::{image, status, supervisor, unit};
use crate::gather::sqlite;
use crate::gather::sqlite::databases;
use crate::gather::subject::Subject;
use crate::gather::subject::gaps::{Gaps, errno_text};
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::options::Options;
use crate::gather::survey::surroundings;
use crate::model::{Account, Failure, FailureKind, InotifyLimits, Kind, Process, UserUsage, Woken};
use crate::sys;
use std::collections::HashMap;

/// What all PIDs of one run share.
pub struct Session {
    options: Options,
    /// The limits of the system.
    pub limits: InotifyLimits,
    accounts: Accounts,
    /// Monitors that listen for longer than one look takes.
    monitors: Option<Monitors>,
    names: unit::Names,
    /// By the charged account, and by whether watches were counted.
    users: HashMap<(Account, bool), (Vec<UserUsage>, Gaps)>,
}

impl Session {
    /// Reads what is the same for all processes.
    pub fn new(options: Options) -> Session {
        let limits = limits::inotify();
        Session {
            options,
            accounts: Accounts::new(limits.clone()),
            limits,
            monitors: options.window.map(|_| Monitors::default()),
            names: unit::Names::default(),
            users: HashMap::new(),
        }
    }

    /// From now on, listens with these monitors.
    pub fn with(mut self, monitors: Monitors) -> Session {
        self.monitors = Some(monitors);
        self
    }

    /// Starts counting events for the processes that were read. Nothing more is read from now on. Returns whether there
    /// is anything to listen to.
    pub fn begin_to_hear(&mut self) -> bool {
        self.monitors.as_mut().is_some_and(Monitors::begin)
    }

    /// The events of a process so far, if there is a monitor for it.
    pub fn woken(&mut self, pid: u32) -> Option<Woken> {
        self.monitors.as_mut()?.hear(pid)
    }

    /// Its monitors, so that they can be kept or queried.
    pub fn monitors(self) -> Monitors {
        self.monitors.unwrap_or_default()
    }

    /// Reads one process. Both parts of the answer may be present: the name and limits of another user's process are
    /// readable.
    pub fn process(&mut self, pid: u32, gaps: &mut Gaps) -> (Option<Process>, Option<Failure>) {
        let (dir, mut process) = match status::identify(pid) {
            Ok(found) => found,
            Err(failure) => return (None, Some(failure)),
        };
        limits::of_process(&dir, &mut process.fds, gaps);
        let mounts = Mounts::of(&dir, gaps);
        let failure = self.survey(&mut Subject {
            dir: &dir,
            mounts: &mounts,
            process: &mut process,
            gaps,
        });
        match failure {
            // Nothing was seen of what it had open, so a report would say that nothing is wrong with it.
            Some(ended) if ended.kind == FailureKind::NoProcess => (None, Some(ended)),
            failure => (Some(process), failure),
        }
    }

    /// Reads source by source. Each source comes after those that it depends on.
    fn survey(&mut self, subject: &mut Subject<'_>) -> Option<Failure> {
        subject.process.unit = self.names.of(subject.dir);
        let environ = image::program(subject);
        if let Err(failure) = descriptors(subject) {
            return Some(failure);
        }
        // From here on it is known which of our own looks its watches would report.
        let counted = self.inotify(subject);
        coverage::note(subject.dir, subject.process);
        supervisor::note_rules(subject.process);
        if image::may_start_again(subject.process) {
            image::start(subject, &environ);
        }
        subject.process.healed = healed(subject.process);
        subject.process.paused = paused(subject.process);
        databases::group(subject);
        sqlite::look(subject);
        sqlite::watch_writers(subject);
        // A scan with a window does this at its end.
        if self.options.window.is_none() && !self.options.listen.is_zero() {
            sqlite::write_rate(subject);
        }
        surroundings::read(subject);
        self.charge(subject, counted);
        if self.options.all {
            subject.process.fds.list = Some(subject.process.descriptors.clone());
        }
        None
    }

    /// Reads its instances with their watches and paths, and whether it is being woken. Returns the instances that
    /// count.
    fn inotify(&mut self, subject: &mut Subject<'_>) -> Vec<Counted> {
        let (dir, mounts) = (subject.dir, subject.mounts);
        let all = subject.process.descriptors.iter();
        let fds = all.filter(|d| d.kind == Kind::Inotify).map(|d| d.fd);
        let mut read = watches::read(dir, fds, self.options.paths, subject.gaps);
        watches::read_others(dir, &mut read, self.options.paths, subject.gaps);
        mounts.identify(dir, watches::watches(&mut read));
        if self.options.paths {
            let learnt = paths::resolve(subject, &mut read, &self.options);
            subject.process.watch_trees = learnt.trees;
            let hearing = Hearing::of(subject.process);
            subject.process.woken = match &mut self.monitors {
                Some(monitors) => {
                    paths::place(dir, mounts, hearing, &read, monitors);
                    learnt.woken
                }
                None => {
                    let listen = || paths::listen(dir, mounts, hearing, &read, self.options.listen);
                    learnt.woken.or_else(listen)
                }
            };
        }
        let pid = subject.process.pid;
        let own = read
            .iter()
            .map(|read| &read.instance)
            .filter(|instance| instance.same_instance_as.is_none());
        let counted = own.map(|instance| Counted {
            pid: instance.thread.unwrap_or(pid),
            fd: instance.fd,
            watches: instance.watch_count as u64,
        });
        let counted = counted.collect();
        subject.process.inotify = read.into_iter().map(|read| read.instance).collect();
        counted
    }

    /// Determines who is charged for the instances `counted`, and how much of their limits these users have in use.
    fn charge(&mut self, subject: &mut Subject<'_>, counted: Vec<Counted>) {
        let pid = subject.process.pid;
        let Some(uid) = subject.process.uid else {
            return;
        };
        // The kernel takes 3 us to print a watch. A process without an instance has no use for the watches of others,
        // so it must not wait for 100,000 of them.
        let count = !counted.is_empty();
        let charged = self.accounts.of(pid, uid);
        let first = charged.first().map(|(account, _)| *account);
        let nobody = Account {
            user_namespace: None,
            uid,
        };
        let accounts = &mut self.accounts;
        let of_user = self.users.entry((first.unwrap_or(nobody), count));
        let (usage, unseen) = of_user.or_insert_with(|| {
            let mut unseen = Gaps::default();
            let usage = usage::usage(accounts, &charged, pid, counted, count, &mut unseen);
            (usage, unseen)
        });
        subject.process.is_charged_to(usage.clone());
        subject.gaps.extend(unseen);
    }
}

/// Reads the census of descriptors.
fn descriptors(subject: &mut Subject<'_>) -> Result<(), Failure> {
    let Subject {
        dir,
        mounts,
        process,
        gaps,
    } = subject;
    match census::read(dir, mounts, &mut process.fds, gaps) {
        // Once a process has ended, root finds no descriptors, and any other user is refused, even the process's own.
        Ok(list) if list.is_empty() && status::has_ended(dir) => Err(ended(process)),
        Err(_) if status::has_ended(dir) => Err(ended(process)),
        Ok(list) => {
            process.descriptors = list;
            process.fds.roll_up(&process.descriptors);
            Ok(())
        }
        Err(e) => {
            let pid = process.pid;
            // A process of the same user may be refused too (prctl(2), PR_SET_DUMPABLE), and root without its
            // capabilities is like any other user.
            let own = sys::effective_user();
            let way_out = match process.uid {
                _ if own == 0 => "root needs CAP_SYS_PTRACE for it here".into(),
                Some(uid) if uid != own => format!("run fdscan as user {uid} or as root"),
                _ => "run fdscan as root".to_owned(),
            };
            gaps.note("its descriptors, watches and databases", errno_text(&e));
            Err(Failure {
                pid: Some(pid),
                why: format!(
                    "the descriptors of process {pid} cannot be read ({}): {way_out}",
                    errno_text(&e)
                ),
                kind: FailureKind::NotPermitted,
            })
        }
    }
}

/// The failure for a process that ended before its descriptors could be read.
fn ended(process: &Process) -> Failure {
    let pid = process.pid;
    let name = process.comm.as_ref();
    let name = name.map_or_else(String::new, |comm| format!(" ({comm})"));
    let parent = process
        .ppid
        .map_or_else(String::new, |pid| format!(", process {pid}"));
    let why = match process.state {
        Some('Z') => format!(
            "process {pid}{name} is a zombie: it has ended, and only its exit status waits for its parent{parent}"
        ),
        _ => format!("process {pid}{name} ended before it could be seen what it had open"),
    };
    Failure {
        pid: Some(pid),
        why,
        kind: FailureKind::NoProcess,
    }
}
