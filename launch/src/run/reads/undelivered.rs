//! Records that were read and not handed over yet: their thread had ended, and another process has the instance too; or they
//! were withheld for a pause.
//!
//! They come first at the next read. Until then the instance is readable, by watches on files of this program's own that
//! were written to once, its doorbells.

use crate::sys::inotify;
use rules::record::{HEADER, Record};
use std::collections::HashSet;
use std::io;
use std::os::fd::BorrowedFd;

/// Such records of one instance.
#[derive(Default)]
pub struct Undelivered {
    bytes: Vec<u8>,
    doorbells: HashSet<i32>,
}

impl Undelivered {
    /// Keeps records, which came before those that are kept already: they were tried first.
    pub fn keep(&mut self, mut bytes: Vec<u8>, instance: BorrowedFd<'_>) {
        bytes.append(&mut self.bytes);
        self.bytes = bytes;
        self.ring(instance);
    }

    /// Adds records that came after all others.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// As many as go into `size` bytes; `None` if there are none.
    ///
    /// # Errors
    /// EINVAL if the first is larger, as the kernel has it.
    pub fn next(&mut self, size: usize, instance: BorrowedFd<'_>) -> Option<io::Result<Vec<u8>>> {
        let mut fits = 0;
        while let Some(record) = self.bytes.get(fits..).and_then(Record::read)
            && fits + record.size <= size
        {
            fits += record.size;
        }
        if fits == 0 {
            let too_large = || Err(io::Error::from_raw_os_error(libc::EINVAL));
            return (!self.bytes.is_empty()).then(too_large);
        }
        let rest = self.bytes.split_off(fits);
        let now = std::mem::replace(&mut self.bytes, rest);
        if !self.bytes.is_empty() {
            self.ring(instance);
        }
        Some(Ok(now))
    }

    /// Whether a record of this watch is a doorbell's, of which there is one more for `is_last`.
    pub fn is_doorbell(&mut self, wd: i32, is_last: bool) -> bool {
        match is_last {
            true => self.doorbells.remove(&wd),
            false => self.doorbells.contains(&wd),
        }
    }

    /// Makes the instance readable, if there are records. A program that asks how much there is to read (FIONREAD) is
    /// told enough for the first one.
    pub fn ring(&mut self, instance: BorrowedFd<'_>) {
        let Some(first) = Record::read(&self.bytes) else {
            return;
        };
        for _ in 0..=first.size / HEADER {
            // Without one they wait for the next event.
            let Ok(doorbell) = inotify::ring(instance) else {
                return;
            };
            self.doorbells.insert(doorbell);
            if inotify::waiting(instance) >= first.size {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll::{For, Ready, wait};
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::time::Duration;

    fn record(mask: u32) -> Vec<u8> {
        [1, mask, 0, 0].map(u32::to_ne_bytes).concat()
    }

    #[test]
    fn what_was_kept_comes_first_and_makes_its_instance_readable() {
        let instance = inotify::new(true).unwrap();
        let is_readable = || {
            let [ready] = wait([For::Input(instance.as_fd())], Some(Duration::ZERO));
            ready == Ready::Yes
        };
        let mut kept = Undelivered::default();
        assert!(kept.next(4096, instance.as_fd()).is_none() && !is_readable());
        kept.keep([record(2), record(8)].concat(), instance.as_fd());
        kept.keep(record(4), instance.as_fd());
        assert!(is_readable());
        // Two fit.
        let two = kept.next(40, instance.as_fd()).unwrap().unwrap();
        assert_eq!(two, [record(4), record(2)].concat());
        // Its own records are told from the program's.
        let mut own = [0; 4096];
        let count = File::from(instance.try_clone().unwrap())
            .read(&mut own)
            .unwrap();
        let mut from = 0;
        let mut last = 0;
        while let Some(one) = own[..count].get(from..).and_then(Record::read) {
            last = one.wd;
            from += one.size;
        }
        assert!(from == count && kept.is_doorbell(last, true) && !kept.is_doorbell(99, false));
        kept.keep(Vec::new(), instance.as_fd());
        assert!(is_readable());
        let rest = kept.next(4096, instance.as_fd()).unwrap();
        assert_eq!(rest.unwrap(), record(8));
    }

    #[test]
    fn a_buffer_of_as_many_bytes_as_wait_has_room_for_the_first_record() {
        let instance = inotify::new(true).unwrap();
        let long = [
            &[1u32, 2, 0, 256].map(u32::to_ne_bytes).concat()[..],
            &[b'x'; 256],
        ]
        .concat();
        let mut kept = Undelivered::default();
        kept.add(&long);
        kept.add(&record(4));
        kept.ring(instance.as_fd());
        assert!(inotify::waiting(instance.as_fd()) >= long.len());
        let small = kept.next(long.len() - 1, instance.as_fd()).unwrap();
        assert_eq!(small.unwrap_err().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(
            kept.next(long.len(), instance.as_fd()).unwrap().unwrap(),
            long
        );
        assert_eq!(kept.next(16, instance.as_fd()).unwrap().unwrap(), record(4));
        assert!(kept.next(16, instance.as_fd()).is_none());
    }
}
