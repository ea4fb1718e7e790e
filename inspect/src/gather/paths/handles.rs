//! Paths by `open_by_handle_at(2)`: five microseconds a watch, and no event for anybody.

use super::super::inotify::ReadInstance;
use super::super::mounts::{Mount, Mounts};
use super::super::proc_dir::ProcDir;
use super::{Pending, Why};
use crate::model::{Device, Name, ResolvedBy, Watch};
use crate::sys::{self, FileHandle};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Resolves what it can and returns the rest.
pub fn resolve(dir: &ProcDir, mounts: &Mounts, read: &mut [ReadInstance]) -> Vec<Pending> {
    let mut resolver = Resolver {
        dir,
        mounts,
        devices: HashMap::new(),
        own: File::open("/proc/self/fd").ok(),
        permitted: true,
        number: Vec::new(),
        link: Vec::new(),
    };
    let mut pending = Vec::new();
    for (instance, entry) in read.iter_mut().enumerate() {
        for (watch, found) in entry.instance.watches.iter_mut().enumerate() {
            let handle = entry.handles.to_open(watch);
            if let Err(why) = resolver.one(found, handle.as_ref()) {
                pending.push(Pending {
                    instance,
                    watch,
                    why,
                });
            }
        }
    }
    pending
}

struct Resolver<'a> {
    dir: &'a ProcDir,
    mounts: &'a Mounts,
    devices: HashMap<Device, Result<Vec<OpenMount>, Why>>,
    /// /proc/self/fd: a short name below it is found faster than the long path.
    own: Option<File>,
    permitted: bool,
    number: Vec<u8>,
    link: Vec<u8>,
}

/// A mount to open handles on.
struct OpenMount {
    fd: OwnedFd,
    /// Where the process sees it.
    point: Name,
    /// Where we see it: what d_path puts in front. Differs below a chroot.
    shown: Vec<u8>,
    root_inode: u64,
    whole: bool,
}

impl Resolver<'_> {
    fn one(&mut self, watch: &mut Watch, handle: Option<&FileHandle>) -> Result<(), Why> {
        // fs/libfs.c, FILEID_INO64_GEN: made for fdinfo and fanotify only, nothing can open it.
        const IDENTIFY_ONLY: i32 = 0x81;
        let handle = handle.ok_or(Why::NoHandle)?;
        if handle.kind() == IDENTIFY_ONLY {
            return Err(Why::NotOpenable);
        }
        if !self.permitted {
            return Err(Why::NotPermitted);
        }
        let device = watch.device;
        if !self.devices.contains_key(&device) {
            let opened = open_mounts(self.dir, self.mounts, device);
            self.devices.insert(device, opened);
        }
        let mounts = match self.devices.get(&device) {
            Some(Ok(mounts)) => mounts,
            Some(Err(why)) => return Err(*why),
            None => return Err(Why::NoMount),
        };
        let mut last = Why::NoMount;
        for mount in mounts {
            match sys::open_by_handle(mount.fd.as_fd(), handle) {
                Ok(found) => {
                    match place(
                        self.dir,
                        self.own.as_ref(),
                        mount,
                        &found,
                        watch.inode,
                        &mut self.number,
                        &mut self.link,
                    ) {
                        Ok((path, deleted)) => {
                            watch.path = Some(path);
                            watch.deleted = deleted;
                            watch.resolved_by = Some(ResolvedBy::Handle);
                            return Ok(());
                        }
                        Err(why) => last = why,
                    }
                }
                Err(e) => match e.raw_os_error() {
                    Some(libc::EPERM) => {
                        self.permitted = false;
                        return Err(Why::NotPermitted);
                    }
                    Some(libc::ESTALE) => last = Why::Stale,
                    Some(libc::EOPNOTSUPP | libc::EINVAL) => last = Why::NotOpenable,
                    _ => last = Why::Failed,
                },
            }
        }
        Err(last)
    }
}

/// Opens the mounts of a device; those of the whole file system come first, and one of them is enough.
fn open_mounts(dir: &ProcDir, mounts: &Mounts, device: Device) -> Result<Vec<OpenMount>, Why> {
    let mut opened = Vec::new();
    let mut why = Why::NoMount;
    for mount in mounts.of_device(device) {
        if mount.may_hang {
            why = Why::MayHang;
            continue;
        }
        if let Some(open) = open_mount(dir, mount) {
            let enough = open.whole;
            opened.push(open);
            if enough {
                break;
            }
        }
    }
    if opened.is_empty() {
        Err(why)
    } else {
        Ok(opened)
    }
}

fn open_mount(dir: &ProcDir, mount: &Mount) -> Option<OpenMount> {
    // Through the process's root, so that it is right in another mount namespace and below a chroot.
    let path = ProcDir::inside(mount.point.as_bytes());
    // O_PATH is not enough for open_by_handle_at(2).
    let fd = dir
        .open_file(&path, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NONBLOCK)
        .ok()?;
    // Another mount may lie on top of this one.
    if sys::mount_id(fd.as_fd()).is_some_and(|id| id != mount.id) {
        return None;
    }
    let root_inode = sys::stat_at(fd.as_fd(), b"", libc::AT_EMPTY_PATH)
        .ok()?
        .st_ino;
    let mut shown = Vec::new();
    let own = File::open("/proc/self/fd").ok()?;
    let number = fd.as_raw_fd().to_string();
    sys::read_link_at(own.as_fd(), number.as_bytes(), &mut shown).ok()?;
    Some(OpenMount {
        fd: fd.into(),
        point: mount.point.clone(),
        shown,
        root_inode,
        whole: mount.whole,
    })
}

/// The path of an opened handle as the process sees it, and whether it is deleted.
fn place(
    dir: &ProcDir,
    own: Option<&File>,
    mount: &OpenMount,
    found: &OwnedFd,
    inode: u64,
    number: &mut Vec<u8>,
    link: &mut Vec<u8>,
) -> Result<(Name, bool), Why> {
    let stat = sys::stat_at(found.as_fd(), b"", libc::AT_EMPTY_PATH).map_err(|_| Why::Failed)?;
    if stat.st_ino != inode {
        return Err(Why::OtherInode);
    }
    number.clear();
    write!(number, "{}", found.as_raw_fd()).map_err(|_| Why::Failed)?;
    let own = own.ok_or(Why::Failed)?;
    sys::read_link_at(own.as_fd(), number, link).map_err(|_| Why::Failed)?;
    let (path, deleted) = match link.strip_suffix(b" (deleted)") {
        Some(bare) if stat.st_nlink == 0 => (bare, true),
        _ => (link.as_slice(), false),
    };
    let path = inside(mount, path, stat.st_ino)?;
    // Through a mount of a part, a file outside of that part has a path that means nothing.
    if !mount.whole {
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        let there = sys::stat_at(dir.as_fd(), &ProcDir::inside(&path), flags);
        if there.map_or(true, |there| there.st_ino != inode) {
            return Err(Why::Outside);
        }
    }
    Ok((path.into(), deleted))
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
