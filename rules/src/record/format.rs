//! One inotify record.
//!
//! Format: struct inotify_event of include/uapi/linux/inotify.h, native byte order: wd i32, mask u32,
//! cookie u32, len u32, then `len` bytes of a NUL-padded name. The kernel rounds len up to a multiple
//! of 16 (fs/notify/inotify/inotify_user.c, round_event_name_len).

use crate::event::{ALL_EVENTS, IGNORED, ISDIR, MOVED_FROM, MOVED_TO, Q_OVERFLOW, UNMOUNT};

/// Bytes before a record's name.
pub const HEADER: usize = 16;

/// Longer names do not exist: 255 characters, at most 4 bytes each (vfat, cifs), rounded up.
const NAME_LIMIT: usize = 1024;

/// Bits the kernel sets in a record.
const RECORD_BITS: u32 = ALL_EVENTS | UNMOUNT | Q_OVERFLOW | IGNORED | ISDIR;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'b> {
    /// The watch; -1 only with Q_OVERFLOW.
    pub wd: i32,
    /// What happened.
    pub mask: u32,
    /// Joins the two halves of a rename; 0 in all other records.
    pub cookie: u32,
    /// The name within the watched directory, without its padding; empty for the watched inode itself.
    pub name: &'b [u8],
    /// Bytes it takes in the buffer.
    pub size: usize,
}

impl<'b> Record<'b> {
    /// The record at the beginning of `bytes`; `None` if there is none that the kernel could have
    /// written there.
    pub fn read(bytes: &'b [u8]) -> Option<Record<'b>> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *header;
        let mask = u32::from_ne_bytes([e, f, g, h]);
        // First: it is what tells records from other files' bytes.
        if mask & !RECORD_BITS != 0 || mask == 0 {
            return None;
        }
        let wd = i32::from_ne_bytes([a, b, c, d]);
        if wd < 1 && !(wd == -1 && mask == Q_OVERFLOW) {
            return None;
        }
        let cookie = u32::from_ne_bytes([i, j, k, l]);
        if cookie != 0 && mask & (MOVED_FROM | MOVED_TO) == 0 {
            return None;
        }
        let len = u32::from_ne_bytes([m, n, o, p]) as usize;
        if len > NAME_LIMIT || !len.is_multiple_of(HEADER) {
            return None;
        }
        let padded = rest.get(..len)?;
        let end = padded.iter().position(|&c| c == 0).unwrap_or(len);
        Some(Record {
            wd,
            mask,
            cookie,
            name: padded.get(..end)?,
            size: HEADER + len,
        })
    }
}

/// A record's bytes.
#[cfg(test)]
pub(super) fn raw(wd: i32, mask: u32, cookie: u32, len: u32, name: &[u8]) -> std::vec::Vec<u8> {
    let mut bytes = std::vec::Vec::new();
    for word in [wd as u32, mask, cookie, len] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(name);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::*;

    fn is_read(wd: i32, mask: u32, cookie: u32, len: u32, name: &[u8]) -> bool {
        Record::read(&raw(wd, mask, cookie, len, name)).is_some()
    }

    #[test]
    fn what_the_kernel_writes_is_a_record() {
        for (bit, name) in EVENTS {
            assert!(is_read(1, *bit, 0, 0, b""), "{name}");
            assert!(is_read(1, *bit | ISDIR, 0, 0, b""), "{name}");
        }
        for mask in [IGNORED, UNMOUNT, ATTRIB | MODIFY] {
            assert!(is_read(i32::MAX, mask, 0, 0, b""));
        }
        assert!(is_read(-1, Q_OVERFLOW, 0, 0, b""));
        assert!(is_read(1, MOVED_FROM, 9, 16, &[b'a'; 16]));
        assert!(is_read(1, MOVED_TO, 9, 16, &[b'a'; 16]));
        assert!(is_read(1, CREATE, 0, 1024, &[b'a'; 1024]));
    }

    #[test]
    fn what_the_kernel_never_writes_is_not_a_record() {
        for wd in [0, -1, -2, i32::MIN] {
            assert!(!is_read(wd, MODIFY, 0, 0, b""), "{wd}");
        }
        for wd in [0, -2] {
            assert!(!is_read(wd, Q_OVERFLOW, 0, 0, b""), "{wd}");
        }
        assert!(!is_read(-1, Q_OVERFLOW | MODIFY, 0, 0, b""));
        assert!(!is_read(1, 0, 0, 0, b""));
        for bit in [0x1000, 0x1_0000, ONLYDIR, EXCL_UNLINK, MASK_ADD, ONESHOT] {
            assert!(!is_read(1, MODIFY | bit, 0, 0, b""), "{bit:#x}");
        }
        // Renames have a cookie, and nothing else has.
        for mask in [MODIFY, CREATE | ISDIR, MOVE_SELF] {
            assert!(!is_read(1, mask, 9, 0, b""), "{mask:#x}");
        }
        assert!(!is_read(1, CREATE, 0, 15, &[b'a'; 15]));
        assert!(!is_read(1, CREATE, 0, 1040, &[b'a'; 1040]));
        assert!(
            !is_read(1, CREATE, 0, 32, &[b'a'; 16]),
            "its end is missing"
        );
        assert!(Record::read(&raw(1, MODIFY, 0, 0, b"")[..15]).is_none());
    }

    #[test]
    fn a_record_has_its_words_and_its_name_without_padding() {
        let bytes = raw(
            7,
            MOVED_TO,
            9,
            16,
            b"name\0\0\0\0\0\0\0\0\0\0\0\0and what follows",
        );
        assert_eq!(
            Record::read(&bytes),
            Some(Record {
                wd: 7,
                mask: MOVED_TO,
                cookie: 9,
                name: b"name",
                size: 32,
            })
        );
        let unpadded = raw(7, CREATE, 0, 16, &[b'a'; 16]);
        assert_eq!(Record::read(&unpadded).unwrap().name, [b'a'; 16]);
    }
}
