//! Waiting for one of several descriptors (poll(2)).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// What is waited for.
#[derive(Clone, Copy)]
pub enum For<'a> {
    /// That something can be read, or the other side has gone.
    Input(BorrowedFd<'a>),
    /// That the other side has gone.
    Closing(BorrowedFd<'a>),
    /// Nothing, in this place.
    Nothing,
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Something can be read.
    Yes,
    /// The other side has gone, and nothing is left to be read.
    Closed,
    /// Neither.
    No,
}

/// Waits until something has come, or `time` has passed. May come back with nothing for other reasons.
pub fn wait<const N: usize>(what: [For<'_>; N], time: Option<Duration>) -> [Ready; N] {
    let mut polled = what.map(|one| {
        let (fd, events) = match one {
            For::Input(fd) => (fd.as_raw_fd(), libc::POLLIN),
            For::Closing(fd) => (fd.as_raw_fd(), 0),
            For::Nothing => (-1, 0),
        };
        libc::pollfd {
            fd,
            events,
            revents: 0,
        }
    });
    let time = milliseconds(time);
    // SAFETY: `N` structures are there, and the kernel writes their `revents`.
    let count = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, time) };
    polled.map(|one| match one.revents {
        _ if count <= 0 => Ready::No,
        events if events & libc::POLLIN != 0 => Ready::Yes,
        0 => Ready::No,
        _ => Ready::Closed,
    })
}

/// Waits until one of `files` can be read, or `time` has passed. True if one can.
pub fn wait_for_any(files: &[BorrowedFd<'_>], time: Option<Duration>) -> bool {
    let polled = files.iter().map(|file| libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    let mut polled: Vec<_> = polled.collect();
    let (count, time) = (polled.len() as libc::nfds_t, milliseconds(time));
    // SAFETY: `count` structures are there, and the kernel writes their `revents`.
    unsafe { libc::poll(polled.as_mut_ptr(), count, time) > 0 }
}

/// Rounded up: a timer that is nearly due must not be waited for in turns of nothing.
fn milliseconds(time: Option<Duration>) -> i32 {
    time.map_or(-1, |time| {
        i32::try_from(time.as_millis() + 1).unwrap_or(i32::MAX)
    })
}

/// Wakes another thread of this process that waits for it (eventfd(2)). Without one it wakes nobody.
pub struct Bell(Option<File>);

impl Default for Bell {
    fn default() -> Bell {
        // SAFETY: integers only.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        // SAFETY: the kernel has just made this descriptor; nobody else owns it.
        Bell((fd >= 0).then(|| File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }
}

impl Bell {
    /// Wakes who waits.
    pub fn ring(&self) {
        if let Some(mut file) = self.0.as_ref() {
            // It has been rung already, if it cannot be.
            let _ = file.write(&1u64.to_ne_bytes());
        }
    }

    /// Ends the ringing.
    pub fn hush(&self) {
        if let Some(mut file) = self.0.as_ref() {
            let _ = file.read(&mut [0; 8]);
        }
    }

    /// What is waited for.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }
}

/// Whether something can be written without waiting, as far as that can be said before.
pub fn takes_output(fd: BorrowedFd<'_>) -> bool {
    let mut polled = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one structure is there, and the kernel writes its `revents`.
    let count = unsafe { libc::poll(&raw mut polled, 1, 0) };
    count == 1 && polled.revents & libc::POLLOUT != 0
}
