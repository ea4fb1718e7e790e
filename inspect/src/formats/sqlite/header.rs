//! The first bytes of a database, of a -wal and of a -journal, as pure functions over bytes.
//!
//! Formats: <https://sqlite.org/fileformat2.html>, sections 1.3, 3 and 4.1.

use crate::model::Journal;

use crate::formats::sqlite::checksum::{sums, sums_from};

/// The version of the format of -wal and -shm (`WAL_MAX_VERSION`, `WALINDEX_MAX_VERSION`).
pub const VERSION: u32 = 3_007_000;
/// The bytes of a -wal's header; frame 1 follows.
pub const WAL_HEADER: u64 = 32;
/// The bytes in front of each page: page number, database size after a commit (else 0), salts, checksum.
pub const FRAME_HEADER: u64 = 24;
/// The bytes of a -journal's header; padding up to a sector follows.
pub const JOURNAL: usize = 28;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The big-endian number at `at`. All numbers of a database and of the frames of a -wal are big-endian.
pub fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The journal mode a database's header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A rollback journal.
    Rollback,
    /// A write-ahead log.
    Wal,
    /// Two logs in turn, as a branch of SQLite has them. Recognised but not decoded.
    Wal2,
}

/// Reads the first 20 bytes of a database. `None` without SQLite's magic: it is another file, or encrypted.
pub fn database(bytes: &[u8]) -> Option<Mode> {
    let version = bytes.get(18)?;
    bytes.starts_with(MAGIC).then_some(match version {
        0 | 1 => Mode::Rollback,
        2 => Mode::Wal,
        _ => Mode::Wal2,
    })
}

/// The start of a -journal. If it is kept after a transaction, it is truncated to nothing or its header is zeroed
/// (pager.c, `zeroJournalHdr`). The magic is not there until the journal is synced, but the random number, the
/// sector and the page size are (`writeJournalHdr`). `None` for what is too short.
pub fn journal(bytes: &[u8]) -> Option<Journal> {
    if bytes.is_empty() {
        return Some(Journal::Ended);
    }
    let bytes = bytes.first_chunk::<JOURNAL>()?;
    let [.., a, b, c, d, _, _, _, _, _, _, _, _, _, _, _, _] = *bytes;
    Some(match bytes.iter().all(|&byte| byte == 0) {
        true => Journal::Ended,
        false => Journal::Of(u32::from_be_bytes([a, b, c, d])),
    })
}

/// A -wal's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalHeader {
    /// Bytes of a page.
    pub page_size: Option<u32>,
    /// The salts every valid frame repeats.
    pub salts: [u8; 8],
    /// Its checksum, which that of the first frame continues.
    pub sums: (u32, u32),
    /// Whether checksums are computed over big-endian words.
    big_endian: bool,
}

impl WalHeader {
    /// The checksum of what came before and of `bytes`, in this log's byte order. `bytes` is a whole number of pairs of
    /// words; what follows the last pair is ignored.
    pub fn continue_sums(&self, before: (u32, u32), bytes: &[u8]) -> (u32, u32) {
        let word = |bytes: [u8; 4]| match self.big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        };
        let pairs = bytes.as_chunks::<8>().0.iter();
        sums_from(
            before,
            pairs.map(|&[a, b, c, d, e, f, g, h]| (word([a, b, c, d]), word([e, f, g, h]))),
        )
    }
}

/// Reads a -wal's header. `None` if it is too short, of another version, or has a wrong checksum.
pub fn wal(bytes: &[u8]) -> Option<WalHeader> {
    let bytes = bytes.first_chunk::<{ WAL_HEADER as usize }>()?;
    let mut words = [0u32; 8];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    let [magic, version, page, _, _, _, sum1, sum2] = words;
    if magic & !1 != 0x377f_0682 || version != VERSION {
        return None;
    }
    // The lowest bit of the magic is the byte order of the checksums.
    let order = |word: u32| {
        if magic & 1 == 1 {
            word
        } else {
            word.swap_bytes()
        }
    };
    let [a, b, c, d, e, f, ..] = words.map(order);
    if sums([(a, b), (c, d), (e, f)].into_iter()) != (sum1, sum2) {
        return None;
    }
    let mut salts = [0; 8];
    salts.copy_from_slice(bytes.get(16..24).unwrap_or(&[0; 8]));
    Some(WalHeader {
        page_size: page_size(page),
        salts,
        sums: (sum1, sum2),
        big_endian: magic & 1 == 1,
    })
}

/// A page size as it is stored: 1 means 65536. `None` unless it is a power of two of at least 512.
pub fn page_size(stored: u32) -> Option<u32> {
    let size = if stored == 1 { 65536 } else { stored };
    (size.is_power_of_two() && (512..=65536).contains(&size)).then_some(size)
}

/// The size of `frames` frames in a -wal, without its header.
pub fn frame_bytes(frames: u32, page_size: u32) -> u64 {
    u64::from(frames) * (FRAME_HEADER + u64::from(page_size))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header as SQLite writes it.
    pub fn written(magic: u32, page: u32) -> Vec<u8> {
        let words = [magic, VERSION, page, 3, 0x0102_0304, 0x0506_0708];
        let order = |word: u32| {
            if magic & 1 == 1 {
                word
            } else {
                word.swap_bytes()
            }
        };
        let [a, b, c, d, e, f] = words.map(order);
        let (x, y) = sums([(a, b), (c, d), (e, f)].into_iter());
        words
            .iter()
            .chain([&x, &y])
            .flat_map(|w| w.to_be_bytes())
            .collect()
    }

    #[test]
    fn both_byte_orders_of_the_checksum_are_read() {
        for magic in [0x377f_0682, 0x377f_0683] {
            let header = wal(&written(magic, 4096)).unwrap();
            assert_eq!(header.page_size, Some(4096));
            assert_eq!(header.salts, [1, 2, 3, 4, 5, 6, 7, 8]);
        }
    }

    #[test]
    fn a_header_with_one_changed_bit_is_rejected() {
        let good = written(0x377f_0682, 4096);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(wal(&bad), None, "bit {bit}");
        }
    }

    #[test]
    fn a_page_size_is_a_power_of_two_from_512_to_65536() {
        assert_eq!(page_size(1), Some(65536));
        assert_eq!(page_size(65536), Some(65536));
        assert_eq!(page_size(512), Some(512));
        for wrong in [0, 2, 256, 513, 131_072, u32::MAX] {
            assert_eq!(page_size(wrong), None);
        }
    }

    #[test]
    fn byte_18_tells_the_mode() {
        let mut bytes = [&MAGIC[..], &[16, 0, 2, 2]].concat();
        assert_eq!(database(&bytes), Some(Mode::Wal));
        bytes[18] = 1;
        assert_eq!(database(&bytes), Some(Mode::Rollback));
        bytes[18] = 3;
        assert_eq!(database(&bytes), Some(Mode::Wal2));
        bytes[0] ^= 1;
        assert_eq!(database(&bytes), None);
        assert_eq!(database(b"SQLite format 3\0"), None);
    }

    #[test]
    fn a_journal_that_is_kept_is_empty_or_begins_with_zeros_until_the_next_transaction() {
        let mut header = [0; 40];
        assert_eq!(journal(&[]), Some(Journal::Ended));
        assert_eq!(journal(&header), Some(Journal::Ended));
        assert_eq!(journal(&header[..20]), None);
        // Not synced: number, pages, sector, page size.
        header[12..16].copy_from_slice(&7u32.to_be_bytes());
        header[20..24].copy_from_slice(&512u32.to_be_bytes());
        assert_eq!(journal(&header), Some(Journal::Of(7)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = database(&bytes);
            let _ = wal(&bytes);
            let _ = wal(&[&0x377f_0682u32.to_be_bytes()[..], &VERSION.to_be_bytes(), &bytes].concat());
        }
    }
}
