//! The header of a -shm, as a pure function over bytes.
//!
//! Format: <https://sqlite.org/walformat.html>, section 2.1, and sqlite/src/wal.c (`WalIndexHdr`,
//! `WalCkptInfo`). All numbers are in the byte order of the machine that writes them.

use crate::formats::sqlite::checksum::sums;
use crate::formats::sqlite::header::{VERSION, page_size};

/// How much of a -shm is read: both copies of the header, and the checkpoint information.
pub const LENGTH: usize = 136;
/// The size of a copy of the header, including the checksum at its end.
const COPY: usize = 48;
/// The size of a block: the page numbers of its frames and a hash table of them.
const BLOCK: u64 = 1 << 15;
/// The frames of a block (`HASHTABLE_NPAGE`).
const FRAMES: usize = 4096;
/// The value of a read mark that is not in use (`READMARK_NOT_USED`).
const UNUSED: u32 = u32::MAX;

/// What a -shm says about its -wal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Bytes of a page.
    pub page_size: Option<u32>,
    /// The last valid frame of the -wal, `mxFrame`.
    pub frames: u32,
    /// Pages of the database after the last transaction, `nPage`.
    pub pages: u32,
    /// Frames that are already in the database, `nBackfill`.
    pub backfilled: u32,
    /// Frames that a checkpoint began to write, `nBackfillAttempted`.
    pub attempted: u32,
    /// The salts of the -wal it describes, as they stand there.
    pub salts: [u8; 8],
    /// How far the readers of each of the five slots look; `None` for a slot that is not in use.
    pub marks: [Option<u32>; 5],
}

/// Why a -shm is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It ends before its header does.
    Short,
    /// Nobody has filled it in yet.
    Empty,
    /// Another version: wal2, or a future one.
    Version(u32),
    /// Its two copies differ, or its checksum is wrong: it is being written, or damaged.
    Torn,
    /// It does not describe the -wal beside it.
    OtherWal,
}

impl Doubt {
    /// Whether a second look may succeed: a writer was halfway through.
    pub fn may_pass(self) -> bool {
        matches!(self, Doubt::Torn | Doubt::OtherWal | Doubt::Short)
    }

    /// The end of a sentence that begins with the file.
    pub fn reason(self) -> String {
        match self {
            Doubt::Short => "is cut off before the end of its header".into(),
            Doubt::Empty => {
                "has not been filled in: the next connection builds it from the -wal".into()
            }
            Doubt::Version(version) => {
                format!(
                    "has version {version} and not {VERSION} (wal2, or newer than this program): it is not decoded"
                )
            }
            Doubt::Torn => "is damaged, or was being written during every look: its two headers differ, or their checksum is wrong".into(),
            Doubt::OtherWal => "does not describe the -wal beside it".into(),
        }
    }
}

/// Reads the beginning of a -shm.
///
/// # Errors
/// Why it must not be trusted.
pub fn parse(bytes: &[u8]) -> Result<Index, Doubt> {
    let bytes = bytes.first_chunk::<LENGTH>().ok_or(Doubt::Short)?;
    let word = |at: usize| {
        let word = bytes.get(at..at + 4).and_then(|b| b.first_chunk());
        u32::from_ne_bytes(*word.unwrap_or(&[0; 4]))
    };
    let (first, rest) = bytes.split_at(COPY);
    if !rest.starts_with(first) {
        return Err(Doubt::Torn);
    }
    // isInit, at 12. A header of zeros would pass the checksum.
    if first.get(12) == Some(&0) {
        return Err(Doubt::Empty);
    }
    if word(0) != VERSION {
        return Err(Doubt::Version(word(0)));
    }
    if sums((0..5).map(|pair| (word(pair * 8), word(pair * 8 + 4)))) != (word(40), word(44)) {
        return Err(Doubt::Torn);
    }
    let (frames, backfilled) = (word(16), word(96));
    // A restart resets mxFrame first and nBackfill a moment later (wal.c, walRestartHdr).
    if backfilled > frames {
        return Err(Doubt::Torn);
    }
    let mut salts = [0; 8];
    salts.copy_from_slice(bytes.get(32..40).unwrap_or(&[0; 8]));
    Ok(Index {
        page_size: page_size(u16::from_ne_bytes([bytes[14], bytes[15]]).into()),
        frames,
        pages: word(20),
        backfilled,
        attempted: word(128),
        salts,
        marks: [0, 1, 2, 3, 4].map(|i| Some(word(100 + 4 * i)).filter(|&mark| mark != UNUSED)),
    })
}

/// The page numbers of the first `frames` frames, in order (walformat.html, section 2.2). `read` fills a buffer from an
/// offset, or returns that it could not.
pub fn page_numbers(read: impl Fn(&mut [u8], u64) -> bool, frames: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    let mut left = frames as usize;
    for block in 0.. {
        if left == 0 {
            break;
        }
        // The header takes the place of the first page numbers.
        let header = if block == 0 { LENGTH } else { 0 };
        let here = left.min(FRAMES - header / 4);
        let mut bytes = vec![0; here * 4];
        if !read(&mut bytes, block * BLOCK + header as u64) {
            return None;
        }
        found.extend(
            bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&word| u32::from_ne_bytes(word)),
        );
        left -= here;
    }
    Some(found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header as SQLite writes it.
    pub fn written(frames: u32, backfilled: u32, page: u16, marks: [u32; 5]) -> Vec<u8> {
        let mut copy = Vec::new();
        for word in [VERSION, 0, 7] {
            copy.extend(word.to_ne_bytes());
        }
        copy.extend([1, 0]);
        copy.extend(page.to_ne_bytes());
        for word in [frames, 3, 11, 12] {
            copy.extend(word.to_ne_bytes());
        }
        copy.extend([1, 2, 3, 4, 5, 6, 7, 8]);
        let words: Vec<u32> = copy
            .as_chunks::<4>()
            .0
            .iter()
            .map(|w| u32::from_ne_bytes(*w))
            .collect();
        let (a, b) = sums(words.as_chunks::<2>().0.iter().map(|p| (p[0], p[1])));
        copy.extend(a.to_ne_bytes());
        copy.extend(b.to_ne_bytes());
        let mut all = [copy.clone(), copy].concat();
        all.extend(backfilled.to_ne_bytes());
        for mark in marks {
            all.extend(mark.to_ne_bytes());
        }
        all.extend([0; 8]);
        all.extend(backfilled.to_ne_bytes());
        all.extend([0; 4]);
        all
    }

    #[test]
    fn a_header_is_read_with_its_unused_marks() {
        let index = parse(&written(9, 4, 4096, [0, 4, UNUSED, UNUSED, 9])).unwrap();
        assert_eq!((index.frames, index.backfilled), (9, 4));
        assert_eq!(index.page_size, Some(4096));
        assert_eq!(index.marks, [Some(0), Some(4), None, None, Some(9)]);
        assert_eq!(index.salts, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn page_numbers_are_in_blocks_of_which_the_first_is_shorter_by_the_header() {
        let at = |block: usize, number: usize| block * BLOCK as usize + number * 4;
        let mut bytes = vec![0; at(2, 0)];
        let mut put = |at: usize, page: u32| bytes[at..at + 4].copy_from_slice(&page.to_ne_bytes());
        put(LENGTH, 7);
        put(at(0, FRAMES - 1), 8);
        put(at(1, 0), 9);
        put(at(1, 1), 10);
        let read = |to: &mut [u8], at: u64| {
            let from = bytes
                .get(at as usize..)
                .and_then(|rest| rest.get(..to.len()));
            from.map(|from| to.copy_from_slice(from)).is_some()
        };
        let found = page_numbers(read, 4064).unwrap();
        assert_eq!((found.len(), found[0]), (4064, 7));
        assert_eq!(found[4061..], [8, 9, 10]);
        assert_eq!(page_numbers(read, 0), Some(Vec::new()));
        assert_eq!(page_numbers(read, 9000), None);
    }

    #[test]
    fn a_page_size_of_one_means_64_kib() {
        let index = parse(&written(1, 0, 1, [0; 5])).unwrap();
        assert_eq!(index.page_size, Some(65536));
    }

    #[test]
    fn one_changed_bit_in_either_copy_is_rejected() {
        let good = written(9, 4, 4096, [0; 5]);
        for bit in 0..2 * COPY * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bad).is_err(), "bit {bit}");
            // With the same change in both copies.
            if bit < COPY * 8 {
                bad[COPY + bit / 8] ^= 1 << (bit % 8);
                // isInit is a flag: any value but 0 is true, and the checksum covers it.
                assert!(parse(&bad).is_err(), "bit {bit} of both");
            }
        }
    }

    #[test]
    fn a_header_of_zeros_is_not_filled_in_though_its_checksum_is_right() {
        assert_eq!(parse(&[0; LENGTH]), Err(Doubt::Empty));
    }

    #[test]
    fn a_header_cut_anywhere_is_short() {
        let good = written(9, 4, 4096, [0; 5]);
        for length in 0..LENGTH {
            assert_eq!(parse(&good[..length]), Err(Doubt::Short));
        }
    }

    #[test]
    fn more_checkpointed_frames_than_there_are_mean_an_unfinished_restart() {
        assert_eq!(parse(&written(0, 4, 4096, [0; 5])), Err(Doubt::Torn));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let twice = [&bytes[..bytes.len().min(COPY)], &bytes[..]].concat();
            let _ = parse(&twice);
        }

        #[test]
        fn what_sqlite_writes_is_read_back(frames: u32, done: u32, marks: [u32; 5]) {
            let done = done.min(frames);
            let index = parse(&written(frames, done, 512, marks)).unwrap();
            prop_assert_eq!((index.frames, index.backfilled), (frames, done));
            prop_assert_eq!(index.marks.map(|m| m.unwrap_or(UNUSED)), marks);
        }
    }
}
