//! Changes of a file's attributes alone.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// Sets both times to now, by path: no descriptor is opened, and nothing is closed.
pub(crate) fn touch(file: &Path) -> io::Result<()> {
    let path = CString::new(file.as_os_str().as_bytes())?;
    // SAFETY: the path ends with a NUL; no times stand for now (utimensat(2)).
    match unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), std::ptr::null(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Changes its mode, owner, links (by a `link` elsewhere) and extended attributes.
pub(crate) fn change(file: &Path, link: &Path) -> io::Result<()> {
    fs::set_permissions(file, Permissions::from_mode(0o600))?;
    let metadata = fs::metadata(file)?;
    // To the same, as everybody may; the kernel tells it all the same.
    chown(file, Some(metadata.uid()), Some(metadata.gid()))?;
    fs::hard_link(file, link)?;
    match set_extended(file) {
        // Not every file system has them.
        Err(e) if e.raw_os_error() == Some(libc::ENOTSUP) => Ok(()),
        other => other,
    }
}

fn set_extended(file: &Path) -> io::Result<()> {
    let path = CString::new(file.as_os_str().as_bytes())?;
    let value = b"1";
    // SAFETY: both strings end with a NUL, and the value is as long as is said.
    let set = unsafe {
        libc::setxattr(
            path.as_ptr(),
            c"user.watchfix".as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    match set {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
