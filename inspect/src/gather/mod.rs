//! Reading the kernel: one module per source. Nothing here judges; findings do.
//!
//! The modules that read bytes anybody may have written are public, for `inspect/fuzz`.

mod access;
mod accounts;
mod auxv;
mod called;
pub mod claims;
mod client;
mod endpoints;
mod family;
pub mod fdinfo;
mod fds;
mod healed;
mod here;
mod identity;
mod inotify;
mod instances;
mod kin;
mod limits;
mod lines;
mod listening;
mod live;
pub mod locks;
mod maps;
mod mounts;
mod neighbours;
mod open_files;
mod paths;
mod proc_dir;
mod process;
mod processes;
mod program;
mod restarts;
mod sample;
mod search;
mod secrets;
mod signs;
mod sockets;
mod sqlite;
mod starts;
mod system;
mod thread;
mod threads;
mod top;
mod tree;
mod unit;
mod users;
mod view;
mod wakes;
pub mod wal;
mod window;
pub(crate) mod woken;

use crate::model::{
    Account, Failure, FailureKind, Gap, InotifyLimits, Kind, Name, Process, UserUsage, Woken,
};
use crate::sys;
pub use access::{Missing, missing as missing_access};
pub use accounts::Accounts;
pub use called::{Called, called};
pub use claims::{TTL as CLAIM_TTL, judge_paths as claims_at};
use healed::healed;
pub use here::{here, library_places, package_places, without_dots};
pub use identity::identity_of;
pub use inotify::masks_of;
pub use limits::{inotify as inotify_limits, of_process as fd_limits};
pub use listening::{OnPort, on_port};
pub use live::{Live, is_gone_since, is_same_file, own_watches, watches_of};
use mounts::Mounts;
pub use neighbours::{Counted, usage as user_usage};
pub use paths::{Opener, may_be_healed};
use proc_dir::ProcDir;
pub use process::{identity, is_title};
pub use processes::Processes;
pub use restarts::{Restarter, restarter};
pub use sample::Sampler;
pub use secrets::hide as without_secrets;
pub use signs::Signs;
use sockets::Tables;
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
pub use system::system;
pub use thread::{Thread, thread};
pub use top::{Named, Pass, Selection, pass};
pub use tree::{descendants, is_descendant};
pub use users::Users;
use view::{Last, View};
pub use wakes::LOOKS;
pub use wal::{again as database_again, database, owners_of};
pub use window::{LogWindow, Window};
pub use woken::Ears;

/// What a scan should do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Look for the paths of watched inodes.
    pub paths: bool,
    /// How long, for one process; with 0 no directory is listed.
    pub path_timeout: Duration,
    /// How long to listen whether it is being woken, where watches report looks; with 0 not at all.
    pub listen: Duration,
    /// What its watches report may be listed all the same.
    pub wake: bool,
    /// Show on standard error how far that is when it takes long.
    pub progress: bool,
    /// Keep the list of all descriptors in the report.
    pub all: bool,
    /// How far two samples lie apart; with `None` there is one.
    pub window: Option<Duration>,
}

/// Collects what could not be seen.
#[derive(Debug, Default)]
pub struct Gaps(Vec<Gap>);

impl Gaps {
    /// Notes that `what` is missing because of `why`.
    pub fn note(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.add(what.into(), why.into(), None);
    }

    /// Notes that `count` of `what` are missing because of `why`.
    pub fn count(&mut self, count: usize, what: impl Into<String>, why: impl Into<String>) {
        self.add(what.into(), why.into(), Some(count));
    }

    fn add(&mut self, what: String, why: String, count: Option<usize>) {
        let aside = false;
        self.0.push(Gap {
            what,
            why,
            count,
            aside,
        });
    }

    /// What no finding depends on, as far as can be seen.
    fn set_aside(&mut self) {
        self.0.iter_mut().for_each(|gap| gap.aside = true);
    }

    /// All of them, in the order they were met.
    pub fn into_list(self) -> Vec<Gap> {
        self.0
    }
}

/// An errno as the words of strerror(3), without Rust's "(os error N)".
pub(crate) fn errno_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        _ if error.kind() == io::ErrorKind::PermissionDenied => "permission denied".into(),
        Some(libc::ENOENT | libc::ESRCH) => "it is gone".into(),
        _ => {
            let text = error.to_string();
            match text.find(" (os error") {
                Some(at) => text.get(..at).unwrap_or_default().to_lowercase(),
                None => text,
            }
        }
    }
}

/// Where it listens, where it came from, who is like it, and what it claims.
fn surroundings(dir: &ProcDir, mounts: &Mounts, process: &mut Process, gaps: &mut Gaps) {
    process.around.cwd = View::of(dir, mounts).working_directory().map(Name::from);
    // Tables of a whole network namespace are read for who has a socket only.
    let sockets = process.descriptors.iter().any(|d| d.kind == Kind::Socket);
    if sockets {
        let wanted = endpoints::wanted(&process.descriptors);
        let tables = Tables::keeping(dir, &wanted);
        process.around.listeners = tables.of_descriptors(&process.descriptors);
        process.around.sockets = endpoints::of(&tables, wanted);
    }
    process.around.claims = claims::of_process(dir, mounts, process, gaps);
    // What has no state of its own is in nobody's way.
    process.around.client_gone = !process.sqlite.is_empty() && client::is_gone(dir, process);
    kin::read(dir, process);
}

/// The command line of a process and the name of its main thread; `None` if it has gone.
pub fn command_of(pid: u32) -> Option<(Vec<Name>, Option<Name>)> {
    let dir = ProcDir::open(pid).ok()?;
    // A zombie has a name and no command line: that it was there is all that is known.
    let comm = process::comm(&dir)?;
    Some((process::command_line(&dir).unwrap_or_default(), Some(comm)))
}

/// Whether a process can write through one of its descriptors; `None` if that cannot be told.
pub fn is_writable(pid: u32, fd: i32) -> Option<bool> {
    let text = ProcDir::open(pid)
        .ok()?
        .read(&format!("fdinfo/{fd}"))
        .ok()?;
    let flags = fdinfo::header(&text).flags?;
    Some(flags & libc::O_ACCMODE != libc::O_RDONLY)
}

/// A path of this program without links; `None` where nothing is there, or nobody answers.
pub fn resolved(path: &[u8]) -> Option<Vec<u8>> {
    with_own_view(|view| {
        let found = view::named(view, path, Last::Follow).ok()?;
        view::real_path(found.as_fd()).ok()
    })
}

/// Why nothing can be written at a path of this program: the file system it leads to does not answer.
pub fn unanswered(path: &Path) -> Option<&'static str> {
    with_own_view(|view| {
        let found = view::named(view, path.as_os_str().as_bytes(), Last::Follow);
        view::left_out(&found.err()?)
    })
}

/// Whether a regular file is at a path of this program, where looking cannot hang.
pub fn is_file(path: &[u8]) -> bool {
    let stat = with_own_view(|view| view.stat(path, Last::Follow).ok());
    stat.is_some_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
}

fn with_own_view<T>(look: impl FnOnce(&View<'_>) -> Option<T>) -> Option<T> {
    let own = ProcDir::open(std::process::id()).ok()?;
    let mounts = Mounts::of(&own, &mut Gaps::default());
    look(&View::of(&own, &mounts))
}

/// The name of a process's main thread; `None` if it has gone.
pub fn comm_of(pid: u32) -> Option<Name> {
    process::comm(&ProcDir::open(pid).ok()?)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// Opens a process and reads who it is, which any user may know.
fn identify(pid: u32) -> Result<(ProcDir, Process), Failure> {
    let failure = |kind, why| Failure {
        pid: Some(pid),
        why,
        kind,
    };
    let mut dir = ProcDir::open(pid).map_err(|e| {
        if is_gone(&e) {
            let why = format!("there is no process {pid}");
            return failure(FailureKind::NoProcess, why);
        }
        let why = format!("process {pid} cannot be looked at: {}", errno_text(&e));
        failure(FailureKind::NotPermitted, why)
    })?;
    // The descriptor `dir` means this very process: when its PID is given to another one, every
    // further read through it fails with ESRCH. So nothing of two processes can be mixed up.
    let mut process = Process {
        pid,
        ..Process::default()
    };
    match identity(&dir, &mut process) {
        Err(e) if is_gone(&e) => {
            let why = format!("process {pid} ended before anything was read");
            return Err(failure(FailureKind::NoProcess, why));
        }
        Ok(true) => {
            if let Some(thread) = dir.of_living_thread() {
                dir = thread;
                process.state = None;
                process.cmdline = process::command_line(&dir);
            }
        }
        _ => {}
    }
    Ok((dir, process))
}

/// What the PIDs of one run share.
pub struct Session {
    options: Options,
    /// The limits of the system.
    pub limits: InotifyLimits,
    accounts: Accounts,
    /// Who listens for longer than the look itself takes.
    ears: Option<Ears>,
    names: unit::Names,
    /// By who is charged, and by whether the watches were counted.
    users: HashMap<(Account, bool), (Vec<UserUsage>, Gaps)>,
}

impl Session {
    /// Reads what is the same for every process.
    pub fn new(options: Options) -> Session {
        let limits = limits::inotify();
        Session {
            options,
            accounts: Accounts::new(limits.clone()),
            limits,
            ears: options.window.map(|_| Ears::default()),
            names: unit::Names::default(),
            users: HashMap::new(),
        }
    }

    /// Listens with these instead, from now on.
    pub fn with(mut self, ears: Ears) -> Session {
        self.ears = Some(ears);
        self
    }

    /// Begins to count what is heard beside the processes that were read: no look follows. Says whether there is
    /// anything to listen to.
    pub fn begin_to_hear(&mut self) -> bool {
        self.ears.as_mut().is_some_and(Ears::begin)
    }

    /// What was heard beside a process, where somebody listens.
    pub fn heard(&mut self, pid: u32) -> Option<Woken> {
        self.ears.as_mut()?.hear(pid)
    }

    /// Those it listens with, to be kept or to be asked.
    pub fn ears(self) -> Ears {
        self.ears.unwrap_or_default()
    }

    /// Reads one process. Both parts of the answer may be there: a process of another user still shows
    /// its name and limits.
    pub fn process(&mut self, pid: u32, gaps: &mut Gaps) -> (Option<Process>, Option<Failure>) {
        let (dir, mut process) = match identify(pid) {
            Ok(found) => found,
            Err(failure) => return (None, Some(failure)),
        };
        limits::of_process(&dir, &mut process.fds, gaps);
        process.unit = self.names.of(&dir);
        let mounts = Mounts::of(&dir, gaps);
        process::program(&dir, &mounts, &mut process, gaps);
        let failed = self.descriptors(&dir, &mounts, &mut process, gaps);
        (Some(process), failed)
    }

    fn descriptors(
        &mut self,
        dir: &ProcDir,
        mounts: &Mounts,
        process: &mut Process,
        gaps: &mut Gaps,
    ) -> Option<Failure> {
        let pid = process.pid;
        process.descriptors = match fds::read(dir, mounts, &mut process.fds, gaps) {
            Ok(list) => list,
            // Once it has ended, the kernel refuses its descriptors even to its own user.
            Err(_) if process::has_ended(dir) => {
                if process.state != Some('Z') {
                    gaps.note("its descriptors", "it ended while it was being read");
                }
                return None;
            }
            Err(e) => {
                // A process of our own may refuse as well (prctl(2), PR_SET_DUMPABLE), and root without
                // its capabilities is no root.
                let own = sys::effective_user();
                let way_out = match process.uid {
                    _ if own == 0 => "root needs CAP_SYS_PTRACE for it here".into(),
                    Some(uid) if uid != own => format!("run fdscan as user {uid} or as root"),
                    _ => "run fdscan as root".to_owned(),
                };
                let why = format!(
                    "the descriptors of process {pid} cannot be read ({}): {way_out}",
                    errno_text(&e)
                );
                gaps.note("its descriptors, watches and databases", errno_text(&e));
                let kind = FailureKind::NotPermitted;
                let pid = Some(pid);
                return Some(Failure { pid, why, kind });
            }
        };
        open_files::roll_up(&process.descriptors, &mut process.fds);
        let mut counted = Vec::new();
        {
            let all = process.descriptors.iter();
            let fds = all.filter(|d| d.kind == Kind::Inotify).map(|d| d.fd);
            let mut read = inotify::read(dir, fds, self.options.paths, gaps);
            inotify::read_others(dir, &mut read, self.options.paths, gaps);
            mounts.identify(dir, inotify::watches(&mut read));
            if self.options.paths {
                let learnt = paths::resolve(dir, mounts, process, &mut read, &self.options, gaps);
                process.watch_trees = learnt.trees;
                process.woken = match &mut self.ears {
                    Some(ears) => {
                        paths::place(dir, mounts, &read, ears);
                        learnt.woken
                    }
                    None => {
                        let listen = || paths::listen(dir, mounts, &read, self.options.listen);
                        learnt.woken.or_else(listen)
                    }
                };
            }
            for instance in &read {
                if instance.instance.same_instance_as.is_none() {
                    counted.push(Counted {
                        pid: instance.instance.thread.unwrap_or(pid),
                        fd: instance.instance.fd,
                        watches: instance.instance.watch_count as u64,
                    });
                }
            }
            process.inotify = read.into_iter().map(|r| r.instance).collect();
        }
        process.healed = healed(process);
        process.sqlite = sqlite::group(dir, mounts, process, gaps);
        wal::look(dir, mounts, process, gaps);
        wal::watch_writers(dir, mounts, process);
        surroundings(dir, mounts, process, gaps);
        if let Some(uid) = process.uid {
            // The kernel takes 3 us to print a watch, and its own watches mean nothing to a process
            // without an instance: it must not wait for its neighbours' 100,000.
            let count = !counted.is_empty();
            let charged = self.accounts.of(pid, uid);
            let first = charged.first().map(|(account, _)| *account);
            let key = (
                first.unwrap_or(Account {
                    user_namespace: None,
                    uid,
                }),
                count,
            );
            let accounts = &mut self.accounts;
            let (usage, unseen) = self.users.entry(key).or_insert_with(|| {
                let mut unseen = Gaps::default();
                let usage = neighbours::usage(accounts, &charged, pid, counted, count, &mut unseen);
                (usage, unseen)
            });
            process.is_charged_to(usage.clone());
            gaps.0.extend_from_slice(&unseen.0);
        }
        if self.options.all {
            process.fds.list = Some(process.descriptors.clone());
        }
        None
    }
}
