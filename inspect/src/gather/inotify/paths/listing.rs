//! Opening directories of one mount to list them.

use crate::gather::inotify::paths::look::Look;
use crate::gather::subject::view::FinalLink;
use crate::model::{Device, Name};
use crate::sys;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A mount to walk.
pub struct Root {
    fd: OwnedFd,
    point: Name,
    pub device: Device,
    /// Whether directories may be listed with an inode number other than their own, as on an overlayfs
    /// (Documentation/filesystems/overlayfs.rst, "Inode properties").
    pub overlay: bool,
    pub subvolumes: bool,
    pub mount: i32,
}

/// Whether a directory is known to have no subdirectories: the `..` of each would be a link to it. A file system that
/// does not count links of directories shows 1.
pub fn is_leaf(dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
    sys::stat_at(dir, name, flags).is_ok_and(|stat| stat.st_nlink == 2)
}

/// Whether the process would see the opening of this entry. Its directory may be opened unseen.
pub fn would_wake(look: &Look<'_>, root: &Root, dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    if look.side_effects.is_empty() {
        return false;
    }
    // On an overlayfs, and at the root of a btrfs subvolume, the listed number is not the inode's.
    let mount = look.view.mounts().by_id(root.mount);
    let identity =
        mount.and_then(|mount| look.view.mounts().identity_at(mount, (dir, name, false)));
    look.side_effects.by_opening(identity, identity)
}

/// Opens a mount by the process's path of it. `None` if another mount covers it.
pub fn open_root(look: &Look<'_>, id: i32) -> Option<Root> {
    let mounts = look.view.mounts();
    let mount = mounts.by_id(id).filter(|mount| !mount.may_hang)?;
    let fd = look
        .view
        .find(mount.point.as_bytes(), FinalLink::Follow)
        .ok()?;
    if sys::mount_id(fd.as_fd()).is_some_and(|found| found != id) {
        return None;
    }
    Some(Root {
        fd,
        point: mount.point.clone(),
        device: mount.device,
        overlay: mount.overlay,
        subvolumes: mount.subvolumes,
        mount: id,
    })
}

/// Opens a directory of this mount only.
pub fn open_below(root: &Root, path: &[u8]) -> std::io::Result<OwnedFd> {
    let point = root.point.as_bytes();
    let point = point.strip_suffix(b"/").unwrap_or(point);
    let below = path.strip_prefix(point).unwrap_or(path);
    let below = below.strip_prefix(b"/").unwrap_or(below);
    let below = if below.is_empty() { b"." } else { below };
    sys::open_directory_on_mount(root.fd.as_fd(), below)
}
