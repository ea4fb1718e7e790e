//! What must be remembered to tell a `touch` from a write, and both from a settled write: small, lossy, and lock-free.
//!
//! Both tables are direct-mapped. A collision loses the older entry, which costs one ATTRIB too many
//! or an event of the kind some other watch of the process asked for; it never loses a write.
//! Relaxed order is enough: every entry is one atomic word that carries its own key.

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::event::{ATTRIB, CLOSE_WRITE, MODIFY};

/// What a caller asked for where the kernel was asked for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(u8);

impl Asked {
    /// Nothing that anything could stand in for.
    pub const NOTHING: Asked = Asked(0);
    /// CLOSE_WRITE stands in for ATTRIB, and the caller asked for every event itself as well: what is
    /// known of a watch that was placed unseen.
    const FOUND: Asked = Asked(FOR_ATTRIB | ASKED_MODIFY | ASKED_CLOSE_WRITE | UNSEEN);

    /// What `events` has of those that may be translated. They are noted for every watch: a later
    /// IN_MASK_ADD may make CLOSE_WRITE stand in for something.
    pub(crate) const fn of(events: u32) -> Asked {
        let modify = if events & MODIFY != 0 {
            ASKED_MODIFY
        } else {
            0
        };
        let close_write = if events & CLOSE_WRITE != 0 {
            ASKED_CLOSE_WRITE
        } else {
            0
        };
        Asked(modify | close_write)
    }

    /// The same, where a CLOSE_WRITE that no MODIFY preceded stands in for ATTRIB.
    pub(crate) const fn for_attrib(self) -> Asked {
        Asked(self.0 | FOR_ATTRIB)
    }

    /// The same, where every CLOSE_WRITE stands in for MODIFY.
    pub(crate) const fn for_modify(self) -> Asked {
        Asked(self.0 | FOR_MODIFY)
    }

    /// What CLOSE_WRITE stands in for, if anything. MODIFY where it may be either: a write that is taken
    /// for a `touch` may be lost on the program, the other way round nothing is.
    pub const fn stands_in_for(self) -> Option<u32> {
        if self.0 & FOR_MODIFY != 0 {
            Some(MODIFY)
        } else if self.0 & FOR_ATTRIB != 0 {
            Some(ATTRIB)
        } else {
            None
        }
    }

    /// The caller asked for MODIFY itself.
    pub const fn modify(self) -> bool {
        self.0 & ASKED_MODIFY != 0
    }

    /// The caller asked for CLOSE_WRITE itself.
    pub const fn close_write(self) -> bool {
        self.0 & ASKED_CLOSE_WRITE != 0
    }
}

const FOR_ATTRIB: u8 = 1;
const ASKED_MODIFY: u8 = 2;
const ASKED_CLOSE_WRITE: u8 = 4;
/// Placed unseen.
const UNSEEN: u8 = 8;
const FOR_MODIFY: u8 = 16;

/// Watches remembered: consecutive descriptors of an instance take consecutive slots, so this many
/// in one instance never collide.
const WATCHES: usize = 8192;
/// Files modified and not yet closed.
const FILES: usize = 1024;

/// The process's memory of its watches. 68 KiB, of which only what is used is ever touched.
pub struct Memory {
    /// Key (descriptor, wd) in the upper 56 bits, [`Asked`] in the lowest 8. 0 is empty.
    watches: [AtomicU64; WATCHES],
    /// Hash of (descriptor, wd, name). 0 is empty.
    modified: [AtomicU32; FILES],
    /// All that watches of this process asked for: the answer for a watch not found, which was pushed
    /// out or is read through a duplicate of its descriptor.
    process: AtomicU8,
}

impl Memory {
    /// An empty memory.
    #[expect(clippy::new_without_default, reason = "it is only ever a static")]
    pub const fn new() -> Memory {
        Memory {
            watches: [const { AtomicU64::new(0) }; WATCHES],
            modified: [const { AtomicU32::new(0) }; FILES],
            process: AtomicU8::new(0),
        }
    }

    /// Remembers what was asked for a watch just placed; `add` is IN_MASK_ADD.
    pub fn place(&self, fd: i32, wd: i32, asked: Asked, add: bool) {
        let key = key(fd, wd);
        let Some(slot) = self.watches.get(slot(fd, wd)) else {
            return;
        };
        let mut bits = asked.0;
        if add {
            let old = slot.load(Relaxed);
            if old >> 8 == key {
                bits |= old as u8;
            }
        }
        slot.store(key << 8 | u64::from(bits), Relaxed);
        // A load first: programs place thousands alike, from several threads.
        if bits & !self.process.load(Relaxed) != 0 {
            self.process.fetch_or(bits, Relaxed);
        }
    }

    /// Remembers a watch that was placed unseen, found by an event it would not have otherwise.
    pub fn found(&self, fd: i32, wd: i32) {
        if let Some(slot) = self.watches.get(slot(fd, wd)) {
            slot.store(key(fd, wd) << 8 | u64::from(Asked::FOUND.0), Relaxed);
        }
    }

    /// True if the watch is known to be placed through the hook. False proves nothing.
    pub fn knows(&self, fd: i32, wd: i32) -> bool {
        self.watches
            .get(slot(fd, wd))
            .is_some_and(|slot| matches!(slot.load(Relaxed), e if e >> 8 == key(fd, wd) && e as u8 & UNSEEN == 0))
    }

    /// What was asked for a watch.
    pub fn asked(&self, fd: i32, wd: i32) -> Asked {
        match self
            .watches
            .get(slot(fd, wd))
            .map(|slot| slot.load(Relaxed))
        {
            Some(entry) if entry >> 8 == key(fd, wd) => Asked(entry as u8),
            _ => Asked(self.process.load(Relaxed)),
        }
    }

    /// Remembers that a file was modified.
    pub fn modified(&self, fd: i32, wd: i32, name: &[u8]) {
        let hash = hash(fd, wd, name);
        if let Some(slot) = self.modified.get(hash as usize % FILES) {
            slot.store(hash, Relaxed);
        }
    }

    /// True, once, if the file was modified since this was last asked.
    pub fn take_modified(&self, fd: i32, wd: i32, name: &[u8]) -> bool {
        let hash = hash(fd, wd, name);
        match self.modified.get(hash as usize % FILES) {
            Some(slot) if slot.load(Relaxed) == hash => {
                slot.store(0, Relaxed);
                true
            }
            _ => false,
        }
    }
}

/// 56 bits, never 0: wd is at least 1.
fn key(fd: i32, wd: i32) -> u64 {
    u64::from(fd as u32 & 0x00ff_ffff) << 32 | u64::from(wd as u32)
}

fn slot(fd: i32, wd: i32) -> usize {
    (fd as u32).wrapping_mul(0x9e37).wrapping_add(wd as u32) as usize % WATCHES
}

/// FNV-1a, 32 bit, never 0.
fn hash(fd: i32, wd: i32, name: &[u8]) -> u32 {
    let start = (0x811c_9dc5 ^ fd as u32).wrapping_mul(0x0100_0193);
    let start = (start ^ wd as u32).wrapping_mul(0x0100_0193);
    let hash = name
        .iter()
        .fold(start, |h, &c| (h ^ u32::from(c)).wrapping_mul(0x0100_0193));
    // The low bits choose the slot: mix the high ones in.
    (hash ^ hash >> 15).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_remembered_by_its_descriptor_and_wd() {
        static M: Memory = Memory::new();
        let one = Asked::of(MODIFY).for_attrib();
        let two = Asked::of(CLOSE_WRITE);
        M.place(3, 1, one, false);
        M.place(3, 2, two, false);
        assert_eq!((M.asked(3, 1), M.asked(3, 2)), (one, two));
    }

    #[test]
    fn a_watch_read_through_another_descriptor_is_as_the_process_asked() {
        static M: Memory = Memory::new();
        assert_eq!(M.asked(9, 1), Asked::NOTHING);
        M.place(3, 1, Asked::of(MODIFY).for_attrib(), false);
        M.place(3, 2, Asked::of(CLOSE_WRITE), false);
        let both = Asked::of(MODIFY | CLOSE_WRITE).for_attrib();
        assert_eq!(M.asked(9, 1), both);
    }

    #[test]
    fn a_watch_is_known_if_it_was_placed_and_not_merely_found() {
        static M: Memory = Memory::new();
        assert!(!M.knows(3, 1));
        M.place(3, 1, Asked::NOTHING, false);
        assert!(M.knows(3, 1) && !M.knows(4, 1) && !M.knows(3, 2));
        M.found(3, 1);
        assert!(!M.knows(3, 1));
        assert_eq!(M.asked(3, 1), Asked::FOUND);
    }

    #[test]
    fn a_mask_that_is_added_keeps_what_was_asked_before() {
        static M: Memory = Memory::new();
        M.place(3, 1, Asked::of(CLOSE_WRITE), false);
        M.place(3, 1, Asked::of(MODIFY).for_attrib(), true);
        let both = Asked::of(MODIFY | CLOSE_WRITE).for_attrib();
        assert_eq!(M.asked(3, 1), both);
        M.place(3, 1, Asked::NOTHING, true);
        assert_eq!(M.asked(3, 1), both);
        M.place(3, 1, Asked::NOTHING, false);
        assert_eq!(M.asked(3, 1), Asked::NOTHING);
    }

    /// A write must not be taken for a `touch`, which some programs do not look for.
    #[test]
    fn what_may_stand_in_for_either_stands_in_for_modify() {
        assert_eq!(Asked::of(MODIFY).stands_in_for(), None);
        let attrib = Asked::NOTHING.for_attrib();
        assert_eq!(attrib.stands_in_for(), Some(ATTRIB));
        assert_eq!(attrib.for_modify().stands_in_for(), Some(MODIFY));
    }

    #[test]
    fn as_many_watches_as_there_are_slots_do_not_push_each_other_out() {
        static M: Memory = Memory::new();
        for wd in 1..=WATCHES as i32 {
            M.place(5, wd, Asked::of((wd as u32 & 1) * MODIFY), false);
        }
        for wd in 1..=WATCHES as i32 {
            assert_eq!(M.asked(5, wd).modify(), wd & 1 == 1, "wd {wd}");
        }
    }

    #[test]
    fn a_modification_is_told_once_and_per_file() {
        static M: Memory = Memory::new();
        M.modified(3, 1, b"a");
        assert!(!M.take_modified(3, 1, b"b"));
        assert!(!M.take_modified(4, 1, b"a"));
        assert!(M.take_modified(3, 1, b"a"));
        assert!(!M.take_modified(3, 1, b"a"));
    }
}
