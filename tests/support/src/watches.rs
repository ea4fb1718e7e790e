//! What the kernel says about a victim's inotify instances.

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::wait_until;

/// One watch of a process, as its fdinfo names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The inotify descriptor it belongs to.
    pub fd: i32,
    /// The watch descriptor.
    pub wd: u32,
    /// The inode watched.
    pub inode: u64,
    /// What the kernel was asked for.
    pub mask: u32,
}

/// The inotify descriptors of `pid`; none once it has ended.
pub fn inotify_fds(pid: u32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|e| fs::read_link(e.path()).is_ok_and(|l| l.as_os_str() == "anon_inode:inotify"))
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect()
}

/// Every watch of `pid`.
pub fn watches(pid: u32) -> Vec<Watch> {
    let mut all = Vec::new();
    for fd in inotify_fds(pid) {
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap_or_default();
        all.extend(info.lines().filter_map(|l| parse(fd, l)));
    }
    all
}

/// Every number of such a line is hexadecimal, wd too.
fn parse(fd: i32, line: &str) -> Option<Watch> {
    let fields = line.strip_prefix("inotify ")?;
    let field = |name: &str| {
        let value = fields.split(' ').find_map(|f| f.strip_prefix(name))?;
        u64::from_str_radix(value, 16).ok()
    };
    Some(Watch {
        fd,
        wd: field("wd:")?.try_into().ok()?,
        inode: field("ino:")?,
        mask: field("mask:")?.try_into().ok()?,
    })
}

/// How many bytes of events the kernel holds for `pid`.
///
/// # Errors
/// The process has ended, or is not ours to look into.
pub fn unread_bytes(pid: u32) -> std::io::Result<usize> {
    let mut bytes = 0;
    for fd in inotify_fds(pid) {
        bytes += readable_bytes(&copy_of_fd(pid, fd)?)?;
    }
    Ok(bytes)
}

/// Waits until `pid` has read every event the kernel holds for it, so that what is done next is not
/// read together with what was done before. Panics after [`crate::DEADLINE`].
pub fn wait_until_drained(pid: u32) {
    wait_until(&format!("process {pid} leaves its events unread"), || {
        unread_bytes(pid).expect("a test may look into its own child") == 0
    });
}

fn copy_of_fd(pid: u32, fd: i32) -> std::io::Result<OwnedFd> {
    // SAFETY: plain system calls on numbers; each result is checked before it is owned.
    unsafe {
        let pidfd = libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0);
        if pidfd < 0 {
            return Err(std::io::Error::last_os_error());
        }
        let pidfd = OwnedFd::from_raw_fd(pidfd as i32);
        let copy = libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0);
        if copy < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(copy as i32))
    }
}

fn readable_bytes(fd: &OwnedFd) -> std::io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int, which `bytes` is.
    match unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &mut bytes) } {
        0 => Ok(bytes.unsigned_abs() as usize),
        _ => Err(std::io::Error::last_os_error()),
    }
}
