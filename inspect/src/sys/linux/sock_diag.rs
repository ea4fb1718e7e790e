//! Unix sockets by the file they are bound to (sock_diag(7)): /proc/net/unix has the path of the moment they
//! were bound, which a link or a rename makes another one's.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A unix socket that is bound to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundSocket {
    /// The socket's inode, as in `socket:[N]`.
    pub socket: u64,
    /// The device of the file's superblock, major and minor.
    pub device: (u32, u32),
    /// The lower half of the file's inode number: the kernel shows no more.
    pub inode: u32,
    /// It listens, or takes datagrams.
    pub served: bool,
    /// It takes datagrams.
    pub datagrams: bool,
}

/// The request: a netlink header (netlink(7)) and `unix_diag_req`.
#[repr(C)]
struct Request {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    family: u8,
    protocol: u8,
    pad: u16,
    states: u32,
    inode: u32,
    show: u32,
    cookie: [u32; 2],
}

/// SOCK_DIAG_BY_FAMILY of include/uapi/linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// UDIAG_SHOW_VFS and UNIX_DIAG_VFS of include/uapi/linux/unix_diag.h.
const SHOW_FILE: u32 = 2;
const FILE: u16 = 1;
/// TCP_LISTEN of include/net/tcp_states.h, which unix sockets have as well.
const LISTENS: u8 = 10;

/// The bound unix sockets of this thread's network namespace.
///
/// # Errors
/// The kernel's errno; EPROTONOSUPPORT or ENOENT where it has no such table.
pub fn bound_sockets() -> io::Result<Vec<BoundSocket>> {
    // SAFETY: socket takes integers.
    let fd = check(unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_SOCK_DIAG,
        )
    })?;
    // SAFETY: the kernel just returned this descriptor to us alone.
    let netlink = unsafe { OwnedFd::from_raw_fd(fd) };
    let request = Request {
        length: size_of::<Request>() as u32,
        kind: BY_FAMILY,
        flags: (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16,
        sequence: 1,
        port: 0,
        family: libc::AF_UNIX as u8,
        protocol: 0,
        pad: 0,
        states: u32::MAX,
        inode: 0,
        show: SHOW_FILE,
        cookie: [0; 2],
    };
    // SAFETY: the kernel reads `request`, a plain struct without padding, during the call.
    let sent = unsafe {
        libc::send(
            netlink.as_raw_fd(),
            (&raw const request).cast(),
            size_of::<Request>(),
            0,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut buffer = vec![0u8; 64 << 10];
    loop {
        // SAFETY: the kernel writes at most `buffer.len()` bytes into it.
        let read = unsafe {
            libc::recv(
                netlink.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
            )
        };
        let Ok(length @ 1..) = usize::try_from(read) else {
            return Err(io::Error::last_os_error());
        };
        if !messages(buffer.get(..length).unwrap_or_default(), &mut found)? {
            return Ok(found);
        }
    }
}

/// Reads the messages of one datagram; false when the last one was there.
fn messages(mut rest: &[u8], found: &mut Vec<BoundSocket>) -> io::Result<bool> {
    while let Some(length) = number(rest, 0) {
        let length = length as usize;
        let Some(message) = rest.get(16..length) else {
            return Ok(false);
        };
        match half(rest, 4).map(i32::from) {
            Some(libc::NLMSG_DONE) => return Ok(false),
            Some(libc::NLMSG_ERROR) => {
                let errno = number(message, 0).unwrap_or(0) as i32;
                return Err(io::Error::from_raw_os_error(-errno));
            }
            _ => found.extend(socket(message)),
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Ok(true)
}

/// `unix_diag_msg`: family, type, state, pad, inode, two cookies; then attributes.
fn socket(message: &[u8]) -> Option<BoundSocket> {
    let (kind, state) = (*message.get(1)?, *message.get(2)?);
    let socket = u64::from(number(message, 4)?);
    let mut rest = message.get(16..)?;
    while let (Some(length), Some(name)) = (half(rest, 0), half(rest, 2)) {
        if name == FILE {
            // `unix_diag_vfs`: the inode, and the device as the kernel keeps it (include/linux/kdev_t.h).
            let (inode, device) = (number(rest, 4)?, number(rest, 8)?);
            let datagrams = i32::from(kind) == libc::SOCK_DGRAM;
            return Some(BoundSocket {
                socket,
                device: (device >> 20, device & 0xf_ffff),
                inode,
                served: state == LISTENS || datagrams,
                datagrams,
            });
        }
        rest = rest.get(aligned(usize::from(length).max(4))..)?;
    }
    None
}

/// NLMSG_ALIGN and RTA_ALIGN.
fn aligned(length: usize) -> usize {
    length.div_ceil(4) * 4
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let word = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(word.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_socket_is_known_by_its_file_whatever_that_is_called() {
        let dir = tempfile::tempdir().unwrap();
        let (first, then) = (dir.path().join("first"), dir.path().join("then"));
        let _listener = UnixListener::bind(&first).unwrap();
        std::fs::rename(&first, &then).unwrap();
        let Ok(all) = bound_sockets() else {
            return support::skip_optional("the kernel has no table of unix sockets");
        };
        let inode = std::fs::metadata(&then).unwrap().ino() as u32;
        let it = all.iter().find(|socket| socket.inode == inode);
        assert!(it.is_some_and(|socket| socket.served && !socket.datagrams));
    }
}
