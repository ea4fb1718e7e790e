//! How much room a file system has.

use super::check;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes that a user without privileges can still write to the file system `fd` lies on (`f_bavail` of
/// statvfs(3)). An `O_PATH` descriptor is enough.
///
/// # Errors
/// The kernel's errno.
pub fn free_bytes(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut answer = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `answer` has room for one struct statvfs.
    check(unsafe { libc::fstatvfs(fd.as_raw_fd(), answer.as_mut_ptr()) })?;
    // SAFETY: fstatvfs succeeded, so it filled the whole struct.
    let answer = unsafe { answer.assume_init() };
    Ok(answer.f_bavail.saturating_mul(answer.f_frsize))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    #[test]
    fn a_file_system_says_what_it_has_left() {
        let file = tempfile::tempfile().unwrap();
        assert!(super::free_bytes(file.as_fd()).unwrap() > 0);
    }
}
