//! The checksum that -wal and -shm share, as a pure function over words.

/// The checksum of -wal and -shm over pairs of words (walformat.html, section 4.2).
pub fn sums(pairs: impl Iterator<Item = (u32, u32)>) -> (u32, u32) {
    sums_from((0, 0), pairs)
}

/// The same, continuing from an earlier checksum.
pub fn sums_from(before: (u32, u32), pairs: impl Iterator<Item = (u32, u32)>) -> (u32, u32) {
    pairs.fold(before, |(a, b): (u32, u32), (x, y)| {
        let a = a.wrapping_add(x).wrapping_add(b);
        (a, b.wrapping_add(y).wrapping_add(a))
    })
}

/// A checksum as it stands in a -wal.
pub fn stored(sums: (u32, u32)) -> [u8; 8] {
    (u64::from(sums.0) << 32 | u64::from(sums.1)).to_be_bytes()
}
