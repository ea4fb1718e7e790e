//! What is remembered of watches: where they stand, to ask their files on reading, and which are settled.
//!
//! ```text
//! (descriptor, wd) --[index]--> a word: flags, and the place of a block --[arena]--> identity, time, path
//! ```
//!
//! Nothing here waits or fails: a watch for which there is no room is not remembered, and then its records
//! are kept. Entries go with their watch, or with its instance.

mod arena;
mod index;

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{
    AtomicU8, AtomicU16, AtomicU64,
    Ordering::{Relaxed, Release},
};

use rules::attrib::Identity;
use rules::watch::Asked;

use arena::{Arena, Block};
use index::{Found, Index};

static ARENA: Arena = Arena::new();
static INDEX: Index = Index::new();

/// Blocks given out: a block's number is in its word, so that the same place used again is another word.
static NUMBER: AtomicU16 = AtomicU16::new(0);

/// What any watch of this process was asked for.
static ANY: AtomicU8 = AtomicU8::new(0);

/// The bits of [`Asked`].
const ASKED: u64 = 0x3f;
/// The path's last component is not followed.
const NOFOLLOW: u64 = 0x80;
/// A file that was placed by two paths: the end of one is not the other's to say. Neither is asked any more.
const TWO_PATHS: u64 = 0x40;

/// Where a watch stands.
pub struct Place<'a> {
    /// What the watch is on.
    pub identity: Identity,
    /// When it was placed, if it settles, as a word.
    pub placed: u64,
    /// The absolute path.
    pub path: &'a [u8],
    /// As IN_DONT_FOLLOW.
    pub nofollow: bool,
    /// It has one name only, whichever way leads to it.
    pub directory: bool,
}

/// A watch that is remembered.
pub struct Watch<'a>(Found<'a>);

/// The descriptor is a new instance.
pub fn made(fd: c_int) {
    INDEX.made(fd);
}

/// Remembers a watch just placed; `add` is IN_MASK_ADD, by which it also stays what it was.
pub fn place(fd: c_int, wd: c_int, asked: Asked, mut place: Option<Place<'_>>, add: bool) {
    ANY.fetch_or(asked.bits(), Relaxed);
    let mut flags = u64::from(asked.bits());
    if let Some(old) = find(fd, wd) {
        if add && place.is_none() {
            return old.0.add(flags);
        }
        if add {
            flags |= old.0.value & ASKED;
        }
        if place.as_ref().is_some_and(|place| old.is_elsewhere(place)) {
            flags |= TWO_PATHS;
            place = None;
        }
        // It is the same watch: what was written to since it was first placed may still be open.
        if old.asked().settled()
            && let Some(place) = &mut place
        {
            let known = old.place().filter(|_| old.holds());
            place.placed = known.map_or(0, |(_, placed, _)| placed);
        }
    }
    let value = flags | place.and_then(keep).unwrap_or(0);
    INDEX.set(fd, wd, value, give_back);
}

/// The watch is gone.
pub fn forget(fd: c_int, wd: c_int) {
    if let Some(value) = INDEX.remove(fd, wd) {
        give_back(value);
    }
}

/// What a watch was asked for. One that is not remembered, or is read through a duplicate of its descriptor, was
/// asked for what any watch was: a write that is shown twice is not lost.
pub fn asked(fd: c_int, wd: c_int) -> Asked {
    match find(fd, wd) {
        Some(watch) => watch.asked(),
        None => Asked::from_bits(ANY.load(Relaxed)),
    }
}

/// What is remembered of a watch.
pub fn find(fd: c_int, wd: c_int) -> Option<Watch<'static>> {
    INDEX.find(fd, wd).map(Watch)
}

impl Watch<'_> {
    /// What it was asked for.
    fn asked(&self) -> Asked {
        Asked::from_bits((self.0.value & ASKED) as u8)
    }

    /// True if it was placed by another path, which may be another name of the file.
    fn is_elsewhere(&self, place: &Place<'_>) -> bool {
        if place.directory {
            return false;
        }
        let Some([_, _, _, path @ ..]) = block(self.0.value).map(|block| ARENA.words(block)) else {
            return self.0.value & TWO_PATHS != 0;
        };
        let bytes = path
            .iter()
            .flat_map(|word| word.load(Relaxed).to_ne_bytes());
        !bytes.take_while(|&c| c != 0).eq(place.path.iter().copied())
    }

    /// As IN_DONT_FOLLOW.
    pub fn nofollow(&self) -> bool {
        self.0.value & NOFOLLOW != 0
    }

    /// What the watch was placed on, when, and its absolute path, if they are remembered. The path may turn into
    /// anything as soon as the watch goes: it is for the kernel to read, and [`Watch::holds`] comes after.
    pub fn place(&self) -> Option<(Identity, u64, *const c_char)> {
        let [device, inode, placed, path @ ..] = ARENA.words(block(self.0.value)?) else {
            return None;
        };
        let identity = Identity {
            device: device.load(Relaxed),
            inode: inode.load(Relaxed),
        };
        Some((identity, placed.load(Relaxed), path.as_ptr().cast()))
    }

    /// The path followed by `/` and `name`, in `buf`; `None` if it does not fit.
    pub fn entry<'b>(&self, name: &[u8], buf: &'b mut [u8]) -> Option<&'b CStr> {
        let [_, _, _, path @ ..] = ARENA.words(block(self.0.value)?) else {
            return None;
        };
        let mut path = path
            .iter()
            .flat_map(|word| word.load(Relaxed).to_ne_bytes());
        let mut to = buf.iter_mut();
        for (c, to) in path.by_ref().take_while(|&c| c != 0).zip(&mut to) {
            *to = c;
        }
        for (&c, to) in b"/".iter().chain(name).chain(b"\0").zip(&mut to) {
            *to = c;
        }
        CStr::from_bytes_until_nul(buf).ok()
    }

    /// True if the watch was not taken away meanwhile.
    pub fn holds(&self) -> bool {
        self.0.holds()
    }
}

/// Writes a place into a block: the word it is found by.
#[inline(never)]
fn keep(place: Place<'_>) -> Option<u64> {
    let (words, rest) = place.path.as_chunks::<8>();
    let block = ARENA.take(3 + words.len() + 1)?;
    let [device, inode, placed, path @ ..] = ARENA.words(block) else {
        return None;
    };
    device.store(place.identity.device, Relaxed);
    inode.store(place.identity.inode, Relaxed);
    placed.store(place.placed, Relaxed);
    // The last word has the NUL, or is one.
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    for (to, from) in path.iter().zip(words.iter().chain([&last])) {
        to.store(u64::from_ne_bytes(*from), Relaxed);
    }
    let number = u64::from(NUMBER.fetch_add(1, Release));
    let flags = if place.nofollow { NOFOLLOW } else { 0 };
    Some(u64::from(block.place) << 32 | u64::from(block.size) << 24 | number << 8 | flags)
}

fn give_back(value: u64) {
    if let Some(block) = block(value) {
        ARENA.give(block);
    }
}

/// The block of a word, if it has one.
fn block(value: u64) -> Option<Block> {
    let place = (value >> 32) as u32;
    let size = (value >> 24) as u8;
    (place != 0).then_some(Block { place, size })
}

// The word of an index is what a block's place, size and number fit into.
const _: () = assert!(size_of::<AtomicU64>() == 8);
