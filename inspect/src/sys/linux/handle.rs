//! File handles: `name_to_handle_at(2)` and `open_by_handle_at(2)`.

use super::{check, with_c_path};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The kernel's `MAX_HANDLE_SZ` (include/linux/exportfs.h).
pub const MAX_HANDLE: usize = 128;

/// `AT_HANDLE_FID` (Linux 6.5, include/uapi/linux/fcntl.h): a handle that identifies, though it may not
/// be openable. That is what inotify's fdinfo prints.
const AT_HANDLE_FID: libc::c_int = 0x200;

/// `struct file_handle` with room for the longest handle.
#[repr(C)]
#[derive(Clone)]
pub struct FileHandle {
    length: u32,
    kind: i32,
    data: [u8; MAX_HANDLE],
}

impl FileHandle {
    /// A handle of `kind` (`fhandle-type`) with these bytes (`f_handle`); `None` if they are too many.
    pub fn new(kind: i32, bytes: &[u8]) -> Option<FileHandle> {
        let mut handle = FileHandle {
            length: u32::try_from(bytes.len()).ok()?,
            kind,
            data: [0; MAX_HANDLE],
        };
        handle.data.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(handle)
    }

    /// The file system's type number of the handle.
    pub fn kind(&self) -> i32 {
        self.kind
    }

    /// The inode number in a handle of an inode number and a generation, 32 bits each (FILEID_INO32_GEN of
    /// include/linux/exportfs.h: ext4, f2fs and others). The kernel opens that inode, of that generation, or
    /// none (fs/libfs.c, `generic_fh_to_dentry`). A few file systems keep something else in a handle of this
    /// type, so only a number that is expected means anything.
    pub fn inode(&self) -> Option<u64> {
        const INO32_GEN: i32 = 1;
        if self.kind != INO32_GEN || self.length != 8 {
            return None;
        }
        let number = self.data.first_chunk().copied();
        number.map(|number| u64::from(u32::from_ne_bytes(number)))
    }

    /// The handle's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.data.get(..self.length as usize).unwrap_or_default()
    }
}

/// The handle of `path` below `dir` (a final symbolic link is not followed) and the ID of its mount.
/// Needs no privilege.
///
/// # Errors
/// The kernel's errno; EOPNOTSUPP where the file system has no handles.
pub fn handle_at(dir: BorrowedFd<'_>, path: &[u8]) -> io::Result<(FileHandle, i32)> {
    handle_of(dir, path, false)
}

/// The same, where `follow` says whether a final symbolic link is followed. An empty path is `dir` itself.
///
/// # Errors
/// As [`handle_at`].
pub fn handle_of(dir: BorrowedFd<'_>, path: &[u8], follow: bool) -> io::Result<(FileHandle, i32)> {
    let flags = match path {
        b"" => libc::AT_EMPTY_PATH,
        _ if follow => libc::AT_SYMLINK_FOLLOW,
        _ => 0,
    };
    match handle_with(dir, path, flags | AT_HANDLE_FID) {
        // Before 6.5 the flag is unknown.
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => handle_with(dir, path, flags),
        done => done,
    }
}

fn handle_with(
    dir: BorrowedFd<'_>,
    path: &[u8],
    flags: libc::c_int,
) -> io::Result<(FileHandle, i32)> {
    let mut handle = FileHandle {
        length: MAX_HANDLE as u32,
        kind: 0,
        data: [0; MAX_HANDLE],
    };
    let mut mount = 0i32;
    with_c_path(path, |path| {
        // SAFETY: `handle` is laid out as struct file_handle and says how many bytes it has room for;
        // `path` is NUL-terminated; `mount` is one int.
        let result = unsafe {
            libc::syscall(
                libc::SYS_name_to_handle_at,
                dir.as_raw_fd(),
                path.as_ptr(),
                &raw mut handle,
                &raw mut mount,
                flags,
            )
        };
        check(result as libc::c_int)
    })?;
    Ok((handle, mount))
}

/// Whether this program has the capability that opening file handles needs: capabilities(7), CAP_DAC_READ_SEARCH.
pub fn may_open_handles() -> bool {
    /// Its number, and the layout of two words of bits (include/uapi/linux/capability.h).
    const CAP_DAC_READ_SEARCH: u32 = 2;
    const VERSION_3: u32 = 0x2008_0522;
    // Version, and 0 for this thread.
    let mut header = [VERSION_3, 0];
    // Effective, permitted, inheritable; twice.
    let mut data = [0u32; 6];
    // SAFETY: the header is of version 3, for which the kernel writes six words.
    let done = unsafe {
        let data = data.as_mut_ptr();
        libc::syscall(libc::SYS_capget, header.as_mut_ptr(), data)
    };
    done == 0 && data[0] & 1 << CAP_DAC_READ_SEARCH != 0
}

/// Opens the file `handle` names on the file system of `mount`, as `O_PATH`: no permission of the file
/// is needed, and nothing is read. Needs CAP_DAC_READ_SEARCH.
///
/// # Errors
/// EPERM without the capability, ESTALE when the file is gone or the file system cannot tell.
pub fn open_by_handle(mount: BorrowedFd<'_>, handle: &FileHandle) -> io::Result<OwnedFd> {
    // SAFETY: `handle` is laid out as struct file_handle, and its length is within its data.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            &raw const *handle,
            libc::O_PATH | libc::O_CLOEXEC,
        )
    };
    let fd = check(fd as libc::c_int)?;
    // SAFETY: the kernel returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn an_inode_a_handle_names_is_the_one_it_was_made_of() {
        let temp = tempfile::tempdir().unwrap();
        let dir = File::open(temp.path()).unwrap();
        // A file system without handles, or with others, has nothing to compare.
        if let Ok((handle, _)) = handle_at(dir.as_fd(), b".")
            && let Some(inode) = handle.inode()
        {
            let stat = crate::sys::stat_at(dir.as_fd(), b".", 0).unwrap();
            assert_eq!(inode, stat.st_ino);
        }
    }

    #[test]
    fn handles_of_another_layout_name_no_inode() {
        let bytes = [1, 2, 0, 0, 9, 9, 9, 9, 3, 3, 3, 3];
        let inode = |kind, length| FileHandle::new(kind, &bytes[..length]).unwrap().inode();
        assert_eq!(inode(1, 8), Some(0x201));
        // tmpfs has the generation first, XFS with large inodes a number of 64 bits.
        assert_eq!(
            (inode(1, 12), inode(0x81, 12), inode(1, 4)),
            (None, None, None)
        );
    }
}
