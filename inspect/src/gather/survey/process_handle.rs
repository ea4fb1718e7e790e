//! A process whose watches are about to be changed.
//!
//! The program that changes them holds copies of its inotify descriptors (pidfd_getfd(2)). The watches are read from
//! the fdinfo of those copies, so they always belong to that instance, whatever the process does with its descriptor
//! numbers meanwhile.

use crate::gather::descriptors::census;
use crate::gather::inotify::paths::Opener;
use crate::gather::inotify::side_effects::{LOOKS, SideEffects};
use crate::gather::inotify::watches::{Guess, Handles, ReadInstance};
use crate::gather::inotify::{paths, watches};
use crate::gather::process::{image, status, threads};
use crate::gather::sqlite::databases;
use crate::gather::subject::Subject;
use crate::gather::subject::gaps::{Gaps, errno_text};
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::options::Options;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::View;
use crate::model::{Failure, FailureKind, Instance, Kind, Mask, Name, Process, Watch};
use crate::sys;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::time::Duration;

/// One process, held by its directory in /proc. If its PID is reused, that is noticed.
pub struct ProcessHandle {
    dir: ProcDir,
    own: ProcDir,
    mounts: Mounts,
    /// The same mounts, but a mount that may hang counts as safe if it has watches and answered when these were first
    /// opened.
    answering: OnceLock<Option<Mounts>>,
    process: Process,
    handles: Vec<Handles>,
    guesses: Vec<HashMap<usize, Guess>>,
}

impl ProcessHandle {
    /// Reads who the process is and what it has open.
    ///
    /// # Errors
    /// There is no such process, or its descriptors cannot be read.
    pub fn open(pid: u32) -> Result<ProcessHandle, Failure> {
        let (dir, mut process) = status::identify(pid)?;
        let failure = |why| Failure {
            pid: Some(pid),
            why,
            kind: FailureKind::NotPermitted,
        };
        let own = ProcDir::open(std::process::id())
            .map_err(|e| failure(format!("/proc cannot be read: {}", errno_text(&e))))?;
        let mut gaps = Gaps::default();
        let mounts = Mounts::of(&dir, &mut gaps);
        let subject = &mut Subject {
            dir: &dir,
            mounts: &mounts,
            process: &mut process,
            gaps: &mut gaps,
        };
        let environ = image::program(subject);
        image::start(subject, &environ);
        process.surroundings.cwd = View::of(&dir, &mounts).working_directory().map(Name::from);
        process.descriptors = match census::read(&dir, &mounts, &mut process.fds, &mut gaps) {
            Ok(list) => list,
            // Its main thread has just ended, and another thread has the descriptors.
            Err(_) if status::is_headless(&dir).unwrap_or(false) => {
                return ProcessHandle::open(pid);
            }
            Err(_) if status::has_ended(&dir) => {
                return Err(Failure {
                    pid: Some(pid),
                    why: format!("process {pid} has ended"),
                    kind: FailureKind::NoProcess,
                });
            }
            Err(e) => {
                let why = errno_text(&e);
                return Err(failure(format!(
                    "the descriptors of process {pid} cannot be read: {why}"
                )));
            }
        };
        Ok(ProcessHandle {
            dir,
            own,
            mounts,
            answering: OnceLock::new(),
            process,
            handles: Vec::new(),
            guesses: Vec::new(),
        })
    }

    /// What is known about it. Its instances are known after [`ProcessHandle::read`], its databases after
    /// [`ProcessHandle::read_databases`].
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The thread that shows its descriptors: the main thread or, if that has ended, another one.
    pub fn thread(&self) -> u32 {
        self.dir.pid
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        status::has_ended(&self.dir)
    }

    /// Its inotify descriptors, lowest first.
    pub fn inotify_fds(&self) -> impl Iterator<Item = i32> {
        let all = self.process.descriptors.iter();
        all.filter(|d| d.kind == Kind::Inotify).map(|d| d.fd)
    }

    /// Threads with descriptor tables of their own, and the inotify descriptors in these tables.
    pub fn other_tables(&self) -> Vec<(u32, Vec<i32>)> {
        let tables = threads::with_own_descriptors(&self.dir, &mut Gaps::default());
        let inotify = |dir: &ProcDir| census::inotify(dir).unwrap_or_default();
        tables.iter().map(|dir| (dir.pid, inotify(dir))).collect()
    }

    /// Reads the watches of `copies`: pairs of the process's descriptor number and this program's copy. A watch that
    /// was read before and has a path keeps it. The paths of the others are searched for, for at most `timeout`. A
    /// watch whose path is not found keeps the reason.
    pub fn read(&mut self, copies: &[(i32, BorrowedFd<'_>)], timeout: Duration) {
        let before = mem::take(&mut self.process.inotify);
        let mut buffer = Vec::new();
        let mut read: Vec<ReadInstance> = copies
            .iter()
            .map(|&(fd, copy)| {
                let own = copy.as_raw_fd();
                let gaps = &mut Gaps::default();
                let mut read = watches::read_one(&self.own, own, true, &mut buffer, gaps);
                read.instance.fd = fd;
                read
            })
            .collect();
        self.mounts.identify(&self.dir, watches::watches(&mut read));
        keep_paths(&before, &mut read);
        self.resolve(read, &silently(timeout), &mut Gaps::default());
    }

    /// Reads the watches as the process's own fdinfo shows them. That requires neither a copy of a descriptor nor the
    /// right to make one. What is missing goes into `gaps`.
    pub fn look(&mut self, timeout: Duration, gaps: &mut Gaps) {
        self.look_with(&silently(timeout), gaps);
    }

    /// The same, but `options` say how to search for paths.
    pub fn look_with(&mut self, options: &Options, gaps: &mut Gaps) {
        let fds: Vec<i32> = self.inotify_fds().collect();
        let mut read = watches::read(&self.dir, fds.into_iter(), true, gaps);
        watches::read_others(&self.dir, &mut read, true, gaps);
        self.mounts.identify(&self.dir, watches::watches(&mut read));
        self.resolve(read, options, gaps);
    }

    fn resolve(&mut self, mut read: Vec<ReadInstance>, options: &Options, gaps: &mut Gaps) {
        let resolution = paths::resolve(&mut self.subject(gaps), &mut read, options);
        self.process.watch_trees = resolution.trees;
        self.process.inotify.clear();
        self.handles.clear();
        self.guesses.clear();
        for read in read {
            self.process.inotify.push(read.instance);
            self.handles.push(read.handles);
            self.guesses.push(read.guesses);
        }
        self.answering = OnceLock::new();
    }

    /// Searches for the SQLite databases it has open. Its watches must have been read, so that a look that they would
    /// report is avoided.
    pub fn read_databases(&mut self) {
        databases::group(&mut self.subject(&mut Gaps::default()));
    }

    fn subject<'a>(&'a mut self, gaps: &'a mut Gaps) -> Subject<'a> {
        Subject {
            dir: &self.dir,
            mounts: &self.mounts,
            process: &mut self.process,
            gaps,
        }
    }

    /// Reads the record that `watchfix heal` left about it. Its watches must have been read.
    pub fn read_record(&mut self) {
        self.process.healed = crate::gather::process::healed::healed(&self.process);
    }

    /// An opener for its watched inodes.
    pub fn opener(&self) -> Opener<'_> {
        self.opener_while([].into_iter())
    }

    /// The same, for use while watches get other masks. `new` has the index of the instance, the index of the watch and
    /// the new mask. What is opened before a watch reports it must not be closed afterwards.
    pub fn opener_while(&self, new: impl Iterator<Item = (usize, usize, Mask)>) -> Opener<'_> {
        let instances = &self.process.inotify;
        let soon = new
            .filter(|(.., mask)| mask.has(LOOKS))
            .filter_map(|(instance, at, _)| instances.get(instance)?.watches.get(at));
        let listed = View::of(&self.dir, &self.mounts);
        let answering = self
            .answering
            .get_or_init(|| paths::answering(&listed, instances));
        Opener::new(
            listed,
            answering.as_ref().unwrap_or(&self.mounts),
            &self.process,
            &SideEffects::of(instances.iter()).and(soon),
            instances,
            &self.handles,
            &self.guesses,
        )
    }
}

/// Options to search for paths without waking anybody.
fn silently(timeout: Duration) -> Options {
    Options {
        paths: true,
        path_timeout: timeout,
        listen: Duration::ZERO,
        wake: false,
        progress: false,
        all: false,
        window: None,
    }
}

/// Whether two descriptors of this program refer to the same open file description (kcmp(2)). If that call is refused,
/// a lock decides: the kernel shows a lock at every descriptor of the open file description that took it, and at no
/// other.
pub fn is_same_file(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> bool {
    let own = std::process::id();
    match sys::compare_files((own, a.as_raw_fd()), (own, b.as_raw_fd())) {
        Ok(order) => order == Ordering::Equal,
        Err(_) => sys::lock_shows(a, b).unwrap_or(false),
    }
}

/// The watches of an inotify instance that this program has a descriptor of. Empty if they cannot be read.
pub fn own_watches(instance: BorrowedFd<'_>) -> Vec<Watch> {
    let Ok(own) = ProcDir::open(std::process::id()) else {
        return Vec::new();
    };
    let fd = instance.as_raw_fd();
    let read = watches::read_one(&own, fd, false, &mut Vec::new(), &mut Gaps::default());
    read.instance.watches
}

/// The same for an instance of process `pid`, with the identities of the inodes.
pub fn watches_of(pid: u32, instance: BorrowedFd<'_>) -> Vec<Watch> {
    let mut watches = own_watches(instance);
    let identified = ProcDir::open(pid).map(|dir| {
        let mounts = Mounts::of(&dir, &mut Gaps::default());
        mounts.identify(&dir, watches.iter_mut());
    });
    match identified {
        Ok(()) => watches,
        // The process has ended.
        Err(_) => Vec::new(),
    }
}

/// A change of masks does not change paths.
fn keep_paths(before: &[Instance], read: &mut [ReadInstance]) {
    for (old, new) in before.iter().zip(read) {
        let old: HashMap<i32, _> = old.watches.iter().map(|w| (w.wd, w)).collect();
        for watch in &mut new.instance.watches {
            if let Some(old) = old.get(&watch.wd)
                && (old.inode, old.device, old.handle) == (watch.inode, watch.device, watch.handle)
            {
                watch.path.clone_from(&old.path);
                watch.resolved_by = old.resolved_by;
                watch.deleted = old.deleted;
            }
        }
    }
}
