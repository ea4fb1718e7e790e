//! The proof that a name leads to a watched inode.
//!
//! fdinfo has the number of the inode, the device of its superblock and its file handle. name_to_handle_at(2) needs no
//! privilege and returns the same bytes for a name, including the generation. If one of the two has no handle, or only
//! one that is made of the number (`identity`), number and device must suffice, provided that the file system makes
//! them unique.

use crate::gather::subject::identity::{mark, mark_of, own_device};
use crate::gather::subject::mountinfo::Mount;
use crate::gather::subject::mounts::Mounts;
use crate::model::Watch;
use crate::sys;
use crate::sys::FileHandle;
use std::cell::OnceCell;
use std::os::fd::BorrowedFd;

/// A name and the file it leads to.
pub struct Candidate<'a> {
    mounts: &'a Mounts,
    dir: BorrowedFd<'a>,
    name: &'a [u8],
    mount: &'a Mount,
    handle: Option<FileHandle>,
    stat: OnceCell<Option<libc::stat>>,
}

impl<'a> Candidate<'a> {
    /// `name` below `dir`; an empty `name` is `dir` itself. `path` is the same, as the process would write it.
    pub fn new(
        mounts: &'a Mounts,
        dir: BorrowedFd<'a>,
        name: &'a [u8],
        path: &[u8],
    ) -> Option<Candidate<'a>> {
        let handle = sys::handle_at(dir, name).ok();
        let mount = match &handle {
            Some((_, id)) => mounts.by_id(*id),
            None => mounts.of_path(path),
        };
        Some(Candidate {
            mounts,
            dir,
            name,
            mount: mount?,
            handle: handle.map(|(handle, _)| handle),
            stat: OnceCell::new(),
        })
    }

    /// The number of its inode, if `expected` accepts it. Most handles contain it; otherwise the file is asked.
    pub fn inode(&self, expected: impl Fn(u64) -> bool) -> Option<u64> {
        let named = self.handle.as_ref().and_then(FileHandle::inode);
        let inode = named.filter(|&inode| expected(inode));
        inode.or_else(|| Some(self.stat()?.st_ino).filter(|&inode| expected(inode)))
    }

    /// Whether `watch`, whose handle is `known`, is on it.
    pub fn is(&self, watch: &Watch, known: Option<(i32, &[u8])>) -> bool {
        if watch.device != self.mount.device {
            return false;
        }
        let shared = self.mount.shares_numbers();
        if let (Some((kind, bytes)), Some(seen)) = (known, &self.handle) {
            if (kind, bytes) != (seen.kind(), seen.bytes()) {
                return false;
            }
            if !shared || mark(kind, bytes).is_some() && mark_of(seen).is_some() {
                return true;
            }
        }
        let Some(stat) = self.stat() else {
            return false;
        };
        // If its device differs, it is on another file system or subvolume, and so its number means nothing here.
        let own = own_device(stat) == watch.device && stat.st_ino == watch.inode;
        own && (!shared || self.mounts.is_numbered(watch.device))
    }

    /// Whether `watch` may be on it without proof: `Some(true)` for a directory, whose number is unique among the
    /// directories of its overlayfs, `Some(false)` for an inode with the number of another file system.
    pub fn may_be(&self, watch: &Watch) -> Option<bool> {
        let unknown = self.mount.overlay
            && watch.device == self.mount.device
            && watch.handle.is_none()
            && self.handle.as_ref().and_then(mark_of).is_none();
        let stat = self
            .stat()
            .filter(|stat| unknown && stat.st_ino == watch.inode)?;
        Some(stat.st_mode & libc::S_IFMT == libc::S_IFDIR && own_device(stat) == watch.device)
    }

    fn stat(&self) -> Option<&libc::stat> {
        let look = || {
            let empty = if self.name.is_empty() {
                libc::AT_EMPTY_PATH
            } else {
                0
            };
            let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT | empty;
            let stat = sys::stat_at(self.dir, self.name, flags).ok()?;
            self.mounts.note(self.mount, &stat);
            Some(stat)
        };
        self.stat.get_or_init(look).as_ref()
    }
}
