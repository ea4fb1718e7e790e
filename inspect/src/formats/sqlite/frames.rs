//! The valid frames of a -wal, counted in the -wal itself. This is needed where there is no -shm, as with `PRAGMA
//! locking_mode = exclusive`, or where the -shm cannot be trusted.
//!
//! A frame is valid if it has the salts of the header and its checksum continues that of the frame before;
//! what counts is the last one that ends a transaction (<https://sqlite.org/fileformat2.html>, section 4.1).

use crate::formats::sqlite::checksum::stored;
use crate::formats::sqlite::header;
use crate::formats::sqlite::header::{FRAME_HEADER, WAL_HEADER, WalHeader};

/// Up to this size a -wal is read and its checksums are verified. In a larger one only the salts are compared.
const VERIFIED: u64 = 16 << 20;
/// How many frames back the end of a transaction is searched for in a larger one.
const BACK: u64 = 1 << 16;

/// What a -wal says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Bytes of a page.
    pub page_size: u32,
    /// Frames up to the last that ends a transaction.
    pub frames: u32,
    /// The salts of its header.
    pub salts: [u8; 8],
    /// Whether every checksum was verified, and not only the salts.
    pub verified: bool,
}

/// How much to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// All of it, unless it is large.
    Checksums,
    /// The headers of a few frames.
    Salts,
}

/// Counts the frames of a -wal of `bytes`. `read` fills a buffer from an offset and returns how much it filled. `None`
/// if the header is not valid, if the end of the last transaction is too far from the end of the file, or if the log
/// restarted meanwhile.
pub fn count(
    read: impl Fn(&mut [u8], u64) -> usize,
    bytes: u64,
    effort: Effort,
) -> Option<Counted> {
    let header = header_of(&read)?;
    let page_size = header.page_size?;
    let frame = FRAME_HEADER + u64::from(page_size);
    let most = bytes.saturating_sub(WAL_HEADER) / frame;
    let log = Log {
        read: &read,
        header: &header,
        frame,
    };
    let verified = effort == Effort::Checksums && bytes <= VERIFIED;
    let frames = match verified {
        true => log.by_checksums(most),
        false => log.by_salts(most)?,
    };
    (header_of(&read).as_ref() == Some(&header)).then_some(Counted {
        page_size,
        frames: u32::try_from(frames).ok()?,
        salts: header.salts,
        verified,
    })
}

fn header_of(read: impl Fn(&mut [u8], u64) -> usize) -> Option<WalHeader> {
    let mut bytes = [0; WAL_HEADER as usize];
    let length = read(&mut bytes, 0);
    header::wal(bytes.get(..length)?)
}

struct Log<'a, R> {
    read: &'a R,
    header: &'a WalHeader,
    /// Bytes of a frame.
    frame: u64,
}

impl<R: Fn(&mut [u8], u64) -> usize> Log<'_, R> {
    /// The header of frame `number`, counted from 0, if it has the log's salts: whether it ends a
    /// transaction.
    fn ends_transaction(&self, number: u64) -> Option<bool> {
        let mut bytes = [0; FRAME_HEADER as usize];
        let length = (self.read)(&mut bytes, WAL_HEADER + number * self.frame);
        (length == bytes.len() && bytes.get(8..16)? == self.header.salts)
            .then(|| bytes.get(4..8) != Some(&[0; 4]))
    }

    fn by_checksums(&self, most: u64) -> u64 {
        let mut sums = self.header.sums;
        let mut last = 0;
        // `frame` is at most 24 + 65536.
        let mut bytes = vec![0; self.frame as usize];
        for number in 0..most {
            let length = (self.read)(&mut bytes, WAL_HEADER + number * self.frame);
            let (head, page) = bytes.split_at(FRAME_HEADER as usize);
            if length != bytes.len() || head.get(8..16) != Some(&self.header.salts) {
                break;
            }
            for part in [head.get(..8).unwrap_or_default(), page] {
                sums = self.header.continue_sums(sums, part);
            }
            if head.get(16..) != Some(&stored(sums)[..]) {
                break;
            }
            if head.get(4..8) != Some(&[0; 4]) {
                last = number + 1;
            }
        }
        last
    }

    /// A log is written from its beginning with new salts each time, so the frames with the header's salts come first.
    /// `None` if no transaction ends within [`BACK`] frames of the last of them.
    fn by_salts(&self, most: u64) -> Option<u64> {
        let (mut low, mut high) = (0, most);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.ends_transaction(middle).is_some() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let back = low.saturating_sub(BACK);
        let end = (back..low)
            .rev()
            .find(|&number| self.ends_transaction(number) == Some(true));
        match end {
            Some(number) => Some(number + 1),
            None => (back == 0).then_some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: usize = 512;

    /// A -wal in memory: a header and one frame for each `true` (it ends a transaction) or `false`.
    fn written(ends: &[bool]) -> Vec<u8> {
        let mut bytes = header::tests::written(0x377f_0682, PAGE as u32);
        let head = header::wal(&bytes).unwrap();
        let mut sums = head.sums;
        for (n, &ends) in ends.iter().enumerate() {
            let mut frame = Vec::new();
            frame.extend((n as u32 + 1).to_be_bytes());
            frame.extend(u32::from(ends).to_be_bytes());
            let page = [n as u8; PAGE];
            for part in [&frame[..], &page] {
                sums = head.continue_sums(sums, part);
            }
            frame.extend(head.salts);
            frame.extend(stored(sums));
            bytes.extend(frame);
            bytes.extend(page);
        }
        bytes
    }

    fn frames(bytes: &[u8], effort: Effort) -> Option<u32> {
        let read = |to: &mut [u8], at: u64| {
            let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
            let rest = rest.unwrap_or_default();
            let length = rest.len().min(to.len());
            to[..length].copy_from_slice(&rest[..length]);
            length
        };
        count(read, bytes.len() as u64, effort).map(|counted| counted.frames)
    }

    #[test]
    fn frames_count_up_to_the_last_that_ends_a_transaction() {
        let bytes = written(&[true, false, true, false, false]);
        for effort in [Effort::Checksums, Effort::Salts] {
            assert_eq!(frames(&bytes, effort), Some(3));
        }
        assert_eq!(frames(&written(&[]), Effort::Checksums), Some(0));
        assert_eq!(frames(&written(&[false]), Effort::Salts), Some(0));
    }

    #[test]
    fn frames_of_an_earlier_log_do_not_count() {
        let mut bytes = written(&[true; 6]);
        for old in [4, 5] {
            bytes[32 + old * (24 + PAGE) + 8] ^= 1;
        }
        for effort in [Effort::Checksums, Effort::Salts] {
            assert_eq!(frames(&bytes, effort), Some(4));
        }
    }

    #[test]
    fn a_damaged_page_ends_the_log_where_checksums_are_verified() {
        let mut bytes = written(&[true; 6]);
        let third = 32 + 2 * (24 + PAGE);
        bytes[third + 24 + 7] ^= 1;
        assert_eq!(frames(&bytes, Effort::Checksums), Some(2));
        assert_eq!(frames(&bytes, Effort::Salts), Some(6));
    }

    #[test]
    fn a_frame_that_is_cut_off_is_not_valid() {
        let bytes = written(&[true; 3]);
        assert_eq!(
            frames(&bytes[..bytes.len() - 1], Effort::Checksums),
            Some(2)
        );
        assert_eq!(frames(&bytes[..31], Effort::Checksums), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_after_a_header_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..3000)
        ) {
            let bytes = [header::tests::written(0x377f_0682, PAGE as u32), bytes].concat();
            for effort in [Effort::Checksums, Effort::Salts] {
                let most = bytes.len() / (24 + PAGE);
                prop_assert!(frames(&bytes, effort).is_some_and(|n| n as usize <= most));
            }
        }
    }
}
