//! Where the entry of a watch stands: (descriptor, wd) to one word.
//!
//! Tables of buckets, each eight times the one before it and mapped when a bucket of the ones before is
//! full. Consecutive wds share a bucket. An entry whose descriptor has become another instance since
//! is as good as none: its place is taken by the next that needs it.

use core::ffi::{c_int, c_void};
use core::mem::size_of;
use core::ptr;
use core::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::sys;

/// A cache line or two.
const WAYS: usize = 8;
/// Buckets of each table, powers of two: 599,040 watches in all.
const BUCKETS: [usize; 4] = [128, 1024, 8192, 65536];
/// Descriptors whose instances are told apart; higher ones share with lower ones.
const DESCRIPTORS: usize = 4096;

/// The key of an entry that is being written or taken away. No watch has it: its wd would be -1.
const BUSY: u64 = u64::MAX;

/// One entry.
pub struct Entry {
    /// Instance, descriptor and wd; 0 is free.
    key: AtomicU64,
    /// What is remembered.
    value: AtomicU64,
}

type Bucket = [Entry; WAYS];

pub struct Index {
    tables: [AtomicPtr<Bucket>; BUCKETS.len()],
    /// Counts the instances that a descriptor has been.
    instances: [AtomicU8; DESCRIPTORS],
}

/// A live entry, as it was found.
pub struct Found<'a> {
    entry: &'a Entry,
    key: u64,
    pub value: u64,
}

impl Found<'_> {
    /// True if the entry is still what it was: what was read through it meanwhile is its own.
    pub fn holds(&self) -> bool {
        self.entry.value.load(Acquire) == self.value && self.entry.key.load(Acquire) == self.key
    }

    /// Sets bits of the value, if the entry is still what it was.
    pub fn add(&self, bits: u64) {
        let value = &self.entry.value;
        let _ = value.compare_exchange(self.value, self.value | bits, AcqRel, Relaxed);
    }
}

impl Index {
    pub const fn new() -> Index {
        Index {
            tables: [const { AtomicPtr::new(ptr::null_mut()) }; BUCKETS.len()],
            instances: [const { AtomicU8::new(0) }; DESCRIPTORS],
        }
    }

    /// The descriptor is a new instance: what is remembered of it is about another.
    pub fn made(&self, fd: c_int) {
        if let Some(count) = self.instances.get(fd as usize % DESCRIPTORS) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// The entry of a watch.
    pub fn find(&self, fd: c_int, wd: c_int) -> Option<Found<'_>> {
        let key = self.key(fd, wd);
        self.buckets(fd, wd).flatten().flatten().find_map(|entry| {
            let found = Found {
                entry,
                key,
                value: entry.value.load(Acquire),
            };
            found.holds().then_some(found)
        })
    }

    /// Sets the entry of a watch; `drop` gets each value that is no longer in the index, `value` among them
    /// where there is no room.
    pub fn set(&self, fd: c_int, wd: c_int, value: u64, drop: impl Fn(u64)) {
        let key = self.key(fd, wd);
        for entry in self.buckets(fd, wd).flatten().flatten() {
            let old = entry.key.load(Acquire);
            if same_watch(old, key)
                && entry
                    .key
                    .compare_exchange(old, key, AcqRel, Relaxed)
                    .is_ok()
            {
                drop(entry.value.swap(value, AcqRel));
                return;
            }
        }
        for (place, bucket) in self.buckets(fd, wd).enumerate() {
            let Some(bucket) = bucket.or_else(|| self.map(place, fd, wd)) else {
                break;
            };
            for entry in bucket {
                let old = entry.key.load(Acquire);
                if self.is_free(old)
                    && entry
                        .key
                        .compare_exchange(old, BUSY, AcqRel, Relaxed)
                        .is_ok()
                {
                    drop(entry.value.swap(value, AcqRel));
                    entry.key.store(key, Release);
                    return;
                }
            }
        }
        drop(value);
    }

    /// Takes the entry of a watch away, and returns what it held.
    pub fn remove(&self, fd: c_int, wd: c_int) -> Option<u64> {
        let found = self.find(fd, wd)?;
        let entry = found.entry;
        entry
            .key
            .compare_exchange(found.key, BUSY, AcqRel, Relaxed)
            .ok()?;
        let value = entry.value.swap(0, AcqRel);
        entry.key.store(0, Release);
        Some(value)
    }

    /// The bucket of a watch in each table; `None` for a table that is not mapped yet.
    fn buckets(&self, fd: c_int, wd: c_int) -> impl Iterator<Item = Option<&Bucket>> {
        // Watches placed one after the other fill a bucket; instances begin at distant ones.
        let hash = (fd as usize)
            .wrapping_mul(0x9e35)
            .wrapping_add(wd as usize / WAYS);
        self.tables
            .iter()
            .zip(BUCKETS)
            .map(move |(table, buckets)| {
                let table = table.load(Acquire);
                // SAFETY: a table that is mapped is so for ever, has this many buckets, and is only used as atomics.
                (!table.is_null()).then(|| unsafe { &*table.add(hash & (buckets - 1)) })
            })
    }

    fn map(&self, place: usize, fd: c_int, wd: c_int) -> Option<&Bucket> {
        let size = BUCKETS.get(place)? * size_of::<Bucket>();
        let new = sys::map(size)?;
        if self
            .tables
            .get(place)?
            .compare_exchange(ptr::null_mut(), new.cast(), AcqRel, Relaxed)
            .is_err()
        {
            // SAFETY: another was faster; nobody else has seen this mapping.
            unsafe { sys::unmap(new.cast::<c_void>(), size) };
        }
        self.buckets(fd, wd).nth(place)?
    }

    /// True if an entry with this key is nobody's, or of an instance that is no more.
    fn is_free(&self, key: u64) -> bool {
        key == 0 || key != BUSY && key >> 56 != self.instance(key >> 32 & 0xff_ffff)
    }

    /// 8 bits of the instance, 24 of the descriptor, 32 of the wd; never 0, as a wd is at least 1.
    fn key(&self, fd: c_int, wd: c_int) -> u64 {
        let fd = u64::from(fd as u32 & 0xff_ffff);
        self.instance(fd) << 56 | fd << 32 | u64::from(wd as u32)
    }

    fn instance(&self, fd: u64) -> u64 {
        self.instances
            .get(fd as usize % DESCRIPTORS)
            .map_or(0, |count| count.load(Relaxed).into())
    }
}

/// True if both keys are of one descriptor and wd, whichever instance that was.
fn same_watch(one: u64, other: u64) -> bool {
    one != BUSY && (one ^ other) << 8 == 0
}
