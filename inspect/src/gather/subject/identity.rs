//! What identifies a file, whether it was found in fdinfo, by a path or by a descriptor.
//!
//! fdinfo has the number of a watched inode and the device of its superblock (fs/notify/fdinfo.c). On most file systems
//! these are unique. But each subvolume of btrfs and bcachefs numbers its own files, and an overlayfs shows files of
//! several file systems with the numbers they have there (fs/overlayfs/inode.c, `ovl_map_ino`). Those are distinguished
//! by the file handle.

use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mountinfo::Mount;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Device, Identity, Watch};
use crate::sys;
use crate::sys::FileHandle;
use std::hash::{DefaultHasher, Hasher};
use std::os::fd::BorrowedFd;

/// Handle types that consist of an inode number and a generation on every file system (fs/exportfs/expfs.c,
/// FILEID_INO32_GEN and FILEID_INO64_GEN). If the number is shared, they add no information.
const OF_NUMBERS: [i32; 2] = [1, 0x81];

/// Files that every system has. One of them shows how an overlayfs numbers its files.
const USUAL: [&[u8]; 4] = [b"etc/passwd", b"etc/os-release", b"bin/sh", b"etc/hosts"];

/// The value for a handle in an [`Identity`]; `None` for a handle that says no more than the number.
pub fn mark(kind: i32, bytes: &[u8]) -> Option<u64> {
    if OF_NUMBERS.contains(&kind) {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    hasher.write_i32(kind);
    hasher.write(bytes);
    // 0 means "no handle is needed".
    Some(hasher.finish().max(1))
}

/// The same for a handle that was requested from the kernel.
pub fn mark_of(handle: &FileHandle) -> Option<u64> {
    mark(handle.kind(), handle.bytes())
}

/// A path below a directory, and whether a final symbolic link is followed. An empty path is the directory itself.
pub type PathBelow<'a> = (BorrowedFd<'a>, &'a [u8], bool);

impl Mount {
    /// Whether several of its files may have one inode number.
    pub fn shares_numbers(&self) -> bool {
        self.overlay || self.subvolumes
    }
}

impl Mounts {
    /// The identity of the file that `path` below `dir` leads to, which is on `mount` and has the number `inode`. Its
    /// handle is asked for only if the number is not enough.
    pub fn identity(
        &self,
        mount: &Mount,
        inode: u64,
        (dir, path, follow): PathBelow<'_>,
    ) -> Option<Identity> {
        let number = Identity::plain(mount.device, inode);
        if !mount.shares_numbers() {
            return Some(number);
        }
        let handle = sys::handle_of(dir, path, follow).ok();
        if let Some(handle) = handle.and_then(|(handle, _)| mark_of(&handle)) {
            return Some(Identity { handle, ..number });
        }
        let stat = sys::stat_at(dir, path, flags(path, follow)).ok()?;
        self.note(mount, &stat);
        if self.is_numbered(mount.device) {
            return Some(number);
        }
        // This identifies it among files, but never matches a watch.
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(stat.st_dev);
        hasher.write_u64(stat.st_ino);
        let handle = hasher.finish().max(1);
        Some(Identity { handle, ..number })
    }

    /// The identity of the file that `path` below `dir` leads to; it is on `mount`.
    pub fn identity_at(&self, mount: &Mount, way: PathBelow<'_>) -> Option<Identity> {
        let (dir, path, follow) = way;
        let stat = sys::stat_at(dir, path, flags(path, follow)).ok()?;
        self.identity(mount, stat.st_ino, way)
    }

    /// Sets what distinguishes the watches of a process from others with the same number. `handle` is a hash of a
    /// watch's handle.
    pub fn identify<'w>(&self, dir: &ProcDir, watches: impl Iterator<Item = &'w mut Watch>) {
        let shared = |device| self.of_device(device).find(|mount| mount.shares_numbers());
        let mut last = None;
        for watch in watches {
            let shares = match last {
                Some((device, shares)) if device == watch.device => shares,
                _ => {
                    let mount = shared(watch.device);
                    if let Some(mount) = mount.filter(|mount| mount.overlay) {
                        self.look_for_a_file(dir, mount);
                    }
                    mount.is_some()
                }
            };
            last = Some((watch.device, shares));
            watch.handle = match watch.handle {
                _ if !shares => Some(0),
                None if self.is_numbered(watch.device) => Some(0),
                handle => handle,
            };
        }
    }

    /// Examines the program of a process, which is most likely on its overlayfs.
    pub fn learn_from_program(&self, dir: &ProcDir) {
        if self.has_overlay()
            && let Ok(program) = dir.read_link("exe")
            && let Some(mount) = self.of_path(&program).filter(|mount| mount.overlay)
        {
            self.look_at(dir, mount, &program);
        }
    }

    /// Examines a file of an overlayfs, if none has been examined yet.
    fn look_for_a_file(&self, dir: &ProcDir, mount: &Mount) {
        if self.numbers_of(mount.device).is_some() {
            return;
        }
        let point = mount.point.as_bytes();
        let point = point.strip_suffix(b"/").unwrap_or(point);
        for name in USUAL {
            self.look_at(dir, mount, &[point, b"/", name].concat());
        }
    }

    fn look_at(&self, dir: &ProcDir, mount: &Mount, path: &[u8]) {
        if self
            .of_path(path)
            .is_some_and(|on| on.device == mount.device)
            && let Ok(stat) = View::of(dir, self).stat(path, FinalLink::Stay)
        {
            self.note(mount, &stat);
        }
    }

    /// Learns from a file of an overlayfs how it numbers its files. A file with the overlayfs's own device has a unique
    /// number there (`ovl_map_dev_ino`). Directories always have.
    pub fn note(&self, mount: &Mount, stat: &libc::stat) {
        if mount.overlay && stat.st_mode & libc::S_IFMT == libc::S_IFREG {
            self.note_numbers(mount.device, own_device(stat) == mount.device);
        }
    }

    /// Whether all files of an overlayfs are known to have unique numbers.
    pub fn is_numbered(&self, device: Device) -> bool {
        self.numbers_of(device) == Some(true)
    }
}

fn flags(path: &[u8], follow: bool) -> libc::c_int {
    let no_follow = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    let itself = if path.is_empty() {
        libc::AT_EMPTY_PATH
    } else {
        0
    };
    no_follow | itself | libc::AT_NO_AUTOMOUNT
}

/// The identity of a file that this program has open, comparable with those of the watches and files of process `pid`.
pub fn identity_of(pid: u32, file: BorrowedFd<'_>) -> Option<Identity> {
    let dir = ProcDir::open(pid).ok()?;
    let mounts = Mounts::of(&dir, &mut Gaps::default());
    let mount = mounts.by_id(sys::mount_id(file)?)?;
    if mount.overlay {
        mounts.look_for_a_file(&dir, mount);
    }
    mounts.identity_at(mount, (file, b"", false))
}

/// The device from stat(2), in the kernel's internal encoding.
pub fn own_device(stat: &libc::stat) -> Device {
    Device::of(stat.st_dev)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_made_of_a_number_adds_no_information() {
        assert_eq!(mark(1, &[1; 8]), None);
        assert_eq!(mark(0x81, &[1; 12]), None);
        let (one, other) = (mark(0x4d, &[1; 20]), mark(0x4d, &[2; 20]));
        assert!(one.is_some() && one != other && one == mark(0x4d, &[1; 20]));
        assert_ne!(mark(0x4d, b"x"), mark(0x4e, b"x"));
    }
}
