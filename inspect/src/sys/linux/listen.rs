//! Listening to inodes: an inotify instance and a fanotify group of this program's own.

use super::check;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The name of an open file: a link that leads to its very inode, wherever that is, and raises no event.
fn own_name(target: BorrowedFd<'_>) -> io::Result<CString> {
    Ok(CString::new(format!(
        "/proc/self/fd/{}",
        target.as_raw_fd()
    ))?)
}

fn read_into(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `buffer` has room for the bytes that are asked for.
    let length = unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}

/// inotify(7).
pub struct Inotify(OwnedFd);

impl Inotify {
    /// A new instance, read without waiting.
    ///
    /// # Errors
    /// EMFILE when its user has no instance or this program no descriptor left.
    pub fn new() -> io::Result<Inotify> {
        // SAFETY: inotify_init1 takes an integer and returns a new descriptor nobody else owns.
        let fd = check(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
        // SAFETY: the kernel returned it just now.
        Ok(Inotify(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Watches what `target` was opened on (O_PATH will do); what was asked for before stays asked for.
    ///
    /// # Errors
    /// ENOSPC at the user's limit of watches, EACCES where it may not be read.
    pub fn add(&self, target: BorrowedFd<'_>, mask: u32) -> io::Result<i32> {
        let name = own_name(target)?;
        // SAFETY: `name` is NUL-terminated and lives through the call.
        check(unsafe {
            libc::inotify_add_watch(self.0.as_raw_fd(), name.as_ptr(), mask | libc::IN_MASK_ADD)
        })
    }

    /// Ends a watch. One that is not there any more is not an error.
    pub fn remove(&self, wd: i32) {
        // SAFETY: inotify_rm_watch takes two integers.
        unsafe { libc::inotify_rm_watch(self.0.as_raw_fd(), wd) };
    }

    /// Records that wait, as many as `buffer` holds.
    ///
    /// # Errors
    /// EAGAIN when none waits.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        read_into(self.as_fd(), buffer)
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// fanotify(7), with names instead of descriptors: nothing is opened for an event.
pub struct Fanotify(OwnedFd);

/// An event as fanotify tells it. Its bits are inotify's (include/uapi/linux/fanotify.h).
#[derive(Debug, PartialEq, Eq)]
pub struct Caused<'a> {
    /// The process that did it; 0 where it may not be known.
    pub pid: u32,
    /// What it did.
    pub mask: u64,
    /// The name in its directory, where the event has one.
    pub name: Option<&'a [u8]>,
}

impl Fanotify {
    /// A new group, read without waiting. Needs CAP_SYS_ADMIN, and Linux 5.9 for the names.
    ///
    /// # Errors
    /// EPERM, EINVAL before 5.9, ENOSYS without fanotify in the kernel.
    pub fn new() -> io::Result<Fanotify> {
        let flags = libc::FAN_CLASS_NOTIF
            | libc::FAN_CLOEXEC
            | libc::FAN_NONBLOCK
            | libc::FAN_UNLIMITED_QUEUE
            | libc::FAN_UNLIMITED_MARKS
            | libc::FAN_REPORT_DFID_NAME;
        // SAFETY: fanotify_init takes two integers and returns a new descriptor nobody else owns.
        let fd = check(unsafe { libc::fanotify_init(flags, libc::O_RDONLY as libc::c_uint) })?;
        // SAFETY: the kernel returned it just now.
        Ok(Fanotify(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Marks what `target` was opened on, and for a directory the files in it.
    ///
    /// # Errors
    /// EOPNOTSUPP, ENODEV or EXDEV on file systems without file handles or an ID.
    pub fn add(&self, target: BorrowedFd<'_>, events: u32, directory: bool) -> io::Result<()> {
        let name = own_name(target)?;
        let mask = match directory {
            true => u64::from(events) | libc::FAN_ONDIR | libc::FAN_EVENT_ON_CHILD,
            // A file has no entries.
            false => u64::from(events) & !(libc::FAN_CREATE | libc::FAN_DELETE | libc::FAN_MOVE),
        };
        let (group, at) = (self.0.as_raw_fd(), libc::AT_FDCWD);
        // SAFETY: `name` is NUL-terminated and lives through the call.
        check(unsafe { libc::fanotify_mark(group, libc::FAN_MARK_ADD, mask, at, name.as_ptr()) })?;
        Ok(())
    }

    /// Events that wait, as many as `buffer` holds.
    ///
    /// # Errors
    /// EAGAIN when none waits.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        read_into(self.as_fd(), buffer)
    }
}

impl AsFd for Fanotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Takes one event off the front of what was read: struct fanotify_event_metadata (u32 length, u8 version,
/// u8, u16 metadata length, u64 mask, i32 fd, i32 pid), then information records.
pub fn split_caused(records: &[u8]) -> Option<(Caused<'_>, &[u8])> {
    let u32_at = |at: usize| Some(u32::from_ne_bytes(*records.get(at..)?.first_chunk()?));
    let length = usize::try_from(u32_at(0)?).ok()?;
    let head = usize::from(u16::from_ne_bytes(*records.get(6..)?.first_chunk()?));
    let mask = u64::from_ne_bytes(*records.get(8..)?.first_chunk()?);
    let pid = u32_at(20)?;
    // A length that does not cover the metadata would never end.
    if length < 24 || head > length {
        return None;
    }
    let (event, rest) = records.split_at_checked(length)?;
    let name = event.get(head..).and_then(name_in);
    Some((Caused { pid, mask, name }, rest))
}

/// The name in an information record of the type DFID_NAME: u8 type, u8, u16 length, u64 fsid, struct
/// file_handle (u32 bytes, i32 type, the bytes), the name with its NUL.
fn name_in(mut records: &[u8]) -> Option<&[u8]> {
    loop {
        let kind = *records.first()?;
        let length = usize::from(u16::from_ne_bytes(*records.get(2..)?.first_chunk()?));
        let (record, rest) = records.split_at_checked(length.max(4))?;
        if kind == libc::FAN_EVENT_INFO_TYPE_DFID_NAME {
            let handle = u32::from_ne_bytes(*record.get(12..)?.first_chunk()?);
            let name = record.get(20 + usize::try_from(handle).ok()?..)?;
            let name = name.split(|&b| b == 0).next()?;
            // An event of the directory itself.
            return Some(name).filter(|name| *name != b".");
        }
        records = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_event_with_a_name_is_read_back() {
        let mut event = vec![0u8; 24];
        let record = [
            &[2u8, 0, 31, 0][..],
            &[0; 8],
            &4u32.to_ne_bytes(),
            &1i32.to_ne_bytes(),
            b"hndl",
            b"a.txt\0\0",
        ]
        .concat();
        event[0..4].copy_from_slice(&(24 + record.len() as u32).to_ne_bytes());
        event[6..8].copy_from_slice(&24u16.to_ne_bytes());
        event[8..16].copy_from_slice(&0x20u64.to_ne_bytes());
        event[20..24].copy_from_slice(&77u32.to_ne_bytes());
        event.extend(record);
        let (caused, rest) = split_caused(&event).unwrap();
        assert_eq!((caused.pid, caused.mask), (77, 0x20));
        assert_eq!(caused.name, Some(&b"a.txt"[..]));
        assert!(rest.is_empty());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_nor_loop(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = &bytes[..];
            while let Some((_, next)) = split_caused(rest) {
                prop_assert!(next.len() < rest.len());
                rest = next;
            }
        }
    }
}
