//! Opens file handles on a mount of their device, verifies them, and finds their paths as the process sees them.

use crate::gather::inotify::paths::HandleFailure;
use crate::gather::inotify::paths::look::Look;
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::subject::mountinfo::Mount;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::{DELETED, ProcDir};
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Device, Instance, Name, Process};
use crate::sys;
use crate::sys::{FileHandle, OwnWorkingDirectory};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Opens handles: it has a mount of every device with watches.
pub struct Resolver<'a> {
    view: View<'a>,
    devices: HashMap<Device, Result<Vec<OpenMount>, HandleFailure>>,
    /// Whether the kernel refused a handle: then it refuses all of them.
    refused: AtomicBool,
}

/// A handle that was opened and leads to the right inode.
pub struct Opened<'a> {
    /// The mount it was opened on.
    pub mount: &'a OpenMount,
    /// The file, as `O_PATH`.
    pub fd: OwnedFd,
    inode: u64,
    /// How long opening it took.
    pub took: Duration,
}

impl<'a> Resolver<'a> {
    /// Opens the mounts that are needed for the watches of these instances.
    pub fn new<'i>(
        dir: &'a ProcDir,
        mounts: &'a Mounts,
        side_effects: &SideEffects,
        process: &Process,
        instances: impl Iterator<Item = &'i Instance>,
    ) -> Resolver<'a> {
        let view = View::of(dir, mounts);
        let look = Look {
            view: &view,
            side_effects,
        };
        let watches = instances.flat_map(|instance| &instance.watches);
        let devices: BTreeSet<Device> = watches.map(|watch| watch.device).collect();
        // Without permission to open handles no mount is opened: somebody may watch it.
        let refused = !devices.is_empty() && !sys::may_open_handles();
        let anchors = anchors(dir, process);
        let open = |device| (device, open_mounts(&look, &anchors, device, refused));
        let devices = devices.into_iter().map(open).collect();
        Resolver {
            view,
            devices,
            refused: AtomicBool::new(refused),
        }
    }

    /// Opens a handle on one mount after the other until it leads to `inode` and `accept` accepts it.
    pub fn open<T>(
        &self,
        device: Device,
        inode: u64,
        handle: Option<&FileHandle>,
        mut accept: impl FnMut(Opened<'_>) -> Result<T, HandleFailure>,
    ) -> Result<T, HandleFailure> {
        let mounts = match self.devices.get(&device) {
            Some(Ok(mounts)) => mounts,
            Some(Err(why)) => return Err(*why),
            None => return Err(HandleFailure::NoMount),
        };
        let handle = handle.ok_or(HandleFailure::NoHandle)?;
        if self.refused.load(Ordering::Relaxed) {
            return Err(HandleFailure::NotPermitted);
        }
        let mut last = HandleFailure::NoMount;
        for mount in mounts {
            match mount.open(handle, inode).and_then(&mut accept) {
                Ok(done) => return Ok(done),
                Err(HandleFailure::NotPermitted) => {
                    self.refused.store(true, Ordering::Relaxed);
                    return Err(HandleFailure::NotPermitted);
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// The path of what was opened as the process sees it, and whether it is deleted.
    pub fn path_of(
        &self,
        opened: &Opened<'_>,
        names: &mut Names,
        place: Option<&OwnWorkingDirectory>,
    ) -> Result<(Name, bool), HandleFailure> {
        let mount = opened.mount;
        let link = names
            .of(opened.fd.as_fd(), place)
            .map_err(|_| HandleFailure::Failed)?;
        let is_gone = || stat(&opened.fd).is_ok_and(|stat| stat.st_nlink == 0);
        let (path, deleted) = match link.strip_suffix(DELETED) {
            Some(bare) if is_gone() => (bare, true),
            _ => (link, false),
        };
        let path = mount.inside(path, opened.inode)?;
        // Through a mount of a subdirectory, the path of a file outside that subdirectory is meaningless.
        if !mount.whole {
            let there = self.view.stat(&path, FinalLink::Stay);
            let here = stat(&opened.fd).map_err(|_| HandleFailure::Failed)?;
            // On a file system with subvolumes the device is that of the subvolume.
            let same =
                |there: libc::stat| (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino);
            if !there.is_ok_and(same) {
                return Err(HandleFailure::Outside);
            }
        }
        Ok((path.into(), deleted))
    }
}

/// A mount to open handles on.
pub struct OpenMount {
    fd: OwnedFd,
    /// Where the process sees it.
    point: Name,
    /// Where this program sees it: the prefix d_path prints. Differs below a chroot.
    shown: Vec<u8>,
    root_inode: u64,
    whole: bool,
    overlay: bool,
}

/// The paths of this program's own descriptors.
pub struct Names {
    /// /proc/self/fd: a short name below it is found faster than the long path.
    own: File,
    number: Vec<u8>,
    link: Vec<u8>,
}

impl Names {
    /// Opens /proc/self/fd.
    pub fn open() -> io::Result<Names> {
        Ok(Names {
            own: File::open("/proc/self/fd")?,
            number: Vec::new(),
            link: Vec::new(),
        })
    }

    /// The kernel's path of a descriptor. Changing into the directory and asking for the working directory takes half
    /// as long as reading the link, but fails for a file and for a deleted directory.
    fn of(&mut self, fd: BorrowedFd<'_>, place: Option<&OwnWorkingDirectory>) -> io::Result<&[u8]> {
        if let Some(place) = place
            && place.of(fd, &mut self.link).is_ok()
        {
            return Ok(&self.link);
        }
        self.number.clear();
        write!(self.number, "{}", fd.as_raw_fd())?;
        sys::read_link_at(self.own.as_fd(), &self.number, &mut self.link)?;
        Ok(&self.link)
    }
}

impl OpenMount {
    /// Opens a file of its file system.
    pub fn open(&self, handle: &FileHandle, inode: u64) -> Result<Opened<'_>, HandleFailure> {
        let start = Instant::now();
        let opened = sys::open_by_handle(self.fd.as_fd(), handle);
        let took = start.elapsed();
        let fd = opened.map_err(|e| match e.raw_os_error() {
            Some(libc::EPERM) => HandleFailure::NotPermitted,
            Some(libc::ESTALE) if self.overlay => HandleFailure::Overlay,
            Some(libc::ESTALE) if self.opens_handles() => HandleFailure::Deleted,
            Some(libc::ESTALE | libc::EOPNOTSUPP | libc::EINVAL) => HandleFailure::NotOpenable,
            _ => HandleFailure::Failed,
        })?;
        // The file is asked only if the handle does not already contain the number.
        if handle.inode() != Some(inode)
            && stat(&fd).map_err(|_| HandleFailure::Failed)?.st_ino != inode
        {
            return Err(HandleFailure::OtherInode);
        }
        Ok(Opened {
            mount: self,
            fd,
            inode,
            took,
        })
    }

    /// Whether its file system can open handles. procfs and others have them for fdinfo and fanotify only
    /// (fs/exportfs/expfs.c, `exportfs_encode_inode_fh`), of a type that XFS can open: 0x81.
    fn opens_handles(&self) -> bool {
        let own = sys::handle_at(self.fd.as_fd(), b".");
        own.is_ok_and(|(own, _)| sys::open_by_handle(self.fd.as_fd(), &own).is_ok())
    }

    /// Turns the path this program sees into the path the process sees.
    fn inside(&self, path: &[u8], inode: u64) -> Result<Vec<u8>, HandleFailure> {
        if path == self.shown {
            // If the kernel opened a file without knowing its name, it shows the root, without an error.
            return if inode == self.root_inode {
                Ok(self.point.as_bytes().to_vec())
            } else {
                Err(HandleFailure::NotCached)
            };
        }
        if path == b"/" {
            return Err(HandleFailure::NotCached);
        }
        let shown = self.shown.strip_suffix(b"/").unwrap_or(&self.shown);
        let rest = path
            .strip_prefix(shown)
            .filter(|rest| rest.starts_with(b"/"))
            .ok_or(HandleFailure::Outside)?;
        let point = self.point.as_bytes();
        let point = point.strip_suffix(b"/").unwrap_or(point);
        Ok([point, rest].concat())
    }
}

/// Directories that can be used instead of the root of their mount if that cannot be opened.
fn anchors(dir: &ProcDir, process: &Process) -> Vec<Vec<u8>> {
    let exe = process.exe.as_ref().and_then(Name::parent);
    let cwd = dir.read_link("cwd").ok();
    exe.map(<[u8]>::to_vec).into_iter().chain(cwd).collect()
}

/// Opens the mounts of a device. Those of the whole file system come first, and one of them is enough.
fn open_mounts(
    look: &Look<'_>,
    anchors: &[Vec<u8>],
    device: Device,
    refused: bool,
) -> Result<Vec<OpenMount>, HandleFailure> {
    let mut opened = Vec::new();
    let mut why = HandleFailure::NoMount;
    for mount in look.view.mounts().of_device(device) {
        if mount.may_hang {
            why = HandleFailure::MayHang;
            continue;
        }
        if refused {
            if reach(look, mount, mount.point.as_bytes()).is_some() {
                return Ok(opened);
            }
            why = HandleFailure::Hidden;
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

/// Opens what a path on a mount leads to, through the process's root. That is right in another mount namespace and
/// below a chroot too.
fn reach(look: &Look<'_>, mount: &Mount, path: &[u8]) -> Option<OwnedFd> {
    let found = look.view.find(path, FinalLink::Follow).ok()?;
    // Another mount may cover this one.
    let other = sys::mount_id(found.as_fd()).is_some_and(|id| id != mount.id);
    (!other).then_some(found)
}

fn open_mount(
    look: &Look<'_>,
    anchors: &[Vec<u8>],
    mount: &Mount,
) -> Result<OpenMount, HandleFailure> {
    let point = mount.point.as_bytes();
    let find = |path: &[u8]| reach(look, mount, path);
    let root = find(point).ok_or(HandleFailure::Hidden)?;
    let root_inode = stat(&root).map_err(|_| HandleFailure::Failed)?.st_ino;
    let mut names = Names::open().map_err(|_| HandleFailure::Failed)?;
    let shown = names
        .of(root.as_fd(), None)
        .map_err(|_| HandleFailure::Failed)?
        .to_vec();
    // open_by_handle_at(2) does not accept O_PATH, but it accepts any directory of the mount.
    let on_it = |path: &&[u8]| {
        look.view
            .mounts()
            .of_path(path)
            .is_some_and(|m| m.id == mount.id)
    };
    let anchors = anchors.iter().map(Vec::as_slice).filter(on_it);
    let fd = std::iter::once(point)
        .chain(anchors)
        .filter(|path| !look.is_seen(path))
        .find_map(|path| {
            let flags = libc::O_RDONLY | libc::O_DIRECTORY;
            sys::open_at(find(path)?.as_fd(), b".", flags).ok()
        })
        .ok_or(if look.is_seen(point) {
            HandleFailure::WouldWake
        } else {
            HandleFailure::Failed
        })?;
    Ok(OpenMount {
        fd,
        point: mount.point.clone(),
        shown,
        root_inode,
        whole: mount.whole,
        overlay: mount.overlay,
    })
}

fn stat(fd: &impl AsFd) -> io::Result<libc::stat> {
    sys::stat_at(fd.as_fd(), b"", 0)
}
