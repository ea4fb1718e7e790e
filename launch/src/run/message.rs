//! What the supervisor tells the launcher.

use crate::sys::process::Change;
use crate::sys::socket;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One message.
pub enum Message {
    /// The command is being started.
    Started {
        /// Its PID.
        pid: u32,
        /// Its pidfd, used for signals: its PID may become another process's.
        pidfd: OwnedFd,
        /// A copy of the listener, where there is one.
        listener: Option<OwnedFd>,
    },
    /// Something has become of it.
    Changed(Change),
}

/// Says that the command is being started.
///
/// # Errors
/// EPIPE when the launcher has gone.
pub fn send_started(
    to: BorrowedFd<'_>,
    pid: u32,
    pidfd: BorrowedFd<'_>,
    listener: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let descriptors: Vec<_> = [Some(pidfd), listener].into_iter().flatten().collect();
    socket::send(to, &text(b's', pid as i32), &descriptors)
}

/// Says what has become of the command.
///
/// # Errors
/// EPIPE when the launcher has gone.
pub fn send_change(to: BorrowedFd<'_>, change: Change) -> io::Result<()> {
    let (kind, number) = match change {
        Change::Exited(status) => (b'e', status),
        Change::Killed(signal) => (b'k', signal),
        Change::Stopped(signal) => (b't', signal),
        Change::Continued => (b'c', 0),
    };
    socket::send(to, &text(kind, number), &[])
}

fn text(kind: u8, number: i32) -> [u8; 5] {
    let [a, b, c, d] = number.to_ne_bytes();
    [kind, a, b, c, d]
}

/// Waits for the next message; `None` when the supervisor has gone.
pub fn receive(from: BorrowedFd<'_>) -> Option<Message> {
    let mut text = [0; 5];
    let (5, descriptors) = socket::receive(from.as_fd(), &mut text).ok()? else {
        return None;
    };
    let [kind, a, b, c, d] = text;
    let number = i32::from_ne_bytes([a, b, c, d]);
    Some(match kind {
        b's' => {
            let mut descriptors = descriptors.into_iter();
            Message::Started {
                pid: number as u32,
                pidfd: descriptors.next()?,
                listener: descriptors.next(),
            }
        }
        b'e' => Message::Changed(Change::Exited(number)),
        b'k' => Message::Changed(Change::Killed(number)),
        b't' => Message::Changed(Change::Stopped(number)),
        _ => Message::Changed(Change::Continued),
    })
}
