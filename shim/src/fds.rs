//! A set of descriptors, lock-free. Those from [`END`] on are never in it.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub const END: c_int = 4096;

/// One bit per descriptor.
pub struct Fds([AtomicU64; END as usize / 64]);

impl Fds {
    pub const fn new() -> Fds {
        Fds([const { AtomicU64::new(0) }; END as usize / 64])
    }

    pub fn insert(&self, fd: c_int) {
        if let Some((word, bit)) = self.bit(fd)
            && word.load(Relaxed) & bit == 0
        {
            word.fetch_or(bit, Relaxed);
        }
    }

    pub fn contains(&self, fd: c_int) -> bool {
        self.bit(fd)
            .is_some_and(|(word, bit)| word.load(Relaxed) & bit != 0)
    }

    /// True if it was in the set: for one caller only.
    pub fn remove(&self, fd: c_int) -> bool {
        self.bit(fd).is_some_and(|(word, bit)| {
            word.load(Relaxed) & bit != 0 && word.fetch_and(!bit, Relaxed) & bit != 0
        })
    }

    pub fn each(&self, mut see: impl FnMut(c_int)) {
        for (word, first) in self.0.iter().zip((0..).step_by(64)) {
            let mut bits = word.load(Relaxed);
            while bits != 0 {
                see(first + bits.trailing_zeros() as c_int);
                bits &= bits - 1;
            }
        }
    }

    fn bit(&self, fd: c_int) -> Option<(&AtomicU64, u64)> {
        let fd = usize::try_from(fd).ok()?;
        Some((self.0.get(fd / 64)?, 1 << (fd % 64)))
    }
}
