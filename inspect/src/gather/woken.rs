//! Whether a process is being woken: its watched inodes are listened to for a moment, beside it.
//!
//! The inodes are opened as O_PATH, which raises no event, and nothing of the process is used.

use crate::model::{Bits, Woken};
use crate::sys::{self, Inotify};
use rules::event;
use rules::record::Record;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long is listened.
pub const MOMENT: Duration = Duration::from_millis(200);
/// Inodes listened to at most: the watches count against the limit of this program's user.
pub const MOST: usize = 1024;
/// It is enough to have heard so much in a [`BIT`].
const ENOUGH: u64 = 64;
const BIT: Duration = Duration::from_millis(50);
/// Read at a time: 2,000 records with short names.
const BUFFER: usize = 1 << 16;

/// Listens to inodes, each with the events asked of it, until the time is up or enough was heard: for [`MOMENT`] once
/// it is known that looks wake it. `None` where there can be no instance or no watch for this program. `watched` inodes there are in all.
pub fn listen(
    inodes: impl Iterator<Item = (OwnedFd, u32)>,
    watched: usize,
    time: Duration,
) -> Option<Woken> {
    let own = Inotify::new().ok()?;
    let began = Instant::now();
    let mut count = 0;
    for (inode, mask) in inodes.take(MOST) {
        match own.add(inode.as_fd(), mask) {
            Ok(_) => count += 1,
            Err(e) if e.raw_os_error() == Some(libc::ENOSPC) => break,
            // It may not be read, or has no more watches to give.
            Err(_) => {}
        }
    }
    if count == 0 {
        return None;
    }
    let mut buffer = vec![0; BUFFER];
    let mut woken = Woken {
        listened: Duration::ZERO,
        inodes: count,
        watched,
        events: 0,
        by: Bits::default(),
    };
    loop {
        let passed = began.elapsed();
        let until = match woken.events {
            ENOUGH.. => BIT.min(time),
            _ if woken.by_looks() => MOMENT.min(time),
            _ => time,
        };
        let left = until.saturating_sub(passed);
        if left.is_zero() {
            woken.listened = passed;
            return Some(woken);
        }
        sys::becomes_ready(own.as_fd(), left);
        while let Ok(length @ 1..) = own.read(&mut buffer) {
            woken.hear(buffer.get(..length).unwrap_or_default());
            // A writer that is faster than this must not keep it from ending.
            if began.elapsed() >= until {
                break;
            }
        }
    }
}

impl Woken {
    fn hear(&mut self, mut records: &[u8]) {
        while let Some(record) = Record::read(records) {
            records = records.get(record.size..).unwrap_or_default();
            let events = record.mask & event::ALL_EVENTS;
            // The end of a watch or a mount is no event of a file.
            if events != 0 {
                self.events += 1;
                self.by.add(events);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn on(path: &Path) -> impl Iterator<Item = (OwnedFd, u32)> {
        let directory = File::open(path).unwrap();
        std::iter::once((directory.into(), event::OPEN | event::CREATE))
    }

    #[test]
    fn who_reads_all_the_time_is_heard_and_enough_is_enough() {
        let temp = tempfile::tempdir().unwrap();
        let done = AtomicBool::new(false);
        let woken = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    fs::read_dir(temp.path()).unwrap().count();
                }
            });
            let woken = listen(on(temp.path()), 1, Duration::from_secs(60)).unwrap();
            done.store(true, Ordering::Relaxed);
            woken
        });
        assert!(woken.by_looks() && woken.events >= ENOUGH, "{woken:?}");
        assert!(woken.listened < Duration::from_secs(60));
        assert_eq!((woken.inodes, woken.is_whole()), (1, true));
    }

    #[test]
    fn nothing_is_heard_of_what_nobody_touches_and_nothing_of_what_is_not_there() {
        let temp = tempfile::tempdir().unwrap();
        let woken = listen(on(temp.path()), 2, BIT).unwrap();
        assert_eq!((woken.events, woken.by_looks()), (0, false));
        assert!(woken.listened >= BIT && !woken.is_whole());
        assert!(listen(std::iter::empty(), 2, BIT).is_none());
    }

    #[test]
    fn a_change_wakes_but_is_no_look() {
        let temp = tempfile::tempdir().unwrap();
        let inodes = on(temp.path());
        let woken = std::thread::scope(|scope| {
            let waits = scope.spawn(|| listen(inodes, 1, Duration::from_millis(300)));
            for n in 0.. {
                if waits.is_finished() {
                    break;
                }
                fs::create_dir(temp.path().join(n.to_string())).unwrap();
            }
            waits.join().unwrap().unwrap()
        });
        assert!(woken.events > 0 && !woken.by_looks(), "{woken:?}");
    }
}
