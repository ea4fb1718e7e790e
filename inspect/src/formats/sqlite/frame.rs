//! One frame of a -wal.

use crate::formats::sqlite::header::{self, FRAME_HEADER, WAL_HEADER, word};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// How many frames are read: more would take too long.
pub const MOST: u32 = 4096;
/// How many page numbers of frames are read when a database seems to differ from its log: 4 GiB of pages of the usual
/// size.
pub const SEARCHED: u32 = 1 << 20;

/// The header of a frame (<https://sqlite.org/fileformat2.html>, section 4.1).
pub struct Frame {
    /// The page it holds.
    pub page: u32,
    /// The size of the database after the transaction it ends.
    pub pages: Option<u32>,
    /// The salts of the log it belongs to.
    pub salts: [u8; 8],
}

/// Frame `number`, counted from 1.
pub fn frame(wal: &File, number: u32, page_size: u32) -> Option<Frame> {
    let mut bytes = [0; FRAME_HEADER as usize];
    wal.read_exact_at(&mut bytes, place(number, page_size))
        .ok()?;
    Some(Frame {
        page: word(&bytes, 0)?,
        pages: word(&bytes, 4).filter(|&pages| pages > 0),
        salts: *bytes.get(8..)?.first_chunk()?,
    })
}

/// Where it begins.
pub fn place(number: u32, page_size: u32) -> u64 {
    WAL_HEADER + header::frame_bytes(number - 1, page_size)
}
