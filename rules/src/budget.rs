//! How many watches a process may have, and what it gets past that.
//!
//! A watch past the budget gets an invented watch descriptor. To the program it looks like any other, and it never
//! fires; the kernel does not have it. Watching an inode again is not a new watch, so this remembers which inode of
//! which instance has which watch.
//!
//! Lock-free: a slot is taken by its inode and given up by its watch, each in one compare-and-swap. A
//! thread that is between the two has its slot counted.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The first invented watch descriptor. The kernel counts up from 1 and begins again at 2^31.
pub const INVENTED: i32 = 0x4000_0000;

/// Invented ones from here on are not remembered: there was no slot left. They can be removed any number
/// of times.
const FORGOTTEN: i32 = 0x6000_0000;

/// An inode, or a watch, is in one of so many slots from its own on.
const WINDOW: usize = 32;

/// What is remembered of one watch; and, apart from that, in which slot another one is. Zeroed memory is
/// a free one.
#[derive(Default)]
pub struct Slot {
    /// Hash of (instance, device, inode); 0 is free.
    inode: AtomicU64,
    /// Instance and watch descriptor; 0 while the kernel is asked.
    watch: AtomicU64,
    /// For a watch whose own slot by (instance, wd) is about here: its slot by inode, plus one.
    by_watch: AtomicU32,
}

/// A process's budget of watches.
pub struct Budget<'a> {
    max: u32,
    /// Watches that the kernel has, or is being asked for.
    live: AtomicU32,
    slots: &'a [Slot],
}

/// What becomes of a watch that is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// The kernel is to be asked, and [`Budget::answered`] told.
    Ask(Booking),
    /// It is past the budget, and so it was before: this is its invented descriptor.
    Known(i32),
    /// It is past the budget: [`Budget::invent`] has a descriptor for it.
    Over,
}

/// A watch that the kernel is being asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Booking {
    slot: usize,
    new: bool,
}

impl<'a> Budget<'a> {
    /// How many slots a budget of `max` watches is to have: one in four is the kernel's at most, and there
    /// is room for many invented ones. 2^20 watches are more than the kernel allows a user by itself.
    pub fn slots(max: u32) -> usize {
        (max as usize).clamp(1 << 12, 1 << 20).next_power_of_two() * 4
    }

    /// A budget of `max` watches. The slots are free, and their number is a power of two.
    pub const fn new(max: u32, slots: &'a [Slot]) -> Budget<'a> {
        Budget {
            max,
            live: AtomicU32::new(0),
            slots,
        }
    }

    /// How many watches there may be.
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// How many watches are counted.
    pub fn live(&self) -> u32 {
        self.live.load(Relaxed)
    }

    /// What becomes of a watch on an inode.
    pub fn admit(&self, fd: i32, device: u64, inode: u64) -> Admission {
        let id = id(fd, device, inode);
        if let Some((slot, found)) = self.find(id) {
            let wd = found.watch.load(Relaxed) as i32;
            if wd >= INVENTED {
                return Admission::Known(wd);
            }
            return Admission::Ask(Booking { slot, new: false });
        }
        let below = |live| (live < self.max).then(|| live + 1);
        if self.live.fetch_update(Relaxed, Relaxed, below).is_err() {
            return Admission::Over;
        }
        match self.claim(id, 1) {
            Some(slot) => Admission::Ask(Booking { slot, new: true }),
            None => {
                self.live.fetch_sub(1, Relaxed);
                Admission::Over
            }
        }
    }

    /// Notes what the kernel answered: a watch descriptor, or none.
    pub fn answered(&self, booking: Booking, fd: i32, wd: Option<i32>) {
        let Some(slot) = self.slots.get(booking.slot) else {
            return;
        };
        // The same watch may have a slot by another number of its inode (some overlays), or by a thread
        // that asked for it at the same time.
        let new = wd
            .map(|wd| watch(fd, wd))
            .filter(|watch| self.of_watch(*watch).is_none_or(|at| at == booking.slot));
        let Some(watch) = new else {
            if booking.new {
                slot.inode.store(0, Relaxed);
                self.live.fetch_sub(1, Relaxed);
            }
            return;
        };
        let old = slot.watch.swap(watch, Relaxed);
        if old == watch {
            return;
        }
        // One that went without a word: its inode has a new watch.
        if old != 0 {
            self.unlink(old, booking.slot);
        }
        self.window(hash(watch))
            .find(|(_, entry)| swap(&entry.by_watch, 0, link(booking.slot)));
    }

    /// A watch descriptor for a watch past the budget: the same for the same inode until it is removed.
    pub fn invent(&self, fd: i32, device: u64, inode: u64) -> i32 {
        let id = id(fd, device, inode);
        match self.claim(id, 2) {
            Some(place) => {
                let wd = INVENTED + place as i32;
                if let Some(slot) = self.slots.get(place) {
                    slot.watch.store(watch(fd, wd), Relaxed);
                }
                wd
            }
            None => FORGOTTEN | (id as i32 & (FORGOTTEN - INVENTED - 1)),
        }
    }

    /// Removes a watch; true if it was an invented one. One of the kernel's is not counted any more; if it is
    /// not known, nothing happens.
    pub fn remove(&self, fd: i32, wd: i32) -> bool {
        if wd >= FORGOTTEN {
            return true;
        }
        let watch = watch(fd, wd);
        let place = if wd >= INVENTED {
            Some((wd - INVENTED) as usize)
        } else {
            self.of_watch(watch)
        };
        place.is_some_and(|place| self.give_up(place, watch)) && wd >= INVENTED
    }

    /// Forgets every watch of an instance that is gone.
    pub fn forget(&self, fd: i32) {
        for (place, slot) in self.slots.iter().enumerate() {
            let watch = slot.watch.load(Relaxed);
            if watch != 0 && (watch >> 32) as i32 == fd {
                self.give_up(place, watch);
            }
        }
    }

    /// Frees the slot, if it is still that of this watch.
    fn give_up(&self, place: usize, watch: u64) -> bool {
        let Some(slot) = self.slots.get(place) else {
            return false;
        };
        if slot
            .watch
            .compare_exchange(watch, 0, Relaxed, Relaxed)
            .is_err()
        {
            return false;
        }
        if (watch as i32) < INVENTED {
            self.unlink(watch, place);
            self.live.fetch_sub(1, Relaxed);
        }
        slot.inode.store(0, Relaxed);
        true
    }

    /// A free slot of those whose number `step` divides: half of them are never an invented one's.
    fn claim(&self, id: u64, step: usize) -> Option<usize> {
        let claimed = |slot: &Slot| slot.inode.compare_exchange(0, id, Relaxed, Relaxed).is_ok();
        self.window(id)
            .find(|(place, slot)| place % step == 0 && claimed(slot))
            .map(|(place, _)| place)
    }

    fn find(&self, id: u64) -> Option<(usize, &Slot)> {
        self.window(id)
            .find(|(_, slot)| slot.inode.load(Relaxed) == id)
    }

    /// The slot by inode of one of the kernel's watches.
    fn of_watch(&self, watch: u64) -> Option<usize> {
        self.window(hash(watch))
            .filter_map(|(_, entry)| entry.by_watch.load(Relaxed).checked_sub(1))
            .map(|place| place as usize)
            .find(|place| {
                self.slots
                    .get(*place)
                    .is_some_and(|slot| slot.watch.load(Relaxed) == watch)
            })
    }

    /// Forgets where a watch has its slot.
    fn unlink(&self, watch: u64, place: usize) {
        self.window(hash(watch))
            .find(|(_, entry)| swap(&entry.by_watch, link(place), 0));
    }

    fn window(&self, hash: u64) -> impl Iterator<Item = (usize, &Slot)> {
        // A power of two, so this is the remainder; and no division by a number that may be 0.
        let last = self.slots.len().wrapping_sub(1);
        (0..WINDOW).filter_map(move |i| {
            let place = (hash as usize).wrapping_add(i) & last;
            Some((place, self.slots.get(place)?))
        })
    }
}

/// A slot's number as it is noted: 0 is none.
fn link(place: usize) -> u32 {
    place as u32 + 1
}

fn swap(word: &AtomicU32, from: u32, to: u32) -> bool {
    word.compare_exchange(from, to, Relaxed, Relaxed).is_ok()
}

/// Never 0: wd is at least 1.
fn watch(fd: i32, wd: i32) -> u64 {
    u64::from(fd as u32) << 32 | u64::from(wd as u32)
}

/// Never 0.
fn id(fd: i32, device: u64, inode: u64) -> u64 {
    hash(inode ^ hash(device ^ hash(fd as u64))).max(1)
}

/// The finalizer of SplitMix64.
fn hash(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
