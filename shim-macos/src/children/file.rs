//! A program's file.

use core::ffi::{CStr, c_int};

use crate::sys;

/// A file that is read here and there.
pub struct File(c_int);

impl Drop for File {
    fn drop(&mut self) {
        sys::close(self.0);
    }
}

impl File {
    pub fn open(path: &CStr) -> Option<File> {
        // Neither a terminal nor a FIFO is waited for.
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = File(sys::open(path, flags)?);
        let found = sys::fstat(file.0)?;
        found.is(libc::S_IFREG).then_some(file)
    }

    /// How many bytes there were.
    pub fn read(&self, at: u64, to: &mut [u8]) -> usize {
        sys::read_at(self.0, to, at)
    }

    pub fn words<const N: usize>(&self, at: u64) -> Option<[u32; N]> {
        let mut words = [0; N];
        for (i, word) in words.iter_mut().enumerate() {
            let mut bytes = [0; 4];
            if self.read(at + 4 * i as u64, &mut bytes) != 4 {
                return None;
            }
            *word = u32::from_le_bytes(bytes);
        }
        Some(words)
    }
}
