//! Directories in which a watching process holds a SQLite database open: watches on them settle.
//!
//! A database may be opened after its directory was watched. So the process is looked at again, soon and then ever more
//! rarely; what is found late is settled in place, as `watchfix heal` does it. Nothing is looked at while no process
//! has such a watch. No lock is held while one is.

use super::log::Log;
use crate::sys::path::{Walk, find_absolute};
use crate::sys::{inotify, pidfd};
use inspect::gather::{Live, own_watches};
use inspect::model::Identity;
use rules::Rules;
use rules::event::{ACCESS, CLOSE_NOWRITE, MODIFY, OPEN};
use rules::watch::{Fate, reduce};
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after a look the next one comes, in milliseconds; the last one for ever.
const INTERVALS: [u64; 5] = [250, 1_000, 4_000, 15_000, 60_000];

/// Processes with watches that would settle, and where their databases lie.
#[derive(Default)]
pub struct Databases {
    watchers: Mutex<HashMap<u32, Watcher>>,
    /// There is a watcher more.
    more: Condvar,
}

/// Directories with their paths, as the process has them.
type Directories = HashMap<Identity, Vec<u8>>;

struct Watcher {
    pidfd: OwnedFd,
    directories: Directories,
    /// Those of them in which no watch can be left that was placed before.
    settled: HashSet<Identity>,
    looks: usize,
    last: Instant,
}

impl Databases {
    /// Whether `process` holds a database open in the directory.
    pub fn has_in(&self, process: u32, directory: Identity, rules: &Rules<'_>) -> bool {
        let has = |watcher: &Watcher| watcher.directories.contains_key(&directory);
        let known = self.lock().get(&process).and_then(|watcher| {
            // So soon no number is another process's.
            (watcher.last.elapsed() < interval(0)).then(|| has(watcher))
        });
        if let Some(known) = known {
            return known;
        }
        let new = Watcher::new(process, rules);
        let mut watchers = self.lock();
        if let Ok(mut new) = new {
            if let Some(old) = watchers.remove(&process)
                && !pidfd::has_ended(old.pidfd.as_fd())
            {
                new.follows(old);
            }
            watchers.insert(process, new);
            self.more.notify_one();
        }
        watchers.get(&process).is_some_and(has)
    }

    /// Looks again where it is time to, and settles what has become due. Does not return.
    pub fn look_after(&self, rules: &Rules<'_>, log: &Log) {
        let mut watchers = self.lock();
        loop {
            watchers = match watchers.values().map(Watcher::rest).min() {
                None => self
                    .more
                    .wait(watchers)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    let due = watchers.extract_if(|_, watcher| watcher.rest().is_zero());
                    let due: Vec<_> = due.collect();
                    drop(watchers);
                    let there = due.into_iter().filter_map(|(process, mut watcher)| {
                        let looked = watcher.look_again(process, rules, log);
                        // Short of its end, what goes wrong once may go well the next time.
                        let there = looked.is_ok() || !pidfd::has_ended(watcher.pidfd.as_fd());
                        there.then_some((process, watcher))
                    });
                    let there: Vec<_> = there.collect();
                    let mut watchers = self.lock();
                    for (process, watcher) in there {
                        match watchers.entry(process) {
                            // One of its calls has been judged meanwhile.
                            Entry::Occupied(mut new) => new.get_mut().follows(watcher),
                            Entry::Vacant(free) => {
                                free.insert(watcher);
                            }
                        }
                    }
                    watchers
                }
                Some(rest) => {
                    let waited = self.more.wait_timeout(watchers, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Watcher>> {
        // A panic ends this program: nobody left the lock behind in one.
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn interval(looks: usize) -> Duration {
    let [.., last] = INTERVALS;
    Duration::from_millis(INTERVALS.get(looks).copied().unwrap_or(last))
}

impl Watcher {
    fn new(process: u32, rules: &Rules<'_>) -> io::Result<Watcher> {
        let mut watcher = Watcher {
            pidfd: pidfd::open(process)?,
            directories: Directories::new(),
            settled: HashSet::new(),
            looks: 0,
            last: Instant::now(),
        };
        watcher.directories = watcher.look(process, rules)?.1;
        watcher.settled = watcher.directories.keys().copied().collect();
        Ok(watcher)
    }

    /// Takes the place of `old`. Where it has found databases first, there may be watches from before.
    fn follows(&mut self, old: Watcher) {
        self.settled = old.settled;
    }

    fn rest(&self) -> Duration {
        interval(self.looks).saturating_sub(self.last.elapsed())
    }

    /// Reads what the process has open now: copies of its instances, and where its databases lie.
    fn look(&self, process: u32, rules: &Rules<'_>) -> io::Result<(Vec<OwnedFd>, Directories)> {
        let mut live = Live::open(process).map_err(|failure| io::Error::other(failure.why))?;
        let numbers: Vec<i32> = live.inotify_fds().collect();
        let mut copies = Vec::new();
        for fd in numbers {
            copies.push((fd, pidfd::get_fd(self.pidfd.as_fd(), fd)?));
        }
        // Where its watches report opens, a look at its files must not be one.
        if rules.strip & (OPEN | ACCESS | CLOSE_NOWRITE) != OPEN | ACCESS | CLOSE_NOWRITE {
            let borrowed: Vec<_> = copies.iter().map(|(fd, c)| (*fd, c.as_fd())).collect();
            live.read(&borrowed, Duration::ZERO);
        }
        live.read_databases();
        let databases = live.process().sqlite.iter();
        let parts = databases.flat_map(|database| &database.parts);
        let directories = parts.filter(|part| !part.deleted).filter_map(|part| {
            let path = part.path.parent()?;
            Some((part.parent?, path.to_vec()))
        });
        Ok((
            copies.into_iter().map(|(_, copy)| copy).collect(),
            directories.collect(),
        ))
    }

    fn look_again(&mut self, process: u32, rules: &Rules<'_>, log: &Log) -> io::Result<()> {
        self.looks += 1;
        self.last = Instant::now();
        let (instances, directories) = self.look(process, rules)?;
        for (identity, path) in &directories {
            if self.settled.contains(identity) {
                continue;
            }
            let inside = [format!("/proc/{process}/root").as_bytes(), path].concat();
            let directory = find_absolute(&CString::new(inside)?, true, Walk::Free)?;
            for instance in &instances {
                settle(instance, &directory, *identity, rules, |before, now| {
                    let path = path.escape_ascii();
                    log.line(
                        process,
                        format_args!(
                            "\"{path}\": mask {before:#x} -> {now:#x} by WATCHFIX_SETTLE: \
                             a database was opened there"
                        ),
                    );
                })?;
            }
        }
        self.settled = directories.keys().copied().collect();
        self.directories = directories;
        Ok(())
    }
}

/// Settles the watch on `directory`, if the instance has one that would report every write.
fn settle(
    instance: &OwnedFd,
    directory: &OwnedFd,
    identity: Identity,
    rules: &Rules<'_>,
    said: impl Fn(u32, u32),
) -> io::Result<()> {
    let watches = own_watches(instance.as_fd());
    let found = watches.iter().find(|watch| {
        (watch.device, watch.inode) == (identity.device, identity.inode) && watch.mask.has(MODIFY)
    });
    let Some(watch) = found else { return Ok(()) };
    let mask = reduce(rules.strip, Fate::Settled, watch.mask.0);
    let wd = inotify::add_watch(instance.as_fd(), directory.as_fd(), mask)?;
    if wd == watch.wd {
        said(watch.mask.0, mask);
        Ok(())
    } else {
        // The program had just removed its watch: this is another one, which it has not asked for.
        inotify::rm_watch(instance.as_fd(), wd)
    }
}
