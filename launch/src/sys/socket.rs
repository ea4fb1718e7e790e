//! Pairs of sockets that carry short messages with descriptors (unix(7), SCM_RIGHTS).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

/// The most descriptors one message has.
const MOST: usize = 2;

/// Room for the header of a control message and [`MOST`] descriptors, aligned as the header asks.
type Control = [u64; 8];

/// Two ends that keep messages apart, close-on-exec.
///
/// # Errors
/// EMFILE and the like.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two ints.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both were just made and nobody else owns them.
    unsafe { Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))) }
}

/// Sends as much of `text` as there is room for; no signal is raised where nobody receives.
///
/// # Errors
/// EAGAIN where there is no room, EPIPE.
pub fn send_now(socket: BorrowedFd<'_>, text: &[u8]) -> io::Result<()> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let start = text.as_ptr().cast();
    // SAFETY: the kernel reads `text.len()` bytes.
    match unsafe { libc::send(socket.as_raw_fd(), start, text.len(), flags) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends one message with copies of `descriptors`.
///
/// # Errors
/// EPIPE when the other end has been closed; EINVAL for more than two descriptors.
pub fn send(socket: BorrowedFd<'_>, text: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if descriptors.len() > MOST {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut control: Control = [0; 8];
    let mut part = libc::iovec {
        iov_base: text.as_ptr().cast_mut().cast(),
        iov_len: text.len(),
    };
    // SAFETY: all zeros is an empty message.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !descriptors.is_empty() {
        let bytes = size_of_val(descriptors) / size_of::<BorrowedFd<'_>>() * size_of::<RawFd>();
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: arithmetic; the macros find their places within `control`, which has room for MOST.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(bytes as u32) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(bytes as u32) as _;
            let place = libc::CMSG_DATA(header).cast::<RawFd>();
            for (at, descriptor) in descriptors.iter().enumerate() {
                place.add(at).write_unaligned(descriptor.as_raw_fd());
            }
        }
    }
    // SAFETY: every pointer in the message is to something that lives through the call.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    match sent {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Waits for a message: how much of `text` it fills, and its descriptors, close-on-exec. Nothing in it means that the
/// other end has been closed.
///
/// # Errors
/// The kernel's errno.
pub fn receive(socket: BorrowedFd<'_>, text: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control: Control = [0; 8];
    let mut part = libc::iovec {
        iov_base: text.as_mut_ptr().cast(),
        iov_len: text.len(),
    };
    // SAFETY: all zeros is an empty message.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let flags = libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel writes into `text` and `control`, at most as much as the message says there is room for.
    let read = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let length = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
    let mut descriptors = Vec::new();
    // SAFETY: the macros stay within what the kernel has written, and descriptors it has put there are new.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if !header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS {
            let bytes = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
            let place = libc::CMSG_DATA(header).cast::<RawFd>();
            for at in 0..bytes / size_of::<RawFd>() {
                descriptors.push(OwnedFd::from_raw_fd(place.add(at).read_unaligned()));
            }
        }
    }
    Ok((length, descriptors))
}

/// The abstract name of the socket of the supervisor with this PID.
///
/// # Errors
/// None is expected.
pub fn own_name(supervisor: u32) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("watchfix-run-{supervisor}"))
}

/// The PID, as this process sees it, and the user of who has made the other end of a socket, or listens there (SO_PEERCRED).
///
/// # Errors
/// The kernel's errno.
pub fn peer(socket: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut size = size_of_val(&peer) as libc::socklen_t;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
    let place = (&raw mut peer).cast();
    // SAFETY: the kernel writes at most as many bytes as there is room for.
    match unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, place, &raw mut size) } {
        0 => Ok((peer.pid as u32, peer.uid)),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    #[test]
    fn a_message_carries_descriptors() {
        let (a, b) = pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(a.as_fd(), b"hi", &[writer.as_fd(), writer.as_fd()]).unwrap();
        drop(writer);
        let mut text = [0; 8];
        let (length, descriptors) = receive(b.as_fd(), &mut text).unwrap();
        assert_eq!((&text[..length], descriptors.len()), (&b"hi"[..], 2));
        for descriptor in descriptors {
            std::fs::File::from(descriptor).write_all(b"x").unwrap();
        }
        let mut got = String::new();
        reader.read_to_string(&mut got).unwrap();
        assert_eq!(got, "xx");
    }

    #[test]
    fn a_closed_end_is_an_empty_message() {
        let (a, b) = pair().unwrap();
        drop(a);
        assert_eq!(receive(b.as_fd(), &mut [0; 8]).unwrap().0, 0);
        let error = send(b.as_fd(), b"x", &[]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
    }
}
