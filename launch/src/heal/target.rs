//! The process to be healed: held by a pidfd, with a copy of each of its inotify instances.

use super::refused::Refused;
use crate::sys::pidfd;
use inspect::gather::{ProcessHandle, is_same_file};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A process and its inotify instances.
pub struct Target {
    /// What is read of it.
    pub handle: ProcessHandle,
    pidfd: OwnedFd,
    /// Its descriptor, the lowest where it has several of one instance, and our copy.
    copies: Vec<(i32, OwnedFd)>,
    left: Vec<u32>,
    /// How guesses about its watches came out.
    pub guesses: Guesses,
}

/// How guesses came out.
#[derive(Default)]
pub struct Guesses {
    right: AtomicBool,
    wrong: AtomicBool,
}

impl Guesses {
    /// Whether a likely place may be tried; a contested one needs another that was right.
    pub fn may_go_on(&self, contested: bool) -> bool {
        let is = |what: &AtomicBool| what.load(Ordering::Relaxed);
        !is(&self.wrong) && (!contested || is(&self.right))
    }

    /// The kernel has confirmed one.
    pub fn was_right(&self) {
        self.right.store(true, Ordering::Relaxed);
    }

    /// The instance had no watch there.
    pub fn was_wrong(&self) {
        self.wrong.store(true, Ordering::Relaxed);
    }
}

impl Target {
    /// Opens the process and copies its instances.
    ///
    /// # Errors
    /// There is no such process, or it may not be changed.
    pub fn open(pid: u32) -> Result<Target, Refused> {
        let pidfd = pidfd::open(pid).map_err(|e| Refused::opening(pid, &e))?;
        let handle = ProcessHandle::open(pid).map_err(Refused::from_failure)?;
        // The PID was not given to another process in between.
        if is_gone(pidfd.as_fd()) {
            return Err(Refused::ended(pid));
        }
        let mut target = Target {
            handle,
            pidfd,
            copies: Vec::new(),
            left: Vec::new(),
            guesses: Guesses::default(),
        };
        target.copy_instances()?;
        Ok(target)
    }

    fn copy_instances(&mut self) -> Result<(), Refused> {
        let process = self.handle.process();
        let thread = match self.handle.thread() {
            // Its descriptors went with its main thread; another thread has them.
            other if other != process.pid => {
                Some(
                    pidfd::open_thread(other).map_err(|e| match e.raw_os_error() {
                        Some(libc::EINVAL) => Refused::without_main_thread(process.pid),
                        _ => Refused::opening(process.pid, &e),
                    })?,
                )
            }
            _ => None,
        };
        let from = thread.as_ref().unwrap_or(&self.pidfd).as_fd();
        for fd in self.handle.inotify_fds() {
            match pidfd::get_fd(from, fd) {
                Ok(copy) => keep(&mut self.copies, fd, copy),
                Err(e) if e.raw_os_error() == Some(libc::EBADF) => {}
                Err(e) => return Err(Refused::copying(process.pid, &e)),
            }
        }
        for (other, fds) in self.handle.other_tables() {
            let copied = pidfd::open_thread(other).and_then(|thread| {
                for fd in fds {
                    match pidfd::get_fd(thread.as_fd(), fd) {
                        Ok(copy) => keep(&mut self.copies, fd, copy),
                        Err(e) if e.raw_os_error() == Some(libc::EBADF) => {}
                        Err(e) => return Err(e),
                    }
                }
                Ok(())
            });
            match copied.map_err(|e| (e.raw_os_error(), e)) {
                Ok(()) => {}
                // It has ended.
                Err((Some(libc::ESRCH), _)) => {}
                Err((Some(libc::EINVAL), _)) => self.left.push(other),
                Err((_, e)) => return Err(Refused::copying(process.pid, &e)),
            }
        }
        Ok(())
    }

    /// Threads with descriptors of their own, which this kernel does not hand out.
    pub fn left(&self) -> &[u32] {
        &self.left
    }

    /// Its PID.
    pub fn pid(&self) -> u32 {
        self.handle.process().pid
    }

    /// Our copy of an instance, by its place among the instances.
    pub fn copy(&self, instance: usize) -> Option<BorrowedFd<'_>> {
        Some(self.copies.get(instance)?.1.as_fd())
    }

    /// Our copies of its instances, with its descriptors.
    pub fn instances(&self) -> impl Iterator<Item = (i32, BorrowedFd<'_>)> {
        self.copies.iter().map(|(fd, copy)| (*fd, copy.as_fd()))
    }

    /// Whether one of them is of this instance.
    pub fn has_copy_of(&self, instance: BorrowedFd<'_>) -> bool {
        self.instances()
            .any(|(_, copy)| is_same_file(copy, instance))
    }

    /// Reads the watches as they are now; paths that are not known yet are looked for.
    pub fn read(&mut self, timeout: Duration) {
        let copies: Vec<_> = self.copies.iter().map(|(fd, c)| (*fd, c.as_fd())).collect();
        self.handle.read(&copies, timeout);
    }
}

/// Keeps a copy, unless it is of an instance there is a copy of.
fn keep(copies: &mut Vec<(i32, OwnedFd)>, fd: i32, copy: OwnedFd) {
    if !copies
        .iter()
        .any(|(_, other)| is_same_file(other.as_fd(), copy.as_fd()))
    {
        copies.push((fd, copy));
    }
}

/// Whether a process has ended and was reaped.
fn is_gone(pidfd: BorrowedFd<'_>) -> bool {
    let looked: io::Result<()> = pidfd::send_signal(pidfd, 0);
    looked.is_err_and(|e| e.raw_os_error() == Some(libc::ESRCH))
}
