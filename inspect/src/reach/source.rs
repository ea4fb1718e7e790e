//! The bytes of a file: only as many are read as a format asks for, and never more than fit into some memory.

use object::read::{ReadCache, ReadRef};
use std::cell::Cell;
use std::io::{Read, Seek};
use std::ops::Range;

/// The most that is read of a file. The largest table that is needed is a code signature: 32 bytes for each 4 KiB of
/// code, so this is enough for 8 GiB of it.
const IN_ALL: u64 = 64 << 20;

/// A file, or bytes in memory.
pub trait Bytes: Read + Seek {}

impl<T: Read + Seek> Bytes for T {}

/// What is read, kept until all of it has been looked at.
pub struct Source {
    cache: ReadCache<Box<dyn Bytes>>,
    left: Cell<u64>,
}

impl Source {
    /// Reads `bytes` where somebody asks for them.
    pub fn new(bytes: impl Bytes + 'static) -> Source {
        Source {
            cache: ReadCache::new(Box::new(bytes)),
            left: Cell::new(IN_ALL),
        }
    }

    /// All of it.
    pub fn whole(&self) -> Part<'_> {
        Part {
            source: self,
            start: 0,
            size: self.cache.len().unwrap_or(0),
        }
    }

    fn spend(&self, size: u64) -> Result<(), ()> {
        let left = self.left.get().checked_sub(size).ok_or(())?;
        self.left.set(left);
        Ok(())
    }
}

/// A part of a file, such as the slice of one processor. Offsets count from its start, and nothing beyond its end is
/// read.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    source: &'a Source,
    start: u64,
    size: u64,
}

impl<'a> Part<'a> {
    /// The part of this one at `start`, if that much is there.
    pub fn part(self, start: u64, size: u64) -> Option<Part<'a>> {
        let inside = start.checked_add(size)? <= self.size;
        inside.then_some(Part {
            source: self.source,
            start: self.start.checked_add(start)?,
            size,
        })
    }

    /// The first bytes, at most `most` of them.
    pub fn head(self, most: u64) -> &'a [u8] {
        self.read_bytes_at(0, most.min(self.size))
            .unwrap_or_default()
    }

    /// Where a range of this part lies in the file.
    fn place(self, range: &Range<u64>) -> Result<Range<u64>, ()> {
        if range.start > range.end || range.end > self.size {
            return Err(());
        }
        let start = self.start.checked_add(range.start).ok_or(())?;
        Ok(start..start.checked_add(range.end - range.start).ok_or(())?)
    }
}

impl<'a> ReadRef<'a> for Part<'a> {
    fn len(self) -> Result<u64, ()> {
        Ok(self.size)
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        let place = self.place(&(offset..offset.checked_add(size).ok_or(())?))?;
        self.source.spend(size)?;
        self.source.cache.read_bytes_at(place.start, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        let place = self.place(&range)?;
        // The cache looks for the end of a string within 4 KiB.
        self.source.spend(4096)?;
        self.source.cache.read_bytes_at_until(place, delimiter)
    }
}
