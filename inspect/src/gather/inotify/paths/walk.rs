//! The walk: it lists directories of the watched devices until every inode has a name.
//!
//! getdents(2) returns inode numbers, so only entries with a wanted number are looked at, and each match is verified
//! ([`Wanted::compare`]). `RESOLVE_NO_XDEV` (openat2(2)) keeps the walk on one mount even if something is mounted
//! meanwhile: it never enters a network, FUSE or autofs mount. It leaves out directories whose opening the process's
//! own watches would report (`gather::side_effects`) and what is below them, because no other way to the names in a
//! directory avoids the event. If others wake the process all the time, or its user allows it, those directories are
//! listed too, each once, level by level, but never outside the watched trees that are known ([`WalkScope`]).

use crate::gather::inotify::paths::Search;
use crate::gather::inotify::paths::candidates::Place;
use crate::gather::inotify::paths::deadline::Deadline;
use crate::gather::inotify::paths::handles::Finder;
use crate::gather::inotify::paths::listing::{Root, is_leaf, open_below, open_root, would_wake};
use crate::gather::inotify::paths::look::Look;
use crate::gather::inotify::paths::roots::WalkScope;
use crate::gather::inotify::paths::wanted::Wanted;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::view::join;
use crate::model::{Device, ResolvedBy};
use crate::sys;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::os::fd::AsFd;

/// How many entries of one directory are read between two checks of the clock.
const STRIDE: usize = 1024;

/// The number of the root of every subvolume (BTRFS_FIRST_FREE_OBJECTID, include/uapi/linux/btrfs_tree.h).
const SUBVOLUME_ROOT: u64 = 256;

/// How much of a directory is read at a time: about 1,000 entries, as libc does.
const BUFFER: usize = 32 * 1024;

/// Cold handles are processed in batches. The first ones of each batch decide how to find the rest: if they lead to
/// fewer than [`FEW`] names for each opened handle, threads are faster than listing (measured).
const BATCH: usize = 256;
const FIRST: usize = 16;
const FEW: usize = 4;

/// How the walk ended.
#[derive(Default)]
pub struct Outcome {
    time_up: bool,
    not_allowed: bool,
    would_wake: HashSet<Device>,
    denied: HashSet<Device>,
    confined: HashSet<Device>,
}

impl Outcome {
    /// Why an inode of `device` was not found.
    pub fn of(&self, device: Device) -> Search {
        if self.time_up {
            Search::TimeUp
        } else if self.not_allowed {
            Search::NoWalk
        } else if self.would_wake.contains(&device) {
            Search::WouldWake
        } else if self.denied.contains(&device) {
            Search::Denied
        } else if self.confined.contains(&device) {
            Search::Outside
        } else {
            Search::NotFound
        }
    }
}

/// Lists directories until nothing is left, everything is listed, or the time is up.
pub fn run(
    look: Look<'_>,
    finder: &mut Finder<'_>,
    places: Vec<Place>,
    scope: &WalkScope,
    wanted: &mut Wanted<'_>,
    deadline: &mut Deadline,
) -> Outcome {
    let mut walk = Walk {
        look,
        scope,
        wanted,
        deadline,
        open: HashMap::new(),
        seen: HashSet::new(),
        foreign: HashSet::new(),
        likely: VecDeque::new(),
        later: VecDeque::new(),
        leaves: VecDeque::new(),
        outcome: Outcome {
            confined: scope.devices().collect(),
            ..Outcome::default()
        },
    };
    let mut buffer = vec![0; BUFFER];
    walk.around_handles(finder, &mut buffer);
    if walk.deadline.walk {
        walk.all(places, &mut buffer);
    } else {
        walk.outcome.not_allowed = true;
    }
    walk.outcome
}

/// A directory to list.
struct Task {
    /// The ID of the mount it lies on.
    mount: i32,
    /// Its path, as the process would write it.
    path: Vec<u8>,
}

struct Walk<'a, 'w> {
    look: Look<'a>,
    scope: &'a WalkScope,
    wanted: &'a mut Wanted<'w>,
    deadline: &'a mut Deadline,
    open: HashMap<i32, Option<Root>>,
    /// Directories that were listed, as stat(2) identifies them: on a file system with subvolumes the device is that of
    /// the subvolume.
    seen: HashSet<(u64, u64)>,
    /// Owners for whose files this program may not use O_NOATIME.
    foreign: HashSet<u32>,
    /// Watched directories: what is below them is likely watched as well.
    likely: VecDeque<Task>,
    /// Everything else, nearest first: watched trees begin near the root or a likely place, and deep trees are caches
    /// and packages.
    later: VecDeque<Task>,
    /// Directories without subdirectories whose listing wakes the process: only watched files can be in them.
    leaves: VecDeque<Task>,
    outcome: Outcome,
}

impl Walk<'_, '_> {
    /// Opens the handles that were left because they are cold, and lists the directories they lead to: the kernel has
    /// just read each of these to find one name, and it has the names of the others as well. If each is in a different
    /// directory, threads search for the names.
    fn around_handles(&mut self, finder: &mut Finder<'_>, buffer: &mut Vec<u8>) {
        for batch in self.wanted.cold().chunks(BATCH) {
            let (first, rest) = batch.split_at(batch.len().min(FIRST));
            let before = self.wanted.left();
            let opened = self.handles(first, finder, buffer);
            if before - self.wanted.left() < opened * FEW {
                finder.find_names(&self.wanted.handles(rest), self.deadline);
            }
            self.handles(rest, finder, buffer);
        }
    }

    /// Returns how many were opened: the others were found before their turn.
    fn handles(&mut self, batch: &[usize], finder: &mut Finder<'_>, buffer: &mut Vec<u8>) -> usize {
        let mut opened = 0;
        for &at in batch {
            if self.is_done() {
                break;
            }
            opened += usize::from(self.wanted.waits(at));
            if let Some(parent) = self.wanted.open(at, finder)
                && self.deadline.walk
                && finder.is_cold()
                && let Some(task) = self.task_of(parent)
            {
                self.list(&task, buffer);
            }
            self.deadline.show(self.wanted.left());
        }
        opened
    }

    fn all(&mut self, places: Vec<Place>, buffer: &mut Vec<u8>) {
        // All likely places are listed before anything below them.
        let mounts = self.look.view.mounts();
        let inside = |place: &Place| {
            let device = mounts.of_path(&place.path).map(|mount| mount.device);
            device.is_none_or(|device| self.scope.has(device, &place.path))
        };
        let places = places.into_iter().filter(inside);
        let (watched, others): (Vec<_>, Vec<_>) = places.partition(|p| p.watched);
        for place in watched.into_iter().chain(others) {
            if let Some(task) = self.task_of(place.path) {
                self.list(&task, buffer);
            }
            while !self.is_done()
                && let Some(task) = self.next_likely()
            {
                self.list(&task, buffer);
            }
            if self.is_done() {
                return;
            }
        }
        while !self.is_done() {
            let next = self.next_likely();
            let next = next.or_else(|| self.later.pop_front());
            let Some(task) = next.or_else(|| self.leaves.pop_front()) else {
                return;
            };
            self.list(&task, buffer);
        }
    }

    /// Follows a watched tree to its end first. If each listing wakes the process, goes level by level instead.
    fn next_likely(&mut self) -> Option<Task> {
        match self.scope.is_empty() {
            true => self.likely.pop_back(),
            false => self.likely.pop_front(),
        }
    }

    fn is_done(&mut self) -> bool {
        self.outcome.time_up |= self.wanted.left() > 0 && self.deadline.is_over();
        self.outcome.time_up || self.wanted.left() == 0
    }

    /// A likely place as a task. `None` if nothing wanted can be in it, or if the process would see that it is opened.
    fn task_of(&mut self, path: Vec<u8>) -> Option<Task> {
        let mount = self.look.view.mounts().of_path(&path)?;
        if mount.may_hang || !self.wanted.on(mount.device) {
            return None;
        }
        if self.look.is_seen(&path) {
            self.outcome.would_wake.insert(mount.device);
            return None;
        }
        Some(Task {
            mount: mount.id,
            path,
        })
    }

    /// Compares the entries of a directory that have a wanted inode number, and notes its subdirectories.
    fn list(&mut self, task: &Task, buffer: &mut Vec<u8>) {
        if !self.open.contains_key(&task.mount) {
            let root = open_root(&self.look, task.mount);
            self.open.insert(task.mount, root);
        }
        let Some(Some(root)) = self.open.get(&task.mount) else {
            return;
        };
        let device = root.device;
        if !self.wanted.on(device) {
            return;
        }
        let opened = match open_below(root, &task.path) {
            Ok(opened) => opened,
            Err(e) => {
                // It is gone, not a directory, or covered by another mount: nothing of this mount is missed.
                let missed = !matches!(
                    e.raw_os_error(),
                    Some(libc::ENOENT | libc::ENOTDIR | libc::EXDEV | libc::ELOOP)
                );
                if missed {
                    self.outcome.denied.insert(device);
                }
                return;
            }
        };
        let Ok(known) = sys::stat_at(opened.as_fd(), b"", libc::AT_EMPTY_PATH) else {
            return;
        };
        if !self.seen.insert((known.st_dev, known.st_ino)) {
            return;
        }
        if !self.foreign.contains(&known.st_uid) && sys::keep_access_time(opened.as_fd()).is_err() {
            self.foreign.insert(known.st_uid);
        }
        self.deadline.listed += 1;
        let (overlay, subvolumes) = (root.overlay, root.subvolumes);
        let mut entries = 0usize;
        let mount = self.look.view.mounts().by_id(root.mount);
        let mut unknown =
            mount.filter(|m| m.overlay && self.look.view.mounts().numbers_of(m.device).is_none());
        // An error halfway only makes the list shorter.
        let _ = sys::each_entry(opened.as_fd(), buffer, |entry| {
            entries += 1;
            if entries.is_multiple_of(STRIDE) && self.deadline.is_over() {
                return ControlFlow::Break(());
            }
            let directory = entry.may_be_directory();
            if !directory && let Some(mount) = unknown {
                let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
                if let Ok(stat) = sys::stat_at(opened.as_fd(), entry.name, flags) {
                    self.look.view.mounts().note(mount, &stat);
                }
                unknown =
                    unknown.filter(|m| self.look.view.mounts().numbers_of(m.device).is_none());
            }
            let mut watched = false;
            // A subvolume is listed with its own number, but its root has the number that all such roots have.
            let renumbered = overlay || subvolumes && self.wanted.has_inode(SUBVOLUME_ROOT);
            // A file that was copied up is listed with the number it has in the upper layer.
            let unlike = overlay && !self.look.view.mounts().is_numbered(device);
            if self.wanted.has_inode(entry.inode) || (renumbered && directory) || unlike {
                let path = join(&task.path, entry.name);
                let by = ResolvedBy::Walk;
                watched = self.wanted.compare(opened.as_fd(), entry.name, &path, by);
            }
            let hangs = |mounts: &Mounts| mounts.may_hang_at(&join(&task.path, entry.name));
            if directory && !hangs(self.look.view.mounts()) {
                let seen_by_process = would_wake(&self.look, root, opened.as_fd(), entry.name);
                if seen_by_process {
                    self.outcome.would_wake.insert(device);
                } else {
                    let task = Task {
                        mount: task.mount,
                        path: join(&task.path, entry.name),
                    };
                    if !self.scope.is_empty() && is_leaf(opened.as_fd(), entry.name) {
                        self.leaves.push_back(task);
                    } else if watched {
                        self.likely.push_back(task);
                    } else {
                        self.later.push_back(task);
                    }
                }
            }
            if self.wanted.left() == 0 {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        self.wanted.prove_guesses();
        self.deadline.show(self.wanted.left());
    }
}
