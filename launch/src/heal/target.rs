//! The process to be healed: held by a pidfd, with a copy of each of its inotify instances.

use super::refused::Refused;
use crate::sys::pidfd;
use inspect::gather::{Live, is_same_file};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A process and its inotify instances.
pub struct Target {
    /// What is read of it.
    pub live: Live,
    pidfd: OwnedFd,
    /// Its descriptor, the lowest where it has several of one instance, and our copy.
    copies: Vec<(i32, OwnedFd)>,
}

impl Target {
    /// Opens the process and copies its instances.
    ///
    /// # Errors
    /// There is no such process, or it may not be changed.
    pub fn open(pid: u32) -> Result<Target, Refused> {
        let pidfd = pidfd::open(pid).map_err(|e| Refused::opening(pid, &e))?;
        let live = Live::open(pid).map_err(Refused::from_failure)?;
        // The PID was not given to another process in between.
        if is_gone(pidfd.as_fd()) {
            return Err(Refused::ended(pid));
        }
        let mut target = Target {
            live,
            pidfd,
            copies: Vec::new(),
        };
        target.copy_instances()?;
        Ok(target)
    }

    fn copy_instances(&mut self) -> Result<(), Refused> {
        let process = self.live.process();
        let thread = match self.live.thread() {
            // Its descriptors went with its main thread; another thread has them.
            other if other != process.pid => pidfd::open_thread(other).ok(),
            _ => None,
        };
        let from = thread.as_ref().unwrap_or(&self.pidfd).as_fd();
        for fd in self.live.inotify_fds() {
            let copy = match pidfd::get_fd(from, fd) {
                Ok(copy) => copy,
                Err(e) if e.raw_os_error() == Some(libc::EBADF) => continue,
                Err(e) => return Err(Refused::copying(process.pid, &e)),
            };
            let known = |(_, other): &(i32, OwnedFd)| is_same_file(other.as_fd(), copy.as_fd());
            if !self.copies.iter().any(known) {
                self.copies.push((fd, copy));
            }
        }
        Ok(())
    }

    /// Its PID.
    pub fn pid(&self) -> u32 {
        self.live.process().pid
    }

    /// Our copy of an instance, by its place among the instances.
    pub fn copy(&self, instance: usize) -> Option<BorrowedFd<'_>> {
        Some(self.copies.get(instance)?.1.as_fd())
    }

    /// Reads the watches as they are now; paths that are not known yet are looked for.
    pub fn read(&mut self, patience: Duration) {
        let copies: Vec<_> = self.copies.iter().map(|(fd, c)| (*fd, c.as_fd())).collect();
        self.live.read(&copies, patience);
    }
}

/// Whether a process has ended and was reaped.
fn is_gone(pidfd: BorrowedFd<'_>) -> bool {
    let looked: io::Result<()> = pidfd::send_signal(pidfd, 0);
    looked.is_err_and(|e| e.raw_os_error() == Some(libc::ESRCH))
}
