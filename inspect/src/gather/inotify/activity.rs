//! Whether a process is being woken: fdscan listens to its watched inodes for a moment.
//!
//! The inodes are opened with O_PATH, which raises no event, and nothing that belongs to the process is used.

use crate::gather::subject::view::join;
use crate::model::{Bits, Name, Woken, WokenFile};
use crate::sys;
use crate::sys::Inotify;
use rules::event;
use rules::record::Record;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long to listen.
pub const MOMENT: Duration = Duration::from_millis(200);
/// The maximum number of inodes to listen to: the watches count against the limit of this program's user.
pub const MOST: usize = 1024;
/// This many events within a [`BIT`] are enough.
const ENOUGH: u64 = 64;
const BIT: Duration = Duration::from_millis(50);
/// How many files are counted separately: a loop has only a few.
const FILES: usize = 256;
/// How much is read at a time: 2,000 records with short names.
const BUFFER: usize = 1 << 16;

/// An inode that is listened to.
pub struct Spot {
    /// The inode.
    pub inode: OwnedFd,
    /// The events to listen for.
    pub mask: u32,
    /// Its path, if the files of the events are wanted.
    pub path: Option<Name>,
}

/// Listens to inodes, each for its events, until `time` is up or there were enough events. Once it is known that reads
/// wake the process, [`MOMENT`] is long enough. `None` if this program cannot get an instance or a watch. `watched` is
/// how many inodes there are in total.
pub fn listen(spots: impl Iterator<Item = Spot>, watched: usize, time: Duration) -> Option<Woken> {
    let mut monitor = Monitor::new().ok()?;
    monitor.place(spots, watched);
    monitor.is_placed().then(|| monitor.listen(time).clone())
}

/// An inotify instance of this program that listens alongside one process.
pub struct Monitor {
    own: Inotify,
    /// Its watches on what the process watches.
    placed: HashMap<i32, Option<Name>>,
    /// The events of each file.
    files: HashMap<Name, Bits>,
    /// When it began to listen.
    began: Instant,
    woken: Woken,
}

impl Monitor {
    /// A monitor without watches.
    ///
    /// # Errors
    /// EMFILE: this program's user cannot have another instance.
    pub fn new() -> io::Result<Monitor> {
        Ok(Monitor {
            own: Inotify::new()?,
            placed: HashMap::new(),
            files: HashMap::new(),
            began: Instant::now(),
            woken: Woken {
                listened: Duration::ZERO,
                inodes: 0,
                watched: 0,
                events: 0,
                by: Bits::default(),
                files: Vec::new(),
            },
        })
    }

    /// Listens from now on to these inodes, each with its events, and to no others. There are `watched` inodes in
    /// total.
    pub fn place(&mut self, spots: impl Iterator<Item = Spot>, watched: usize) {
        let mut placed = HashMap::new();
        for spot in spots.take(MOST) {
            match self.own.add(spot.inode.as_fd(), spot.mask) {
                Ok(wd) => {
                    placed.insert(wd, spot.path);
                }
                // The limit of watches is reached.
                Err(e) if e.raw_os_error() == Some(libc::ENOSPC) => break,
                // This inode cannot be read.
                Err(_) => {}
            }
        }
        let left = self.placed.keys().filter(|wd| !placed.contains_key(wd));
        for &wd in left {
            self.own.remove(wd);
        }
        (self.woken.inodes, self.woken.watched) = (placed.len(), watched);
        self.placed = placed;
    }

    /// Whether it listens to anything.
    pub fn is_placed(&self) -> bool {
        !self.placed.is_empty()
    }

    /// Discards the events so far, because one of our own looks may have caused some.
    pub fn begin(&mut self) {
        while matches!(self.own.read(&mut [0; BUFFER]), Ok(1..)) {}
        (self.began, self.woken.events) = (Instant::now(), 0);
        self.woken.by = Bits::default();
        self.files.clear();
    }

    /// Reads the events so far, without waiting.
    pub fn hear(&mut self) -> &Woken {
        self.listen(Duration::ZERO)
    }

    /// Counts the events in some records.
    fn count(&mut self, mut records: &[u8]) {
        while let Some(record) = Record::read(records) {
            records = records.get(record.size..).unwrap_or_default();
            let events = record.mask & event::ALL_EVENTS;
            // The end of a watch or a mount is not an event on a file.
            if events == 0 {
                continue;
            }
            self.woken.events += 1;
            self.woken.by.add(events);
            if let Some(Some(place)) = self.placed.get(&record.wd) {
                let path = match record.name {
                    b"" => place.clone(),
                    name => join(place.as_bytes(), name).into(),
                };
                if self.files.len() < FILES || self.files.contains_key(&path) {
                    self.files.entry(path).or_default().add(events);
                }
            }
        }
    }

    /// Reads events for `time`, or until there were enough.
    fn listen(&mut self, time: Duration) -> &Woken {
        let mut buffer = vec![0; BUFFER];
        let began = Instant::now();
        loop {
            let until = match self.woken.events {
                ENOUGH.. => BIT.min(time),
                _ if self.woken.by_looks() => MOMENT.min(time),
                _ => time,
            };
            // A writer that is faster than this loop must not keep it from ending.
            while let Ok(length @ 1..) = self.own.read(&mut buffer) {
                let records = buffer.get(..length).unwrap_or_default();
                self.count(records);
                if began.elapsed() >= until {
                    break;
                }
            }
            let left = until.saturating_sub(began.elapsed());
            if left.is_zero() {
                self.woken.listened = self.began.elapsed();
                self.woken.files = by_count(&self.files);
                return &self.woken;
            }
            sys::becomes_ready(self.own.as_fd(), left);
        }
    }
}

/// How many monitors there are at once: each takes one of the 128 instances that a user has by default.
const MONITORS: usize = 8;

/// Monitors of several processes, for longer than a moment.
#[derive(Default)]
pub struct Monitors(HashMap<u32, Monitor>);

impl Monitors {
    /// Listens for process `pid` from now on, to these inodes and no others.
    pub fn place(&mut self, pid: u32, spots: impl Iterator<Item = Spot>, watched: usize) {
        use std::collections::hash_map::Entry;
        let room = self.0.len() < MONITORS;
        let monitor = match self.0.entry(pid) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) if room => match Monitor::new() {
                Ok(monitor) => new.insert(monitor),
                Err(_) => return,
            },
            Entry::Vacant(_) => return,
        };
        monitor.place(spots, watched);
        if !monitor.is_placed() {
            self.0.remove(&pid);
        }
    }

    /// Discards the events so far. Returns whether there is any monitor.
    pub fn begin(&mut self) -> bool {
        self.0.values_mut().for_each(Monitor::begin);
        !self.0.is_empty()
    }

    /// The events of a process so far.
    pub fn hear(&mut self, pid: u32) -> Option<Woken> {
        self.0.get_mut(&pid).map(|monitor| monitor.hear().clone())
    }

    /// Ends the monitors of all other processes.
    pub fn keep(&mut self, pids: &[u32]) {
        self.0.retain(|pid, _| pids.contains(pid));
    }
}

/// Files, most events first.
fn by_count(files: &HashMap<Name, Bits>) -> Vec<WokenFile> {
    let files = files.iter().map(|(path, by)| WokenFile {
        path: path.clone(),
        by: *by,
    });
    let mut files: Vec<_> = files.collect();
    files.sort_by(|a, b| (b.by.sum().cmp(&a.by.sum())).then(a.path.cmp(&b.path)));
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn on(path: &Path) -> impl Iterator<Item = Spot> {
        std::iter::once(Spot {
            inode: File::open(path).unwrap().into(),
            mask: event::OPEN | event::CREATE,
            path: Some(path.as_os_str().as_encoded_bytes().into()),
        })
    }

    #[test]
    fn constant_reads_are_counted_and_listening_ends_once_there_are_enough() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        let done = AtomicBool::new(false);
        let woken = std::thread::scope(|scope| {
            scope.spawn(|| {
                // In turns: the kernel counts equal events in a row as one until somebody reads them.
                while !done.load(Ordering::Relaxed) {
                    fs::read_dir(temp.path()).unwrap().count();
                    File::open(&file).unwrap();
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
    fn an_untouched_inode_and_a_removed_one_report_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let woken = listen(on(temp.path()), 2, BIT).unwrap();
        assert_eq!((woken.events, woken.by_looks()), (0, false));
        assert!(woken.listened >= BIT && !woken.is_whole());
        assert!(listen(std::iter::empty(), 2, BIT).is_none());
    }

    #[test]
    fn a_change_wakes_the_process_but_is_not_a_look() {
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
        // The files the events were about, with the events of each.
        let file = &woken.files[0];
        let dir = temp.path().as_os_str().as_encoded_bytes();
        assert_eq!(file.path.parent(), Some(dir), "{woken:?}");
        assert_eq!(file.by.of(event::CREATE), 1, "{woken:?}");
    }
}
