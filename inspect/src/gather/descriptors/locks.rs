//! File locks: the lines of /proc/locks and the `lock:` lines of /proc/PID/fdinfo/FD.
//!
//! Source: fs/locks.c (`lock_get_status`, `show_fd_locks`). In fdinfo, only the descriptor that took the lock, in the
//! process that owns it, has the line. That shows whose lock it is.

use crate::model::{Device, Identity};

/// The type of a lock, which determines its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockType {
    /// fcntl(2), `F_SETLK`: of a process.
    Posix,
    /// fcntl(2), `F_OFD_SETLK`: of an open file description.
    Ofd,
    /// flock(2): of an open file description, over the whole file.
    Flock,
    /// A lease or delegation.
    Lease,
}

/// One lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockLine {
    /// Whether the owner only waits for it and does not hold it.
    pub waiting: bool,
    /// Its kind.
    pub kind: LockType,
    /// Whether it is a write lock.
    pub exclusive: bool,
    /// The process. `None` for a lock of an open file description (-1), and for a process outside the reader's
    /// namespace.
    pub pid: Option<u32>,
    /// The locked inode.
    pub file: Identity,
    /// The first byte.
    pub start: u64,
    /// The last byte; `u64::MAX` for the end of the file. Adjacent locks of one owner are one range.
    pub end: u64,
}

impl LockLine {
    /// Whether it covers any byte of `first..=last`.
    pub fn covers(&self, first: u64, last: u64) -> bool {
        self.start <= last && first <= self.end
    }

    /// Whether it is held on a range of bytes, as SQLite's are.
    pub fn is_range(&self) -> bool {
        !self.waiting && matches!(self.kind, LockType::Posix | LockType::Ofd)
    }
}

/// Reads `N: POSIX  ADVISORY  READ 42 fe:00:1234 124 125`, as in both files, without `lock:`. `None` for any other
/// line, and for a lock on something without an inode.
pub fn line(text: &[u8]) -> Option<LockLine> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split_ascii_whitespace();
    words.next()?.strip_suffix(':')?.parse::<u64>().ok()?;
    let mut kind = words.next()?;
    let waiting = kind == "->";
    if waiting {
        kind = words.next()?;
    }
    let kind = match kind {
        "POSIX" => LockType::Posix,
        "OFDLCK" => LockType::Ofd,
        "FLOCK" => LockType::Flock,
        "LEASE" | "DELEG" => LockType::Lease,
        _ => return None,
    };
    // ADVISORY, MANDATORY (before Linux 5.15), BREAKING, ACTIVE, ...
    words.next()?;
    let exclusive = match words.next()? {
        "WRITE" => true,
        "READ" => false,
        _ => return None,
    };
    let pid = words.next()?.parse::<i64>().ok()?;
    let file = identity(words.next()?)?;
    let start = words.next()?.parse().ok()?;
    let end = match words.next()? {
        "EOF" => u64::MAX,
        number => number.parse().ok()?,
    };
    Some(LockLine {
        waiting,
        kind,
        exclusive,
        pid: u32::try_from(pid).ok().filter(|&pid| pid > 0),
        file,
        start,
        end,
    })
}

/// `fe:00:1234`: the device in hexadecimal, the inode in decimal.
fn identity(text: &str) -> Option<Identity> {
    let mut parts = text.split(':');
    let major = u32::from_str_radix(parts.next()?, 16).ok()?;
    let minor = u32::from_str_radix(parts.next()?, 16).ok()?;
    let inode = parts.next()?.parse().ok()?;
    (major < 1 << 12 && minor < 1 << 20 && parts.next().is_none())
        .then(|| Identity::plain(Device(major << 20 | minor), inode))
}

/// The locks in the text of an fdinfo file.
pub fn of_fdinfo(text: &[u8]) -> impl Iterator<Item = LockLine> {
    text.split(|&b| b == b'\n')
        .filter_map(|text| text.strip_prefix(b"lock:"))
        .filter_map(line)
}

/// The locks in the text of /proc/locks.
pub fn of_table(text: &[u8]) -> impl Iterator<Item = LockLine> {
    text.split(|&b| b == b'\n').filter_map(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_device_is_hex_and_the_inode_decimal() {
        let lock = line(b"1: POSIX  ADVISORY  READ 4711 fe:10:131099 124 125").unwrap();
        assert_eq!(lock.file.device, Device(0xfe << 20 | 0x10));
        assert_eq!(lock.file.inode, 131_099);
        assert_eq!(lock.pid, Some(4711));
        assert!(!lock.exclusive && !lock.waiting);
    }

    #[test]
    fn a_merged_range_covers_each_of_its_bytes_and_no_other() {
        let lock = line(b"1: POSIX  ADVISORY  READ 1 fe:00:1 124 125").unwrap();
        let covered: Vec<_> = (120..=128).filter(|&b| lock.covers(b, b)).collect();
        assert_eq!(covered, [124, 125]);
    }

    #[test]
    fn an_open_file_descriptions_lock_has_no_process() {
        let lock = line(b"2: OFDLCK ADVISORY  WRITE -1 08:01:9 120 120").unwrap();
        assert_eq!((lock.kind, lock.pid), (LockType::Ofd, None));
        assert!(lock.exclusive && lock.is_range());
    }

    #[test]
    fn a_process_that_waits_for_a_lock_does_not_hold_it() {
        let text = b"7: POSIX  ADVISORY  WRITE 5 fe:00:1 0 EOF\n7: -> POSIX  ADVISORY  WRITE 6 fe:00:1 0 EOF\n";
        let seen: Vec<_> = of_table(text).map(|l| (l.pid, l.is_range())).collect();
        assert_eq!(seen, [(Some(5), true), (Some(6), false)]);
        assert_eq!(of_table(text).next().unwrap().end, u64::MAX);
    }

    #[test]
    fn flocks_and_leases_are_read_and_are_not_ranges() {
        for text in [
            &b"1: FLOCK  ADVISORY  WRITE 27 fe:00:5 0 EOF"[..],
            b"1: LEASE  ACTIVE    READ  27 fe:00:5 0 EOF",
        ] {
            assert!(!line(text).unwrap().is_range());
        }
    }

    #[test]
    fn only_the_lock_lines_of_an_fdinfo_are_locks() {
        let text = b"pos:\t0\nflags:\t02\nlock:\t1: POSIX  ADVISORY  READ 9 fe:00:1 128 128\n";
        assert_eq!(of_fdinfo(text).count(), 1);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = line(&bytes);
            let _ = of_fdinfo(&bytes).count();
            let _ = of_table(&[b"1: POSIX ADVISORY READ 1 ", &bytes[..]].concat()).count();
        }

        #[test]
        fn what_the_kernel_prints_is_read_back(
            pid in 1..i32::MAX, major in 0..4096u32, minor in 0..(1u32 << 20), inode: u64, start: u32, more: u32
        ) {
            let end = u64::from(start) + u64::from(more);
            let text = format!("3: POSIX  ADVISORY  WRITE {pid} {major:02x}:{minor:02x}:{inode} {start} {end}");
            let lock = line(text.as_bytes()).unwrap();
            prop_assert_eq!(lock.pid, u32::try_from(pid).ok());
            prop_assert_eq!(lock.file, Identity::plain(Device(major << 20 | minor), inode));
            prop_assert_eq!((lock.start, lock.end), (start.into(), end));
        }
    }
}
