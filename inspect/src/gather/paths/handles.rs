//! Paths by `open_by_handle_at(2)`: five microseconds a watch, and no event for anybody.
//!
//! With cold caches every handle waits for the disk: then threads wait side by side. Warm they gain
//! nothing (measured), so they are started only when the first watches were slow.

use super::super::inotify::{Handles, ReadInstance};
use super::super::mounts::{Mount, Mounts};
use super::super::proc_dir::ProcDir;
use super::super::wakes::Wakes;
use super::look::Look;
use super::patience::Patience;
use super::{Pending, Why};
use crate::model::{Device, Instance, Name, Process, ResolvedBy, Watch};
use crate::sys::{self, FileHandle};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Watches handed to a thread at a time; also how many are measured.
const CHUNK: usize = 200;
/// Per watch: a warm one takes a tenth of it.
const COLD: Duration = Duration::from_micros(50);
/// More did not help on two processors and one disk.
const THREADS: usize = 8;
/// Watches between two looks at the clock.
const STRIDE: usize = 16;

/// Resolves what it can and returns the rest.
pub fn resolve(
    look: Look<'_>,
    process: &Process,
    read: &mut [ReadInstance],
    patience: &mut Patience,
) -> Vec<Pending> {
    let Look { dir, mounts, wakes } = look;
    let instances = read.iter().map(|r| &r.instance);
    let resolver = Resolver::new(dir, mounts, wakes, process, instances);
    let jobs = read.iter_mut().enumerate().flat_map(|(instance, entry)| {
        let ReadInstance {
            instance: seen,
            handles,
        } = entry;
        let handles = &*handles;
        let chunks = seen.watches.chunks_mut(CHUNK).enumerate();
        chunks.map(move |(at, watches)| Job {
            instance,
            first: at * CHUNK,
            watches,
            handles,
        })
    });
    let jobs = Mutex::new(jobs);
    let mut pending = Vec::new();
    while let Some(job) = next(&jobs) {
        let count = u32::try_from(job.watches.len()).unwrap_or(1);
        let start = Instant::now();
        resolver.job(job, patience, &mut pending);
        patience.show_handles();
        if start.elapsed() > COLD * count && !patience.is_over() {
            side_by_side(&resolver, &jobs, patience, &mut pending);
        }
    }
    pending
}

/// Does the rest of the jobs on threads, this one included.
fn side_by_side<'j>(
    resolver: &Resolver<'_>,
    jobs: &Mutex<impl Iterator<Item = Job<'j>> + Send>,
    patience: &mut Patience,
    pending: &mut Vec<Pending>,
) {
    std::thread::scope(|scope| {
        let shared = &*patience;
        let work = || {
            let mut pending = Vec::new();
            while let Some(job) = next(jobs) {
                resolver.job(job, shared, &mut pending);
            }
            pending
        };
        // Without threads this one does it alone.
        let threads: Vec<_> = (1..THREADS)
            .filter_map(|_| Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        pending.append(&mut work());
        for thread in threads {
            pending.append(&mut thread.join().unwrap_or_default());
        }
    });
}

fn next<I: Iterator>(jobs: &Mutex<I>) -> Option<I::Item> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// Some watches of an instance.
struct Job<'a> {
    instance: usize,
    /// Index of the first of them.
    first: usize,
    watches: &'a mut [Watch],
    handles: &'a Handles,
}

/// What opens handles: a mount of every device there are watches on.
pub struct Resolver<'a> {
    dir: &'a ProcDir,
    devices: HashMap<Device, Result<Vec<OpenMount>, Why>>,
    /// /proc/self/fd: a short name below it is found faster than the long path.
    own: Option<File>,
    /// The kernel refused: it will refuse every other handle too.
    refused: AtomicBool,
}

/// A mount to open handles on.
pub struct OpenMount {
    fd: OwnedFd,
    /// Where the process sees it.
    point: Name,
    /// Where we see it: what d_path puts in front. Differs below a chroot.
    shown: Vec<u8>,
    root_inode: u64,
    whole: bool,
    overlay: bool,
}

impl<'a> Resolver<'a> {
    /// Opens the mounts that are needed for the watches of these instances.
    pub fn new<'i>(
        dir: &'a ProcDir,
        mounts: &Mounts,
        wakes: &Wakes,
        process: &Process,
        instances: impl Iterator<Item = &'i Instance>,
    ) -> Resolver<'a> {
        let look = Look { dir, mounts, wakes };
        let watches = instances.flat_map(|instance| &instance.watches);
        let devices: BTreeSet<Device> = watches.map(|watch| watch.device).collect();
        let anchors = anchors(dir, process);
        Resolver {
            dir,
            devices: devices
                .into_iter()
                .map(|device| (device, open_mounts(&look, &anchors, device)))
                .collect(),
            own: File::open("/proc/self/fd").ok(),
            refused: AtomicBool::new(false),
        }
    }

    fn job(&self, job: Job<'_>, patience: &Patience, pending: &mut Vec<Pending>) {
        let (mut number, mut link) = (Vec::new(), Vec::new());
        let count = job.watches.len();
        let mut over = false;
        for (at, watch) in job.watches.iter_mut().enumerate() {
            let at = job.first + at;
            over = over || (at.is_multiple_of(STRIDE) && patience.is_over());
            let done = if watch.path.is_some() {
                // Known from an earlier look at the same process.
                Ok(())
            } else if over {
                Err(Why::TimeUp)
            } else {
                let handle = job.handles.to_open(at);
                self.one(watch, handle.as_ref(), &mut number, &mut link)
            };
            if let Err(why) = done {
                pending.push(Pending {
                    instance: job.instance,
                    watch: at,
                    why,
                });
            }
        }
        patience.handled(count);
    }

    fn one(
        &self,
        watch: &mut Watch,
        handle: Option<&FileHandle>,
        number: &mut Vec<u8>,
        link: &mut Vec<u8>,
    ) -> Result<(), Why> {
        let (device, inode) = (watch.device, watch.inode);
        let (path, deleted) = self.open(device, inode, handle, |mount, found, stat| {
            self.place(mount, found, stat, number, link)
        })?;
        watch.path = Some(path);
        watch.deleted = deleted;
        watch.resolved_by = Some(ResolvedBy::Handle);
        Ok(())
    }

    /// Opens a handle as `O_PATH` on one mount after the other until it leads to `inode` and `accept` is
    /// content with it.
    pub fn open<T>(
        &self,
        device: Device,
        inode: u64,
        handle: Option<&FileHandle>,
        mut accept: impl FnMut(&OpenMount, OwnedFd, &libc::stat) -> Result<T, Why>,
    ) -> Result<T, Why> {
        // fs/libfs.c, FILEID_INO64_GEN: made for fdinfo and fanotify only, nothing can open it.
        const IDENTIFY_ONLY: i32 = 0x81;
        let mounts = match self.devices.get(&device) {
            Some(Ok(mounts)) => mounts,
            Some(Err(why)) => return Err(*why),
            None => return Err(Why::NoMount),
        };
        let handle = handle.ok_or(Why::NoHandle)?;
        if handle.kind() == IDENTIFY_ONLY {
            return Err(Why::NotOpenable);
        }
        if self.refused.load(Ordering::Relaxed) {
            return Err(Why::NotPermitted);
        }
        let mut last = Why::NoMount;
        for mount in mounts {
            let opened =
                sys::open_by_handle(mount.fd.as_fd(), handle).map_err(|e| match e.raw_os_error() {
                    Some(libc::EPERM) => Why::NotPermitted,
                    Some(libc::ESTALE) if mount.overlay => Why::Overlay,
                    Some(libc::ESTALE) => Why::Deleted,
                    Some(libc::EOPNOTSUPP | libc::EINVAL) => Why::NotOpenable,
                    _ => Why::Failed,
                });
            let done = opened.and_then(|found| {
                let stat = sys::stat_at(found.as_fd(), b"", libc::AT_EMPTY_PATH)
                    .map_err(|_| Why::Failed)?;
                if stat.st_ino != inode {
                    return Err(Why::OtherInode);
                }
                accept(mount, found, &stat)
            });
            match done {
                Ok(done) => return Ok(done),
                Err(Why::NotPermitted) => {
                    self.refused.store(true, Ordering::Relaxed);
                    return Err(Why::NotPermitted);
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// The path of an opened handle as the process sees it, and whether it is deleted.
    fn place(
        &self,
        mount: &OpenMount,
        found: OwnedFd,
        stat: &libc::stat,
        number: &mut Vec<u8>,
        link: &mut Vec<u8>,
    ) -> Result<(Name, bool), Why> {
        number.clear();
        write!(number, "{}", found.as_raw_fd()).map_err(|_| Why::Failed)?;
        let own = self.own.as_ref().ok_or(Why::Failed)?;
        sys::read_link_at(own.as_fd(), number, link).map_err(|_| Why::Failed)?;
        let (path, deleted) = match link.strip_suffix(b" (deleted)") {
            Some(bare) if stat.st_nlink == 0 => (bare, true),
            _ => (link.as_slice(), false),
        };
        let path = inside(mount, path, stat.st_ino)?;
        // Through a mount of a part, a file outside of that part has a path that means nothing.
        if !mount.whole {
            let flags = libc::AT_SYMLINK_NOFOLLOW;
            let there = sys::stat_at(self.dir.as_fd(), &ProcDir::inside(&path), flags);
            if there.map_or(true, |there| there.st_ino != stat.st_ino) {
                return Err(Why::Outside);
            }
        }
        Ok((path.into(), deleted))
    }
}

/// Directories that can stand for their mount when its root may not be opened.
fn anchors(dir: &ProcDir, process: &Process) -> Vec<Vec<u8>> {
    let exe = process.exe.as_ref().and_then(Name::parent);
    let cwd = dir.read_link("cwd").ok();
    exe.map(<[u8]>::to_vec).into_iter().chain(cwd).collect()
}

/// Opens the mounts of a device; those of the whole file system come first, and one of them is enough.
fn open_mounts(
    look: &Look<'_>,
    anchors: &[Vec<u8>],
    device: Device,
) -> Result<Vec<OpenMount>, Why> {
    let mut opened = Vec::new();
    let mut why = Why::NoMount;
    for mount in look.mounts.of_device(device) {
        if mount.may_hang {
            why = Why::MayHang;
            continue;
        }
        match open_mount(look, anchors, mount) {
            Ok(open) => {
                let enough = open.whole;
                opened.push(open);
                if enough {
                    break;
                }
            }
            Err(failed) => why = failed,
        }
    }
    if opened.is_empty() {
        Err(why)
    } else {
        Ok(opened)
    }
}

fn open_mount(look: &Look<'_>, anchors: &[Vec<u8>], mount: &Mount) -> Result<OpenMount, Why> {
    let point = mount.point.as_bytes();
    // Through the process's root, so that it is right in another mount namespace and below a chroot.
    let open = |path: &[u8], flags| {
        let flags = flags | libc::O_DIRECTORY | libc::O_NONBLOCK;
        let file = look.dir.open_file(&ProcDir::inside(path), flags).ok()?;
        // Another mount may lie on top of this one.
        let other = sys::mount_id(file.as_fd()).is_some_and(|id| id != mount.id);
        (!other).then_some(file)
    };
    let root = open(point, libc::O_PATH).ok_or(Why::Hidden)?;
    let root_inode = sys::stat_at(root.as_fd(), b"", libc::AT_EMPTY_PATH)
        .map_err(|_| Why::Failed)?
        .st_ino;
    let mut shown = Vec::new();
    let own = File::open("/proc/self/fd").map_err(|_| Why::Failed)?;
    let number = root.as_raw_fd().to_string();
    sys::read_link_at(own.as_fd(), number.as_bytes(), &mut shown).map_err(|_| Why::Failed)?;
    // O_PATH is not enough for open_by_handle_at(2); any directory of the mount is.
    let on_it = |path: &&[u8]| look.mounts.of_path(path).is_some_and(|m| m.id == mount.id);
    let anchors = anchors.iter().map(Vec::as_slice).filter(on_it);
    let fd = std::iter::once(point)
        .chain(anchors)
        .filter(|path| !look.is_seen(path))
        .find_map(|path| open(path, libc::O_RDONLY))
        .ok_or(if look.is_seen(point) {
            Why::WouldWake
        } else {
            Why::Failed
        })?;
    Ok(OpenMount {
        fd: fd.into(),
        point: mount.point.clone(),
        shown,
        root_inode,
        whole: mount.whole,
        overlay: mount.overlay,
    })
}

/// Turns what we see into what the process sees.
fn inside(mount: &OpenMount, path: &[u8], inode: u64) -> Result<Vec<u8>, Why> {
    if path == mount.shown {
        // A file the kernel opened without knowing its name is shown as the root, without an error.
        return if inode == mount.root_inode {
            Ok(mount.point.as_bytes().to_vec())
        } else {
            Err(Why::NotCached)
        };
    }
    if path == b"/" {
        return Err(Why::NotCached);
    }
    let shown = mount.shown.strip_suffix(b"/").unwrap_or(&mount.shown);
    let rest = path
        .strip_prefix(shown)
        .filter(|rest| rest.starts_with(b"/"))
        .ok_or(Why::Outside)?;
    let point = mount.point.as_bytes();
    let point = point.strip_suffix(b"/").unwrap_or(point);
    Ok([point, rest].concat())
}
