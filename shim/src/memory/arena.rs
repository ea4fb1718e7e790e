//! Blocks of memory that are given out and taken back, without a lock and without an allocator.
//!
//! Blocks are cut from chunks mapped when they are needed, and never unmapped: a block that another
//! thread still looks at may change under it, but not vanish. A block that is given back waits in the list
//! of its size for the next of that size.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{
    AtomicPtr, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use crate::sys;

/// Bytes of a chunk.
const CHUNK: usize = 1 << 20;
/// Chunks at most: 256 MiB.
const CHUNKS: usize = 256;
/// Blocks are multiples of this.
const UNIT: usize = 16;
/// The sizes of blocks, in units: one by one for what most paths need, then in steps up to PATH_MAX.
const SIZES: [u16; 20] = [
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 32, 64, 128, 258,
];

/// A block, as its place and size.
#[derive(Clone, Copy)]
pub struct Block {
    /// Units from the beginning of the first chunk, from 1.
    pub place: u32,
    /// Which of [`SIZES`].
    pub size: u8,
}

pub struct Arena {
    chunks: [AtomicPtr<AtomicU64>; CHUNKS],
    /// Units given out from the chunks.
    top: AtomicU64,
    /// For each size the place of a free block, below a count of changes: without it a block that was
    /// taken and given back meanwhile would look like one that never left.
    free: [AtomicU64; SIZES.len()],
}

impl Arena {
    pub const fn new() -> Arena {
        Arena {
            chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS],
            top: AtomicU64::new(0),
            free: [const { AtomicU64::new(0) }; SIZES.len()],
        }
    }

    /// A block of at least this many words of 8 bytes; `None` if there is no memory.
    pub fn take(&self, words: usize) -> Option<Block> {
        let units = (words * 8).div_ceil(UNIT);
        let size = SIZES.iter().position(|&size| usize::from(size) >= units)?;
        let block = |place| Block {
            place,
            size: size as u8,
        };
        let list = self.free.get(size)?;
        let mut head = list.load(Acquire);
        while head as u32 != 0 {
            // Where another was faster this word is not a place any more, and the exchange fails.
            let next = self.words(block(head as u32)).first()?.load(Relaxed);
            match list.compare_exchange_weak(head, changed(head, next as u32), AcqRel, Acquire) {
                Ok(_) => return Some(block(head as u32)),
                Err(now) => head = now,
            }
        }
        self.cut((*SIZES.get(size)?).into()).map(block)
    }

    /// Takes a block back.
    pub fn give(&self, block: Block) {
        let words = self.words(block);
        let (Some(list), Some(first)) = (self.free.get(usize::from(block.size)), words.first())
        else {
            return;
        };
        let mut head = list.load(Relaxed);
        loop {
            first.store(u64::from(head as u32), Relaxed);
            match list.compare_exchange_weak(head, changed(head, block.place), AcqRel, Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// The words of a block.
    pub fn words(&self, block: Block) -> &[AtomicU64] {
        const PER_CHUNK: usize = CHUNK / UNIT;
        let place = (block.place as usize).wrapping_sub(1);
        let chunk = self.chunks.get(place / PER_CHUNK);
        let chunk = chunk.map_or(ptr::null_mut(), |chunk| chunk.load(Acquire));
        let size = SIZES
            .get(usize::from(block.size))
            .map_or(0, |&size| size.into());
        let at = place % PER_CHUNK;
        if chunk.is_null() || at + size > PER_CHUNK {
            return &[];
        }
        // SAFETY: the chunk is mapped, for ever and zeroed at first, and the block lies within it; its words are
        // only ever used as atomics.
        unsafe { core::slice::from_raw_parts(chunk.add(at * UNIT / 8), size * UNIT / 8) }
    }

    /// Cuts a new block off; blocks do not cross the end of a chunk.
    fn cut(&self, units: u64) -> Option<u32> {
        const PER_CHUNK: u64 = (CHUNK / UNIT) as u64;
        let mut top = self.top.load(Relaxed);
        loop {
            let left = PER_CHUNK - top % PER_CHUNK;
            let place = if units <= left { top } else { top + left };
            self.map(self.chunks.get((place / PER_CHUNK) as usize)?)?;
            match self
                .top
                .compare_exchange_weak(top, place + units, Relaxed, Relaxed)
            {
                Ok(_) => return u32::try_from(place + 1).ok(),
                Err(now) => top = now,
            }
        }
    }

    fn map(&self, chunk: &AtomicPtr<AtomicU64>) -> Option<()> {
        if chunk.load(Acquire).is_null() {
            let new = sys::map(CHUNK)?;
            if chunk
                .compare_exchange(ptr::null_mut(), new.cast(), AcqRel, Relaxed)
                .is_err()
            {
                // SAFETY: another was faster; nobody else has seen this mapping.
                unsafe { sys::unmap(new.cast::<c_void>(), CHUNK) };
            }
        }
        Some(())
    }
}

fn changed(head: u64, place: u32) -> u64 {
    (head >> 32).wrapping_add(1) << 32 | u64::from(place)
}
