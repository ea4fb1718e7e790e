//! Paths without privilege: likely places are compared with the watched inodes.
//!
//! name_to_handle_at(2) needs no privilege and gives the bytes fdinfo prints, generation included: that
//! is the proof. Directories are listed only where no watch of the process would report it.

use super::super::inotify::ReadInstance;
use super::super::mounts::Mounts;
use super::super::proc_dir::ProcDir;
use super::super::wakes::Wakes;
use super::Pending;
use crate::model::{Device, Identity, Kind, Name, Process, ResolvedBy};
use crate::sys;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Places compared before any directory is listed: a process with 65,536 files in as many directories
/// must not make the scan slow.
const MOST_PLACES: usize = 4096;
/// How long directories are listed. A person is waiting.
const PATIENCE: Duration = Duration::from_secs(2);
/// Entries read in all; about a second's worth on a cold disk.
const MOST_ENTRIES: usize = 2_000_000;

/// What is left after the search.
pub struct Outcome {
    /// Watches without a path.
    pub left: Vec<Pending>,
    /// How many places were compared.
    pub compared: usize,
    /// Why the search ended early or went around directories.
    pub stopped: Option<&'static str>,
}

/// Resolves what it can of `pending`.
pub fn resolve(
    dir: &ProcDir,
    mounts: &Mounts,
    process: &Process,
    read: &mut [ReadInstance],
    pending: Vec<Pending>,
) -> Outcome {
    let wakes = Wakes::of(read.iter().map(|r| &r.instance));
    let mut search = Search {
        dir,
        mounts,
        wakes,
        by_inode: HashMap::new(),
        left: pending.len(),
        found: vec![false; pending.len()],
        pending: &pending,
        read,
        seen: HashSet::new(),
        to_list: VecDeque::new(),
        compared: 0,
        entries: 0,
        stopped: None,
    };
    search.index();
    for place in places(dir, mounts, process, &search.devices()) {
        if search.left == 0 {
            break;
        }
        search.compare(&place);
        search.to_list.push_back(place);
    }
    search.list_all();
    let Search {
        found,
        compared,
        stopped,
        ..
    } = search;
    Outcome {
        left: pending
            .iter()
            .zip(found)
            .filter_map(|(watch, found)| (!found).then_some(*watch))
            .collect(),
        compared,
        stopped,
    }
}

/// Likely places, likeliest first: where it stands, its program, its open files, the mounts of the
/// watched devices; and every directory above them.
fn places(
    dir: &ProcDir,
    mounts: &Mounts,
    process: &Process,
    devices: &BTreeSet<Device>,
) -> Vec<Vec<u8>> {
    let root = dir.read_link("root").unwrap_or_default();
    let inside = |path: Vec<u8>| match path.strip_prefix(root.as_slice()) {
        Some(rest) if root != b"/" && rest.starts_with(b"/") => rest.to_vec(),
        _ => path,
    };
    let mut first = Places::default();
    first.add(dir.read_link("cwd").ok().map(&inside));
    let exe = process.exe.as_ref().and_then(Name::parent);
    first.add(exe.map(|path| inside(path.to_vec())));
    for descriptor in &process.descriptors {
        let path = match descriptor.kind {
            Kind::Directory => Some(descriptor.target.as_bytes()),
            Kind::File => descriptor.target.parent(),
            _ => None,
        };
        first.add(path.filter(|p| p.starts_with(b"/")).map(<[u8]>::to_vec));
    }
    for &device in devices {
        for mount in mounts.of_device(device) {
            first.add(Some(mount.point.as_bytes().to_vec()));
        }
    }
    let mut at = 0;
    while let Some(path) = first.list.get(at) {
        let above = Name::from(path.as_slice()).parent().map(<[u8]>::to_vec);
        first.add(above);
        at += 1;
    }
    first.list
}

/// Paths in the order they were added, each once, up to [`MOST_PLACES`].
#[derive(Default)]
struct Places {
    list: Vec<Vec<u8>>,
    seen: HashSet<Vec<u8>>,
}

impl Places {
    fn add(&mut self, path: Option<Vec<u8>>) {
        if let Some(path) = path
            && self.list.len() < MOST_PLACES
            && self.seen.insert(path.clone())
        {
            self.list.push(path);
        }
    }
}

struct Search<'a> {
    dir: &'a ProcDir,
    mounts: &'a Mounts,
    wakes: Wakes,
    /// Indices into `pending`.
    by_inode: HashMap<u64, Vec<usize>>,
    left: usize,
    found: Vec<bool>,
    pending: &'a [Pending],
    read: &'a mut [ReadInstance],
    seen: HashSet<Vec<u8>>,
    to_list: VecDeque<Vec<u8>>,
    compared: usize,
    entries: usize,
    stopped: Option<&'static str>,
}

impl Search<'_> {
    fn index(&mut self) {
        for (at, pending) in self.pending.iter().enumerate() {
            if let Some(inode) = inode_of(self.read, pending) {
                self.by_inode.entry(inode).or_default().push(at);
            }
        }
    }

    fn devices(&self) -> BTreeSet<Device> {
        self.pending
            .iter()
            .filter_map(|p| {
                Some(
                    self.read
                        .get(p.instance)?
                        .instance
                        .watches
                        .get(p.watch)?
                        .device,
                )
            })
            .collect()
    }

    /// Compares one path with every watch that is left.
    fn compare(&mut self, path: &[u8]) {
        if !self.mounts.is_safe(path) || self.mounts.may_hang_at(path) {
            return;
        }
        self.compared += 1;
        let full = ProcDir::inside(path);
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        let Ok(stat) = sys::stat_at(self.dir.as_fd(), &full, flags) else {
            return;
        };
        let Some(waiting) = self.by_inode.get(&stat.st_ino) else {
            return;
        };
        let handle = sys::handle_at(self.dir.as_fd(), &full).ok();
        let mount = match &handle {
            Some((_, id)) => self.mounts.by_id(*id),
            None => self.mounts.of_path(path),
        };
        let Some(device) = mount.map(|m| m.device) else {
            return;
        };
        let mut matched = false;
        for &at in waiting {
            let Some(pending) = self.pending.get(at) else {
                continue;
            };
            let Some(entry) = self.read.get_mut(pending.instance) else {
                continue;
            };
            let same_handle = match (entry.handles.get(pending.watch), &handle) {
                (Some((kind, bytes)), Some((seen, _))) => {
                    kind == seen.kind() && bytes == seen.bytes()
                }
                // No handles on this file system: inode and device must do.
                _ => true,
            };
            let Some(watch) = entry.instance.watches.get_mut(pending.watch) else {
                continue;
            };
            if watch.device == device && same_handle && watch.path.is_none() {
                watch.path = Some(path.into());
                watch.resolved_by = Some(ResolvedBy::Candidate);
                if let Some(found) = self.found.get_mut(at) {
                    *found = true;
                }
                self.left -= 1;
                matched = true;
            }
        }
        if matched && stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
            // What is below a watched directory is likely watched as well: it goes first.
            self.to_list.push_front(path.to_vec());
        }
    }

    /// Lists places until everything is found or patience is over.
    fn list_all(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = Vec::new();
        while self.left > 0
            && let Some(path) = self.to_list.pop_front()
        {
            if Instant::now() > deadline || self.entries > MOST_ENTRIES {
                self.stopped = Some("the search was ended after 2 seconds");
                return;
            }
            if self.seen.insert(path.clone()) {
                self.list(&path, &mut buffer);
            }
        }
    }

    /// Compares the entries of a directory whose inode number is wanted.
    fn list(&mut self, path: &[u8], buffer: &mut Vec<u8>) {
        if !self.mounts.is_safe(path) {
            return;
        }
        if self
            .wakes
            .by_opening(self.identity(path), self.parent_identity(path))
        {
            self.stopped.get_or_insert(
                "directories whose opening these watches would report were not listed",
            );
            return;
        }
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let Ok(open) = self.dir.open_file(&ProcDir::inside(path), flags) else {
            return;
        };
        let mut wanted = Vec::new();
        // An error in the middle only makes the list shorter.
        let _ = sys::each_entry(open.as_fd(), buffer, |entry| {
            self.entries += 1;
            if self.by_inode.contains_key(&entry.inode) {
                wanted.push(join(path, entry.name));
            }
            ControlFlow::Continue(())
        });
        for path in wanted {
            self.compare(&path);
        }
    }

    fn identity(&self, path: &[u8]) -> Option<Identity> {
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        let stat = sys::stat_at(self.dir.as_fd(), &ProcDir::inside(path), flags).ok()?;
        Some(Identity {
            device: self.mounts.of_path(path)?.device,
            inode: stat.st_ino,
        })
    }

    fn parent_identity(&self, path: &[u8]) -> Option<Identity> {
        self.identity(Name::from(path).parent().unwrap_or(b"/"))
    }
}

fn inode_of(read: &[ReadInstance], pending: &Pending) -> Option<u64> {
    let instance = &read.get(pending.instance)?.instance;
    Some(instance.watches.get(pending.watch)?.inode)
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let dir = dir.strip_suffix(b"/").unwrap_or(dir);
    [dir, b"/", name].concat()
}
