//! Who belongs to a program, and how all of it is ended.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Every process whose real user is `uid`.
pub(crate) fn of_user(uid: u32) -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| real_user(*pid) == Some(uid)).collect()
}

fn real_user(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_whitespace().next()?.parse().ok()
}

/// A process that is held by a descriptor, so that no other one can be meant.
pub(crate) struct Held(OwnedFd);

/// How long a program may take to end of itself.
const TIME_TO_END: Duration = Duration::from_secs(5);

impl Held {
    pub(crate) fn all(pids: Vec<u32>) -> Vec<Held> {
        pids.into_iter().filter_map(Held::new).collect()
    }

    fn new(pid: u32) -> Option<Held> {
        // SAFETY: a plain system call on numbers; its result is checked before it is owned.
        unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0);
            (fd >= 0).then(|| Held(OwnedFd::from_raw_fd(fd as i32)))
        }
    }

    /// Waits for their end, and ends those that take too long.
    pub(crate) fn end(all: Vec<Held>) {
        let asked = Instant::now();
        for held in &all {
            held.wait(TIME_TO_END.saturating_sub(asked.elapsed()));
        }
        for held in &all {
            // SAFETY: a plain system call; no information is passed.
            unsafe {
                let no_information: *const libc::siginfo_t = std::ptr::null();
                let fd = held.0.as_raw_fd();
                libc::syscall(
                    libc::SYS_pidfd_send_signal,
                    fd,
                    libc::SIGKILL,
                    no_information,
                    0,
                );
            }
        }
        for held in &all {
            held.wait(TIME_TO_END);
        }
    }

    /// Waits until it has ended, at most for so long (pidfd_open(2): it is readable then).
    fn wait(&self, time: Duration) {
        let mut poll = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one pollfd is passed, and it outlives the call.
        unsafe { libc::poll(&mut poll, 1, time.as_millis() as i32) };
    }
}
