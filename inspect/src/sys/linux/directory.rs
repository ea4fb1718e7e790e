//! Reading a directory with inode numbers, by a descriptor and without an allocation per entry.

use super::{check, find_on_mount};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// One entry of a directory.
pub struct Entry<'a> {
    /// The inode number in the directory; for a mount point that of the directory beneath the mount.
    pub inode: u64,
    /// The name, without `/`.
    pub name: &'a [u8],
    /// `DT_*`.
    kind: u8,
}

impl Entry<'_> {
    /// Whether it is a socket.
    pub fn is_socket(&self) -> bool {
        self.kind == libc::DT_SOCK
    }

    /// Whether it is a directory, or the file system does not say what it is.
    pub fn may_be_directory(&self) -> bool {
        matches!(self.kind, libc::DT_DIR | libc::DT_UNKNOWN)
    }
}

/// How much is read at a time, unless a caller wants more: some 100 entries.
const BUFFER: usize = 4 * 1024;

/// Calls `visit` for every entry of `dir` but `.` and `..`, until it breaks.
///
/// `buffer` is scratch space a caller can use again for the next directory. Its length is how much is
/// read at a time; an empty one gets 4 KiB.
///
/// # Errors
/// The kernel's errno; entries before it were visited.
pub fn each_entry(
    dir: BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    mut visit: impl FnMut(Entry<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    if buffer.is_empty() {
        buffer.resize(BUFFER, 0);
    }
    loop {
        // SAFETY: the kernel writes at most `buffer.len()` bytes into it.
        let length = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                dir.as_raw_fd(),
                buffer.as_mut_ptr(),
                buffer.len(),
            )
        };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some((entry, next)) = split_entry(rest) {
            rest = next;
            if entry.name != b"." && entry.name != b".." && visit(entry).is_break() {
                return Ok(());
            }
        }
    }
}

/// Takes one `struct linux_dirent64` (getdents(2)) off the front: d_ino u64, d_off i64, d_reclen u16,
/// d_type u8, d_name up to a NUL.
fn split_entry(records: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let inode = u64::from_ne_bytes(*records.first_chunk()?);
    let length = u16::from_ne_bytes(*records.get(16..)?.first_chunk()?);
    let (record, next) = records.split_at_checked(usize::from(length))?;
    let kind = *record.get(18)?;
    let name = record.get(19..)?;
    let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
    let name = name.get(..end)?;
    Some((Entry { inode, name, kind }, next))
}

/// Opens the directory `path` below `root` to list it, if it lies on the same mount and no link leads there.
///
/// # Errors
/// EXDEV if another mount lies there or in between, ELOOP for a symbolic link, else the kernel's errno.
pub fn open_directory_on_mount(root: BorrowedFd<'_>, path: &[u8]) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
    find_on_mount(root, path, flags)
}

/// Lets the time of access of what [`open_directory_on_mount`] opened be as it is when it is listed: opening it has
/// not changed it yet.
///
/// # Errors
/// EPERM unless this program's user is the owner or has CAP_FOWNER (open(2), `O_NOATIME`).
pub fn keep_access_time(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_SETFL takes an integer and changes flags of the descriptor alone.
    check(unsafe {
        libc::fcntl(
            fd.as_raw_fd(),
            libc::F_SETFL,
            libc::O_NONBLOCK | libc::O_NOATIME,
        )
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_directory_is_listed_with_the_inodes_stat_gives() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "").unwrap();
        let wanted = std::fs::metadata(dir.path().join("a")).unwrap().ino();
        let open = std::fs::File::open(dir.path()).unwrap();
        let mut seen = Vec::new();
        each_entry(open.as_fd(), &mut Vec::new(), |e| {
            seen.push((e.inode, e.name.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(seen, [(wanted, b"a".to_vec())]);
    }

    proptest! {
        #[test]
        fn arbitrary_records_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = &bytes[..];
            while let Some((_, next)) = split_entry(rest) {
                // A record of length 0 cannot have a name, so every step makes progress.
                prop_assert!(next.len() < rest.len());
                rest = next;
            }
        }
    }
}
