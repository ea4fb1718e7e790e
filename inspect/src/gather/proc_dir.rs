//! One process's directory in /proc, held open.

use crate::sys;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// `/proc/PID`, opened once. It stays tied to this process even when the PID is used again
/// (fs/proc/base.c: the inode holds the struct pid).
pub struct ProcDir {
    /// The PID, or thread ID, it was opened by.
    pub pid: u32,
    dir: OwnedFd,
}

impl ProcDir {
    /// Opens `/proc/PID`.
    ///
    /// # Errors
    /// ENOENT if there is no such process, or hidepid hides it.
    pub fn open(pid: u32) -> io::Result<ProcDir> {
        ProcDir::open_in(&File::open("/proc")?, pid)
    }

    /// As [`ProcDir::open`], with `/proc` opened before: for all processes of the system.
    ///
    /// # Errors
    /// The same.
    pub fn open_in(root: &File, pid: u32) -> io::Result<ProcDir> {
        let dir = sys::open_at(
            root.as_fd(),
            pid.to_string().as_bytes(),
            libc::O_RDONLY | libc::O_DIRECTORY,
        )?;
        Ok(ProcDir { pid, dir })
    }

    /// The directory of a thread that still runs. When the main thread of a process has ended, the kernel
    /// shows its descriptors and memory only there.
    pub fn of_living_thread(&self) -> Option<ProcDir> {
        let tasks = self
            .open_file(b"task", libc::O_RDONLY | libc::O_DIRECTORY)
            .ok()?;
        let mut living = None;
        sys::each_entry(tasks.as_fd(), &mut Vec::new(), |entry| {
            let text = std::str::from_utf8(entry.name).ok();
            living = text
                .and_then(|text| text.parse().ok())
                .filter(|&thread: &u32| thread != self.pid);
            match living {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        })
        .ok()?;
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        let dir = sys::open_at(tasks.as_fd(), living?.to_string().as_bytes(), flags).ok()?;
        Some(ProcDir { pid: living?, dir })
    }

    /// The descriptor of the directory.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Opens a file below it.
    pub fn open_file(&self, path: &[u8], flags: libc::c_int) -> io::Result<File> {
        sys::open_at(self.as_fd(), path, flags).map(File::from)
    }

    /// The whole content of a small file.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open_file(path.as_bytes(), libc::O_RDONLY)?
            .read_to_end(&mut content)?;
        Ok(content)
    }

    /// The target of a link.
    pub fn read_link(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut target = Vec::new();
        sys::read_link_at(self.as_fd(), path.as_bytes(), &mut target)?;
        Ok(target)
    }

    /// What a path means inside the process: in its mount namespace and below its root.
    pub fn inside(path: &[u8]) -> Vec<u8> {
        [b"root", path].concat()
    }
}
