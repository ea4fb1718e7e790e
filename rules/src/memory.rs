//! What must be remembered to tell a `touch` from a write: small, lossy, and lock-free.
//!
//! Both tables are direct-mapped. A collision loses the older entry, which costs one ATTRIB too many
//! or an event of the kind some other watch of the process asked for; it never loses a write.
//! Relaxed order is enough: every entry is one atomic word that carries its own key.

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::event::{CLOSE_WRITE, MODIFY};

/// What a caller asked for where the kernel was asked for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(u8);

impl Asked {
    /// Every event of the watch is one the caller asked for.
    pub const AS_PLACED: Asked = Asked(0);
    /// CLOSE_WRITE stands in for ATTRIB, and the caller asked for every event itself as well: what is
    /// known of a watch that was placed unseen.
    pub const UNSEEN: Asked = Asked(1 | 2 | 4 | UNSEEN);

    /// CLOSE_WRITE stands in for ATTRIB; `events` tells what the caller asked for itself.
    pub(crate) const fn translated(events: u32) -> Asked {
        let modify = if events & MODIFY != 0 { 2 } else { 0 };
        let close_write = if events & CLOSE_WRITE != 0 { 4 } else { 0 };
        Asked(1 | modify | close_write)
    }

    /// CLOSE_WRITE stands in for ATTRIB.
    pub const fn attrib(self) -> bool {
        self.0 & 1 != 0
    }

    /// The caller asked for MODIFY itself, or for every event the watch has.
    pub const fn modify(self) -> bool {
        self.0 & 1 == 0 || self.0 & 2 != 0
    }

    /// The caller asked for CLOSE_WRITE itself, or for every event the watch has.
    pub const fn close_write(self) -> bool {
        self.0 & 1 == 0 || self.0 & 4 != 0
    }
}

/// In an entry of the watches: placed unseen.
const UNSEEN: u8 = 8;

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
    /// All that translated watches of this process asked for: the answer for a watch not found, which
    /// was pushed out or is read through a duplicate of its descriptor.
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
        if bits != 0 {
            self.process.fetch_or(bits, Relaxed);
        }
    }

    /// Remembers a watch that was placed unseen, found by an event it would not have otherwise.
    pub fn found(&self, fd: i32, wd: i32) {
        if let Some(slot) = self.watches.get(slot(fd, wd)) {
            slot.store(key(fd, wd) << 8 | u64::from(Asked::UNSEEN.0), Relaxed);
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
        M.place(3, 1, Asked::translated(MODIFY), false);
        M.place(3, 2, Asked::AS_PLACED, false);
        assert!(M.asked(3, 1).attrib() && !M.asked(3, 1).close_write());
        assert!(!M.asked(3, 2).attrib() && M.asked(3, 2).close_write());
    }

    #[test]
    fn a_watch_read_through_another_descriptor_is_as_the_process_asked() {
        static M: Memory = Memory::new();
        assert_eq!(M.asked(9, 1), Asked::AS_PLACED);
        M.place(3, 1, Asked::translated(MODIFY), false);
        assert_eq!(M.asked(9, 1), Asked::translated(MODIFY));
    }

    #[test]
    fn a_watch_is_known_if_it_was_placed_and_not_merely_found() {
        static M: Memory = Memory::new();
        assert!(!M.knows(3, 1));
        M.place(3, 1, Asked::AS_PLACED, false);
        assert!(M.knows(3, 1) && !M.knows(4, 1) && !M.knows(3, 2));
        M.found(3, 1);
        assert!(!M.knows(3, 1));
        assert!(M.asked(3, 1).attrib() && M.asked(3, 1).close_write());
    }

    #[test]
    fn a_mask_that_is_added_keeps_what_was_asked_before() {
        static M: Memory = Memory::new();
        M.place(3, 1, Asked::translated(MODIFY), false);
        M.place(3, 1, Asked::translated(CLOSE_WRITE), true);
        assert_eq!(M.asked(3, 1), Asked::translated(MODIFY | CLOSE_WRITE));
        M.place(3, 1, Asked::translated(0), false);
        assert_eq!(M.asked(3, 1), Asked::translated(0));
    }

    #[test]
    fn as_many_watches_as_there_are_slots_do_not_push_each_other_out() {
        static M: Memory = Memory::new();
        for wd in 1..=WATCHES as i32 {
            M.place(5, wd, Asked::translated((wd as u32 & 1) * MODIFY), false);
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
