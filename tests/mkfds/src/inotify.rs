//! inotify, without a crate between: fixtures need masks and descriptors exactly as given.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::ValueEnum;

/// The file a self-watch looks at.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The directory the file lies in.
    Directory,
    /// The file itself.
    File,
    /// The database's -wal (only for SQLite).
    Wal,
}

/// One inotify instance.
pub struct Instance(OwnedFd);

impl Instance {
    /// A new instance, closed on exec.
    pub fn new() -> Result<Instance, String> {
        // SAFETY: inotify_init1 takes no pointer.
        let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC) };
        if fd < 0 {
            return Err(format!(
                "An inotify instance cannot be made: {} (EMFILE: fs.inotify.max_user_instances).",
                io::Error::last_os_error()
            ));
        }
        // SAFETY: the kernel just returned this descriptor to us alone.
        Ok(Instance(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Watches `path` and returns the watch descriptor.
    pub fn watch(&self, path: &Path, mask: u32) -> Result<i32, String> {
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| format!("{} contains a zero byte.", path.display()))?;
        // SAFETY: `name` is a C string that outlives the call.
        let wd = unsafe { libc::inotify_add_watch(self.fd(), name.as_ptr(), mask) };
        if wd < 0 {
            return Err(format!(
                "{} cannot be watched: {} (ENOSPC: fs.inotify.max_user_watches).",
                path.display(),
                io::Error::last_os_error()
            ));
        }
        Ok(wd)
    }

    /// Removes a watch.
    pub fn unwatch(&self, wd: i32) -> Result<(), String> {
        // SAFETY: inotify_rm_watch takes no pointer.
        if unsafe { libc::inotify_rm_watch(self.fd(), wd) } < 0 {
            return Err(format!(
                "Watch {wd} cannot be removed: {}.",
                io::Error::last_os_error()
            ));
        }
        Ok(())
    }

    /// How many bytes of events wait to be read.
    pub fn queued(&self) -> Result<i32, String> {
        let mut bytes = 0;
        // SAFETY: FIONREAD stores an int through a valid pointer.
        if unsafe { libc::ioctl(self.fd(), libc::FIONREAD, &mut bytes) } < 0 {
            return Err(format!(
                "The waiting events cannot be counted: {}.",
                io::Error::last_os_error()
            ));
        }
        Ok(bytes)
    }

    /// The same instance at another descriptor.
    pub fn dup(&self) -> Result<Instance, String> {
        self.0
            .try_clone()
            .map(Instance)
            .map_err(|e| format!("The instance cannot be duplicated: {e}."))
    }

    /// The descriptor's number.
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A mask as people write it: `0x3ee` or `1006`.
pub fn parse_mask(text: &str) -> Result<u32, String> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    }
    .map_err(|e| format!("`{text}` is not a mask ({e}): write it as 0x3ee or 1006"))
}
