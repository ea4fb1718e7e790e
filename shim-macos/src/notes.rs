//! What is remembered of a note of kqueue: which file it is on, when that was last modified, what it asks for.
//!
//! A table of fixed size without locks. Whoever is pushed out of it, or is read while it is written, is not known; then
//! a change of attributes is handed over, which does no harm.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use rules::attrib::Look;

/// A note, as it was last seen.
#[derive(Clone, Copy)]
pub struct Note {
    device: u32,
    inode: u64,
    modified: u64,
    /// The fflags it was placed with.
    pub asked: u32,
}

impl Note {
    pub fn of(look: &Look, asked: u32) -> Note {
        Note {
            device: look.identity.device as u32,
            inode: look.identity.inode,
            modified: time(look),
            asked,
        }
    }

    pub fn asking(self, asked: u32) -> Note {
        Note { asked, ..self }
    }

    pub fn is_on(&self, look: &Look) -> bool {
        self.device == look.identity.device as u32 && self.inode == look.identity.inode
    }

    /// Times in whole seconds (HFS+, FAT) tell nothing of what happened within one.
    pub fn may_be_modified(&self, look: &Look) -> bool {
        self.modified != time(look) || look.modified.1 | look.changed.1 == 0
    }
}

/// The modification time in nanoseconds. It is only compared, so it may wrap around.
fn time(look: &Look) -> u64 {
    let (seconds, nanoseconds) = look.modified;
    (seconds as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(nanoseconds as u64)
}

struct Slot {
    /// Odd while somebody writes.
    turn: AtomicU32,
    asked: AtomicU32,
    key: AtomicU64,
    device: AtomicU32,
    inode: AtomicU64,
    modified: AtomicU64,
}

const SLOTS: usize = 4096;
static TABLE: [Slot; SLOTS] = [const {
    Slot {
        turn: AtomicU32::new(0),
        asked: AtomicU32::new(0),
        key: AtomicU64::new(0),
        device: AtomicU32::new(0),
        inode: AtomicU64::new(0),
        modified: AtomicU64::new(0),
    }
}; SLOTS];

/// Notes of one kqueue on neighbouring descriptors lie side by side: as many of them as there are slots push nobody out.
fn slot(kq: c_int, ident: usize) -> (&'static Slot, u64) {
    let at = ident.wrapping_add((kq as usize).wrapping_mul(0x9e5)) % SLOTS;
    // Never 0, which is the key of nobody.
    let key = (ident as u64) << 32 | u64::from(kq as u32).wrapping_add(1);
    (&TABLE[at], key)
}

impl Slot {
    /// `None` if somebody else writes to it.
    fn write(&self, change: impl FnOnce(&Slot)) -> Option<()> {
        let turn = self.turn.load(Ordering::Relaxed);
        if turn & 1 != 0 {
            return None;
        }
        let (now, acquire) = (turn.wrapping_add(1), Ordering::Acquire);
        let taken = self
            .turn
            .compare_exchange(turn, now, acquire, Ordering::Relaxed);
        taken.ok()?;
        fence(Ordering::Release);
        change(self);
        self.turn.store(turn.wrapping_add(2), Ordering::Release);
        Some(())
    }
}

pub fn remember(kq: c_int, ident: usize, note: &Note) {
    let (slot, key) = slot(kq, ident);
    let _ = slot.write(|slot| {
        slot.key.store(key, Ordering::Relaxed);
        slot.asked.store(note.asked, Ordering::Relaxed);
        slot.device.store(note.device, Ordering::Relaxed);
        slot.inode.store(note.inode, Ordering::Relaxed);
        slot.modified.store(note.modified, Ordering::Relaxed);
    });
}

pub fn forget(kq: c_int, ident: usize) {
    if find(kq, ident).is_some() {
        let _ = slot(kq, ident)
            .0
            .write(|slot| slot.key.store(0, Ordering::Relaxed));
    }
}

pub fn find(kq: c_int, ident: usize) -> Option<Note> {
    let (slot, key) = slot(kq, ident);
    let turn = slot.turn.load(Ordering::Acquire);
    let found = slot.key.load(Ordering::Relaxed) == key;
    let note = Note {
        device: slot.device.load(Ordering::Relaxed),
        inode: slot.inode.load(Ordering::Relaxed),
        modified: slot.modified.load(Ordering::Relaxed),
        asked: slot.asked.load(Ordering::Relaxed),
    };
    fence(Ordering::Acquire);
    let whole = turn & 1 == 0 && slot.turn.load(Ordering::Relaxed) == turn;
    (found && whole).then_some(note)
}
