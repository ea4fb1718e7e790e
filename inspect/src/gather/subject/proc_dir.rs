//! One process's directory in /proc, held open.

use crate::sys;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

/// What d_path (fs/d_path.c) appends to the path of a file that has no name any more.
pub const DELETED: &[u8] = b" (deleted)";

/// `/proc/PID`, opened once. It stays tied to this process even if the PID is reused (fs/proc/base.c: the inode holds
/// the struct pid).
pub struct ProcDir {
    /// The PID or thread ID that it was opened with.
    pub pid: u32,
    dir: OwnedFd,
}

impl ProcDir {
    /// Opens `/proc/PID`.
    ///
    /// # Errors
    /// ENOENT if there is no such process, or hidepid hides it.
    pub fn open(pid: u32) -> io::Result<ProcDir> {
        let dir = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECTORY)
            .open(format!("/proc/{pid}"))?;
        let dir = dir.into();
        Ok(ProcDir { pid, dir })
    }

    /// The directory of a thread that still runs. If the main thread of a process has ended, the kernel shows its
    /// descriptors and memory only there.
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

    /// The TIDs of its threads: at most `most`, and one more if there are more.
    ///
    /// # Errors
    /// ENOENT or ESRCH for a process that is gone.
    pub fn threads(&self, most: usize) -> io::Result<Vec<u32>> {
        let mut threads = Vec::new();
        let tasks = self.open_file(b"task", libc::O_RDONLY | libc::O_DIRECTORY)?;
        // If the process ends during the listing, what was seen is all there was.
        let _ = sys::each_entry(tasks.as_fd(), &mut Vec::new(), |entry| {
            let text = std::str::from_utf8(entry.name).ok();
            threads.extend(text.and_then(|text| text.parse::<u32>().ok()));
            if threads.len() > most {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        Ok(threads)
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
        read_all(&mut self.open_file(path.as_bytes(), libc::O_RDONLY)?)
    }

    /// The target of a link.
    pub fn read_link(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut target = Vec::new();
        sys::read_link_at(self.as_fd(), path.as_bytes(), &mut target)?;
        Ok(target)
    }

    /// Its parent: field 4 of proc_pid_stat(5). The name before it may contain any character, including a parenthesis.
    pub fn parent(&self) -> Option<u32> {
        let stat = self.read("stat").ok()?;
        let end = stat.iter().rposition(|&b| b == b')')?;
        let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
        rest.split_ascii_whitespace().nth(1)?.parse().ok()
    }

    /// The target of a link in this directory, as the process itself would write it. If its root is not `/` (chroot),
    /// link texts begin with the root.
    pub fn inside_root(&self, path: Vec<u8>) -> Vec<u8> {
        match self.read_link("root") {
            Ok(root) if root != b"/" => match path.strip_prefix(root.as_slice()) {
                Some(b"") => b"/".to_vec(),
                Some(rest) if rest.starts_with(b"/") => rest.to_vec(),
                _ => path,
            },
            _ => path,
        }
    }
}

/// The whole content of a file of /proc. std::fs::read would ask for its size, which is 0 there, and begin with 32
/// bytes. What changes between two reads is missed or repeated, so there should be few reads.
pub fn read_all(file: &mut File) -> io::Result<Vec<u8>> {
    let mut content = vec![0; 4096];
    let mut filled = 0;
    loop {
        let room = content.get_mut(filled..).unwrap_or_default();
        match file.read(room) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if filled == content.len() {
            content.resize(filled * 2, 0);
        }
    }
    content.truncate(filled);
    Ok(content)
}
