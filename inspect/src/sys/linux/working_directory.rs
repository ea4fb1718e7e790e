//! A thread's own working directory.

use super::check;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The longest path getcwd(2) returns, with its NUL: PATH_MAX.
const ROOM: usize = 4096;

/// The right of this thread to change its working directory: no other thread shares it. It stays where it
/// was made.
#[derive(Debug)]
pub struct OwnWorkingDirectory(PhantomData<*const ()>);

impl OwnWorkingDirectory {
    /// Takes the working directory of this thread apart from the process's (unshare(2) with CLONE_FS; no
    /// privilege is needed). Not for the main thread of a program that goes on to use relative paths.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn of_this_thread() -> io::Result<OwnWorkingDirectory> {
        // SAFETY: it takes an integer; what is shared afterwards is fewer, no memory changes.
        check(unsafe { libc::unshare(libc::CLONE_FS) })?;
        Ok(OwnWorkingDirectory(PhantomData))
    }

    /// The path of the directory `fd`, put into `path`: goes there and asks the kernel where that is.
    ///
    /// # Errors
    /// ENOENT for a deleted directory, EACCES without search permission, EXDEV when it cannot be reached from
    /// this thread's root.
    pub fn of(&self, fd: BorrowedFd<'_>, path: &mut Vec<u8>) -> io::Result<()> {
        // SAFETY: it takes an integer and touches no memory.
        check(unsafe { libc::fchdir(fd.as_raw_fd()) })?;
        path.clear();
        path.reserve(ROOM);
        // The system call itself: libc's function climbs the tree where the kernel has no path.
        // SAFETY: the kernel writes at most ROOM bytes, and that much is allocated.
        let length = unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), ROOM) };
        let length = check(length as libc::c_int)? as usize;
        // SAFETY: the kernel has written `length` bytes, the last of them a NUL; ROOM is more.
        unsafe { path.set_len(length.saturating_sub(1)) };
        // "(unreachable)/..." in front of it (fs/d_path.c).
        if path.first() == Some(&b'/') {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::EXDEV))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_thread_goes_to_a_directory_and_the_program_stays_where_it_is() {
        let before = std::env::current_dir().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a b");
        fs::create_dir(&inner).unwrap();
        let file = File::open(&inner).unwrap();
        std::thread::spawn(move || {
            let place = OwnWorkingDirectory::of_this_thread().unwrap();
            let mut path = Vec::new();
            place.of(file.as_fd(), &mut path).unwrap();
            assert_eq!(path, inner.as_os_str().as_bytes());
            fs::remove_dir(&inner).unwrap();
            let gone = place.of(file.as_fd(), &mut path).unwrap_err();
            assert_eq!(gone.raw_os_error(), Some(libc::ENOENT));
        })
        .join()
        .unwrap();
        assert_eq!(std::env::current_dir().unwrap(), before);
    }
}
