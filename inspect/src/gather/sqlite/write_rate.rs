//! How often a process writes to databases whose writes wake it. A program that logs what wakes it writes again at
//! once; a program that writes by a timer does not.
//!
//! The times of the files are read repeatedly for a moment, without opening a file. The transactions in the log are
//! counted as well, to find a loop that has just ended.

use crate::formats::sqlite::frame::{MOST, frame};
use crate::formats::sqlite::header::frame_bytes;
use crate::formats::sqlite::part;
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::sqlite::databases::open_unseen;
use crate::gather::sqlite::moved::started;
use crate::gather::subject::Subject;
use crate::gather::subject::view::View;
use crate::model::{Database, LATELY, Part, Process};
use crate::sys;
use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, UNIX_EPOCH};

/// Writes within this time count as one: a commit takes a few writes.
const MOMENT: Duration = Duration::from_millis(50);
/// A loop writes in at least this many moments; a timer of half a second or more writes in fewer.
const OFTEN: usize = 4;
/// How many moments are observed, and after how many a database without a single write is left alone.
const MOMENTS: usize = 10;
const FIRST: usize = 4;
/// The default size of a page (`SQLITE_DEFAULT_PAGE_SIZE`).
const USUAL_PAGE: u32 = 4096;
/// Transactions per second, over the life of the process, that only a loop makes.
const PER_SECOND: u64 = 20;

/// Finds out how often they are written.
pub fn write_rate(subject: &mut Subject<'_>) {
    let (dir, mounts) = (subject.dir, subject.mounts);
    let view = View::of(dir, mounts);
    let mut databases = std::mem::take(&mut subject.process.sqlite);
    let process = &*subject.process;
    let side_effects = SideEffects::of(process.inotify.iter());
    let woken_by = |part: &Part| was_written(part) && is_watched(process, part);
    for database in &mut databases {
        if !database.parts.iter().any(woken_by) {
            continue;
        }
        let log = part(database, "-wal");
        let log = log.and_then(|wal| open_unseen(dir, mounts, &side_effects, wal));
        let commits = log
            .and_then(|log| commits(&log, database))
            .or_else(|| by_size(database));
        let enough = PER_SECOND * age(process).max(LATELY.as_secs());
        let times = || times(&view, database);
        let often = commits.is_some_and(|commits| commits >= enough) || in_moments(times);
        database.often = Some(often);
    }
    subject.process.sqlite = databases;
}

fn was_written(part: &Part) -> bool {
    part.rested.is_some_and(|rested| rested <= LATELY)
}

/// Whether a watch is on it or on its directory.
fn is_watched(process: &Process, part: &Part) -> bool {
    let mut watches = process
        .inotify
        .iter()
        .flat_map(|instance| &instance.watches);
    let path = [Some(part.path.as_bytes()), part.path.parent()];
    watches.any(|watch| {
        let by_inode = watch.identity().map(Some);
        let by_path = watch.path.as_ref().map(|path| Some(path.as_bytes()));
        by_inode.is_some_and(|id| [part.identity, part.parent].contains(&id))
            || by_path.is_some_and(|watched| path.contains(&watched))
    })
}

/// When each of its files was last written.
fn times(view: &View<'_>, database: &Database) -> Vec<Option<(i64, i64)>> {
    let parts = database.parts.iter();
    let parts = parts.filter(|part| part.writable && !part.deleted);
    let time = |part: &Part| {
        let found = view.descriptor(part.fd).ok()?;
        let stat = sys::stat_at(found.as_fd(), b"", 0).ok()?;
        Some((stat.st_mtime, stat.st_mtime_nsec))
    };
    parts.map(time).collect()
}

/// Whether the result of `times` changes in so many moments that it must be a loop.
fn in_moments<T: PartialEq>(times: impl Fn() -> T) -> bool {
    let (mut last, mut written) = (times(), 0);
    for moment in 1..=MOMENTS {
        std::thread::sleep(MOMENT);
        let now = times();
        written += usize::from(now != last);
        last = now;
        if written == OFTEN || moment == FIRST && written == 0 {
            break;
        }
    }
    written == OFTEN
}

/// The transactions among the last [`MOST`] frames of its log.
fn commits(log: &File, database: &Database) -> Option<u64> {
    let wal = database.wal.as_ref()?;
    let (frames, page_size) = (wal.frames?, wal.page_size?);
    let numbers = frames.saturating_sub(MOST) + 1..=frames;
    let ends = numbers.filter_map(|number| frame(log, number, page_size)?.pages);
    Some(ends.count() as u64)
}

/// How many transactions there may be in a log that must not be opened: one for each frame of the usual size.
fn by_size(database: &Database) -> Option<u64> {
    Some(database.wal_bytes? / frame_bytes(1, USUAL_PAGE))
}

/// For how many seconds the process has run. If that is not known, a number beyond any age.
fn age(process: &Process) -> u64 {
    let now = UNIX_EPOCH.elapsed().unwrap_or_default();
    let age = started(process).map(|started| now.saturating_sub(started));
    age.map_or(u64::MAX / PER_SECOND, |age| age.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A value that changes in every `every`th moment.
    fn each(every: usize) -> impl Fn() -> usize {
        let looks = Cell::new(0);
        move || {
            looks.set(looks.get() + 1);
            looks.get() / every
        }
    }

    #[test]
    fn a_loop_of_writes_within_half_a_second_is_distinguished_from_a_timer() {
        assert!(in_moments(each(1)));
        assert!(in_moments(each(2)));
        assert!(!in_moments(each(4)));
        assert!(!in_moments(each(100)));
    }
}
