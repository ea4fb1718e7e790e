//! Arbitrary bytes as a database, a -shm and a -wal; then the same with the checksums put right, so that
//! what lies behind them is reached.

#![no_main]

use inspect::formats::sqlite::{checksum, frames, header, shm};
use libfuzzer_sys::fuzz_target;
use std::cell::Cell;

fuzz_target!(|bytes: &[u8]| {
    header::database(bytes);
    index(bytes);
    index(&mended_index(bytes));
    log(bytes);
    log(&mended_log(bytes));
});

fn index(bytes: &[u8]) {
    let index = shm::parse(bytes);
    // Nothing behind the header is looked at.
    let end = bytes.len().min(shm::LENGTH);
    assert_eq!(index, shm::parse(&bytes[..end]));
    if let Ok(index) = index {
        assert!(index.backfilled <= index.frames);
        assert!(index.page_size.is_none_or(|size| size.is_power_of_two()));
    }
}

fn log(bytes: &[u8]) {
    for effort in [frames::Effort::Checksums, frames::Effort::Salts] {
        let reads = Cell::new(0u32);
        let read = |to: &mut [u8], at: u64| {
            reads.set(reads.get() + 1);
            assert!(to.len() <= 24 + 65536);
            let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
            let rest = rest.unwrap_or_default();
            let length = rest.len().min(to.len());
            to[..length].copy_from_slice(&rest[..length]);
            length
        };
        let Some(found) = frames::count(read, bytes.len() as u64, effort) else {
            continue;
        };
        let frame = 24 + u64::from(found.page_size);
        assert!(32 + u64::from(found.frames) * frame <= bytes.len() as u64);
        assert!(u64::from(reads.get()) <= bytes.len() as u64 / frame + 64);
    }
}

/// Two equal copies with the version and the checksum of SQLite.
fn mended_index(bytes: &[u8]) -> Vec<u8> {
    let mut copy = [0u8; 48];
    let length = bytes.len().min(40);
    copy[..length].copy_from_slice(&bytes[..length]);
    copy[..4].copy_from_slice(&header::VERSION.to_ne_bytes());
    copy[12] = 1;
    let word = |at: usize| u32::from_ne_bytes([copy[at], copy[at + 1], copy[at + 2], copy[at + 3]]);
    let (a, b) = checksum::sums((0..5).map(|pair| (word(pair * 8), word(pair * 8 + 4))));
    copy[40..44].copy_from_slice(&a.to_ne_bytes());
    copy[44..].copy_from_slice(&b.to_ne_bytes());
    [&copy, &copy, bytes.get(40..).unwrap_or_default()].concat()
}

/// A header SQLite could have written, of one of the two byte orders and any page size.
fn mended_log(bytes: &[u8]) -> Vec<u8> {
    let mut head = [0u8; 32];
    let length = bytes.len().min(24);
    head[..length].copy_from_slice(&bytes[..length]);
    let little = head[0] & 1 == 0;
    head[..4].copy_from_slice(&(if little { 0x377f_0682u32 } else { 0x377f_0683 }).to_be_bytes());
    head[4..8].copy_from_slice(&header::VERSION.to_be_bytes());
    let page_size = 512u32 << (head[11] % 8);
    head[8..12].copy_from_slice(&page_size.to_be_bytes());
    let word = |at: usize| {
        let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
        if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        }
    };
    let (a, b) = checksum::sums((0..3).map(|pair| (word(pair * 8), word(pair * 8 + 4))));
    head[24..28].copy_from_slice(&a.to_be_bytes());
    head[28..].copy_from_slice(&b.to_be_bytes());
    [&head, bytes.get(24..).unwrap_or_default()].concat()
}
