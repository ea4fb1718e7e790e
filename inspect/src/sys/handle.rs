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
    match handle_with(dir, path, AT_HANDLE_FID) {
        // Before 6.5 the flag is unknown.
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => handle_with(dir, path, 0),
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
