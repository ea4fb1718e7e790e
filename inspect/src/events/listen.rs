//! Listens beside a process: on the inodes it watches, for the events in its masks.
//!
//! The inodes are opened with O_PATH, which raises no event. Nothing that belongs to the process is used: its own queue
//! and descriptors stay as they are.

use super::tally::{CauseProcess, Tally};
use crate::gather::{self, Gaps, ProcessHandle};
use crate::model::{Relation, Watch};
use crate::sys::{self, Fanotify, Inotify, Signals};
use rules::event;
use rules::record::Record;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Bytes read at a time: enough for 2,000 records with short names.
const BUFFER: usize = 1 << 16;
/// Time between two checks that the process still exists.
const ALIVE: Duration = Duration::from_millis(500);

/// What is listened to.
pub struct Listener {
    inotify: Inotify,
    fanotify: Option<Fanotify>,
    /// This program's watches, with the watched inode of each as the indices of an instance and a watch.
    pub places: HashMap<i32, (usize, usize)>,
    /// The number of inodes that are watched for any event.
    pub watched: usize,
    /// How many of them are listened to.
    pub listened: usize,
}

/// What was heard.
pub struct Observed {
    /// The counts.
    pub tally: Tally,
    /// Which processes caused the events.
    pub who: HashMap<u32, CauseProcess>,
    /// For how long.
    pub time: Duration,
    /// When the first and the last of them came, since listening began.
    span: Option<(Duration, Duration)>,
    /// Whether causes are known.
    pub causes: bool,
}

impl Observed {
    /// Whether something came both in the first and in the last quarter of the time.
    pub fn goes_on(&self) -> bool {
        let quarter = self.time / 4;
        let spans = |(first, last)| first < quarter && last + quarter > self.time;
        self.span.is_some_and(spans)
    }
}

impl Listener {
    /// Listens to every inode the process watches.
    ///
    /// # Errors
    /// This program cannot get an inotify instance.
    pub fn beside(handle: &ProcessHandle, gaps: &mut Gaps) -> io::Result<Listener> {
        let fanotify = match Fanotify::new() {
            Ok(group) => Some(group),
            Err(e) => {
                let why = match e.raw_os_error() {
                    Some(libc::EPERM) => "fanotify(7) needs root (CAP_SYS_ADMIN) for it".into(),
                    Some(libc::EINVAL) => "fanotify(7) names no files before Linux 5.9".into(),
                    _ => format!(
                        "fanotify(7) cannot be used here: {}",
                        gather::errno_text(&e)
                    ),
                };
                gaps.note("the processes that cause the events", why);
                None
            }
        };
        let mut listener = Listener {
            inotify: Inotify::new()?,
            fanotify,
            places: HashMap::new(),
            watched: 0,
            listened: 0,
        };
        listener.place(handle, gaps);
        Ok(listener)
    }

    fn place(&mut self, handle: &ProcessHandle, gaps: &mut Gaps) {
        let opener = handle.opener();
        let mut missed: BTreeMap<String, usize> = BTreeMap::new();
        let mut unmarked: BTreeMap<String, usize> = BTreeMap::new();
        let mut full = false;
        for ((instance, at), mask, watch) in wanted(handle) {
            self.watched += 1;
            if full {
                continue;
            }
            let found = match opener.open(instance, at) {
                Ok(found) => found,
                Err(why) => {
                    *missed.entry(why.into()).or_default() += 1;
                    continue;
                }
            };
            match self
                .inotify
                .add(found.as_fd(), mask | watch.mask.0 & event::EXCL_UNLINK)
            {
                Ok(wd) => {
                    self.places.insert(wd, (instance, at));
                    self.listened += 1;
                }
                Err(e) if e.raw_os_error() == Some(libc::ENOSPC) => {
                    full = true;
                    continue;
                }
                Err(e) => {
                    *missed.entry(gather::errno_text(&e)).or_default() += 1;
                    continue;
                }
            }
            if let Some(group) = &self.fanotify
                && let Err(e) = group.add(found.as_fd(), mask, sys::is_directory(found.as_fd()))
            {
                *unmarked.entry(gather::errno_text(&e)).or_default() += 1;
            }
        }
        if full {
            let count = self.watched - self.listened - missed.values().sum::<usize>();
            let why = "the limit of watches is reached for this program's user \
                       (fs.inotify.max_user_watches)";
            gaps.count(count, "watched inodes that are not listened to", why);
        }
        for (why, count) in missed {
            gaps.count(count, "watched inodes that are not listened to", why);
        }
        let all = unmarked.values().sum::<usize>();
        for (why, count) in unmarked {
            let what = "watched inodes whose events have no known cause";
            gaps.count(
                count,
                what,
                format!("fanotify(7) does not mark them: {why}"),
            );
        }
        if all > 0 && all == self.listened {
            self.fanotify = None;
        }
    }

    /// Counts for `time`, or until a signal comes or the process ends.
    pub fn listen(&self, handle: &ProcessHandle, time: Duration, signals: &Signals) -> Observed {
        let pid = handle.process().pid;
        let mut buffer = vec![0; BUFFER];
        // Discards what came while watches were being added: only some of them were there to report it.
        while matches!(self.inotify.read(&mut buffer), Ok(length) if length > 0) {}
        while let Some(group) = &self.fanotify
            && matches!(group.read(&mut buffer), Ok(length) if length > 0)
        {}
        let began = Instant::now();
        let mut observed = Observed {
            tally: Tally::default(),
            who: HashMap::new(),
            time,
            span: None,
            causes: self.fanotify.is_some(),
        };
        let sources: Vec<BorrowedFd<'_>> = std::iter::once(self.inotify.as_fd())
            .chain(self.fanotify.as_ref().map(AsFd::as_fd))
            .collect();
        let mut alive = began;
        loop {
            let left = time.saturating_sub(began.elapsed());
            if alive.elapsed() >= ALIVE {
                if handle.has_ended() {
                    break;
                }
                alive = Instant::now();
            }
            let ready = !left.is_zero() && signals.wait(&sources, left.min(ALIVE));
            // A process that causes an event may end at once, so its name is read first.
            self.causes(pid, &mut buffer, &mut observed);
            if self.records(&mut buffer, &mut observed.tally) {
                let at = began.elapsed();
                observed.span = Some((observed.span.map_or(at, |(first, _)| first), at));
            }
            if left.is_zero() || (ready && signals.next().is_some()) {
                break;
            }
        }
        observed.time = began.elapsed().min(time);
        observed
    }

    /// Counts the pending events, and returns whether there were any.
    fn records(&self, buffer: &mut [u8], tally: &mut Tally) -> bool {
        // Only one buffer at a time: a writer that is faster than this program must not keep it from ending.
        let length = self.inotify.read(buffer).unwrap_or(0);
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some(record) = Record::read(rest) {
            tally.record(record.wd, record.mask, record.name);
            rest = rest.get(record.size..).unwrap_or_default();
        }
        length > 0
    }

    fn causes(&self, watcher: u32, buffer: &mut [u8], observed: &mut Observed) {
        let Some(group) = &self.fanotify else { return };
        let length = group.read(buffer).unwrap_or(0);
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some((caused, next)) = sys::split_caused(rest) {
            rest = next;
            if caused.pid == 0 {
                continue;
            }
            observed
                .who
                .entry(caused.pid)
                .or_insert_with(|| who(caused.pid, watcher));
            observed.tally.cause(caused.pid, caused.mask, caused.name);
        }
    }
}

/// Each watched inode once, with all events that are asked for. Muted watches ask for none.
fn wanted(handle: &ProcessHandle) -> Vec<((usize, usize), u32, &Watch)> {
    let mut by_inode = HashMap::new();
    let mut list: Vec<((usize, usize), u32, &Watch)> = Vec::new();
    for (instance, seen) in handle.process().inotify.iter().enumerate() {
        for (at, watch) in seen.watches.iter().enumerate() {
            let events = watch.mask.0 & event::ALL_EVENTS;
            if events == 0 {
                continue;
            }
            let place = match watch.identity() {
                Some(inode) => *by_inode.entry(inode).or_insert(list.len()),
                None => list.len(),
            };
            match list.get_mut(place) {
                Some((_, mask, _)) => *mask |= events,
                None => list.push(((instance, at), events, watch)),
            }
        }
    }
    list
}

fn who(pid: u32, watcher: u32) -> CauseProcess {
    let Some((command, comm)) = gather::command_of(pid) else {
        return CauseProcess {
            relation: Relation::Unknown,
            command: Vec::new(),
            comm: None,
        };
    };
    let relation = match pid {
        _ if pid == watcher => Relation::Itself,
        _ if gather::is_descendant(pid, watcher) => Relation::Descendant,
        _ => Relation::Other,
    };
    CauseProcess {
        relation,
        command,
        comm,
    }
}
