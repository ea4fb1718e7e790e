//! Records that were read and could not be handed over: their thread had ended, and another process has the instance too.
//!
//! They come first at the next read. Until then the instance is readable, by a watch on a file of this program's own that
//! was written to once, its doorbell.

use crate::sys::inotify;
use rules::record::Record;
use std::os::fd::BorrowedFd;

/// Such records of one instance.
#[derive(Default)]
pub struct Undelivered {
    bytes: Vec<u8>,
    doorbell: Option<i32>,
}

impl Undelivered {
    /// Keeps records, which came before those that are kept already: they were tried first.
    pub fn keep(&mut self, mut bytes: Vec<u8>, instance: BorrowedFd<'_>) {
        bytes.append(&mut self.bytes);
        self.bytes = bytes;
        self.ring(instance);
    }

    /// As many as go into `size` bytes; `None` if there are none, or the first is larger.
    pub fn next(&mut self, size: usize, instance: BorrowedFd<'_>) -> Option<Vec<u8>> {
        let mut fits = 0;
        while let Some(record) = self.bytes.get(fits..).and_then(Record::read)
            && fits + record.size <= size
        {
            fits += record.size;
        }
        if fits == 0 {
            return None;
        }
        let rest = self.bytes.split_off(fits);
        let now = std::mem::replace(&mut self.bytes, rest);
        if !self.bytes.is_empty() {
            self.ring(instance);
        }
        Some(now)
    }

    /// Whether a record of this watch is the doorbell's.
    pub fn is_doorbell(&self, wd: i32) -> bool {
        self.doorbell == Some(wd)
    }

    fn ring(&mut self, instance: BorrowedFd<'_>) {
        // Without one they wait for the next event.
        self.doorbell = inotify::ring(instance).ok().or(self.doorbell);
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
        let two = kept.next(40, instance.as_fd()).unwrap();
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
        assert!(from == count && kept.is_doorbell(last) && !kept.is_doorbell(1));
        kept.keep(Vec::new(), instance.as_fd());
        assert!(is_readable());
        assert_eq!(kept.next(4096, instance.as_fd()).unwrap(), record(8));
    }
}
