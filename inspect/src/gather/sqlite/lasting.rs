//! Which locks last. Transactions and readers are checked again for a moment, and those that are still there get an
//! age.

use crate::gather::sqlite::held_locks::{fill_locks, locks};
use crate::gather::sqlite::logs::logs;
use crate::gather::subject::Subject;
use crate::gather::subject::gaps::Gaps;
use crate::model::{Database, Journal, LockKind, RollbackKind, Wal};
use std::time::{Duration, Instant};

/// The time between two looks at a write lock.
pub const AGAIN: Duration = Duration::from_millis(50);

/// In how many checks a lock must be found. A process that commits repeatedly is without the lock in one of them.
pub const LOOKS: u32 = 4;

/// Looks again for a moment if a process is in a write transaction, or reads and so holds up a checkpoint: most of
/// these last for milliseconds.
pub fn watch_writers(subject: &mut Subject<'_>) {
    let began = Instant::now();
    for _ in 0..LOOKS {
        let pinned = |database: &Database| database.wal.as_ref().is_some_and(Wal::is_pinned);
        let mut databases = subject.process.sqlite.iter();
        if !databases.any(|database| database.is_held_up() || pinned(database)) {
            return;
        }
        std::thread::sleep(AGAIN);
        if !lasting(subject, began.elapsed()) {
            return;
        }
    }
}

/// Looks at the locks again, `since` after the first look. Those that are still held get that age. Returns whether one
/// of them keeps others from writing, or belongs to a reader that holds up a checkpoint.
pub fn lasting(subject: &mut Subject<'_>, since: Duration) -> bool {
    let mut databases = subject.process.sqlite.clone();
    // The first look already reported what cannot be seen.
    let mut again = Subject {
        dir: subject.dir,
        mounts: subject.mounts,
        process: &mut *subject.process,
        gaps: &mut Gaps::default(),
    };
    logs(&mut again);
    let Some(found) = locks(&mut again, false) else {
        subject.process.sqlite = databases;
        return false;
    };
    let process = &mut *subject.process;
    let mut writes = false;
    for (before, now) in databases.iter_mut().zip(&mut process.sqlite) {
        fill_locks(now, &found);
        writes |= age(before, now, since);
        writes |= before.wal.as_ref().is_some_and(Wal::is_pinned);
    }
    process.sqlite = databases;
    writes
}

/// Gives the locks of a database that are still held the age `since`. Returns whether one of them keeps others from
/// writing.
pub fn age(before: &mut Database, now: &Database, since: Duration) -> bool {
    let millis = u64::try_from(since.as_millis()).ok();
    let mut writes = false;
    if let (Some(old), Some(new)) = (&mut before.wal, &now.wal) {
        let same_log = old.frames == new.frames;
        for lock in old.locks.iter_mut().flatten() {
            let held = new.locks.iter().flatten().any(|other| {
                (other.pid, other.lock, other.slot, other.mark)
                    == (lock.pid, lock.lock, lock.slot, lock.mark)
            });
            // New frames belong to a transaction that has ended.
            let same = held && (lock.lock != LockKind::Write || same_log);
            lock.held_ms = millis.filter(|_| same);
            lock.ended |= !same;
            writes |= same && lock.lock == LockKind::Write;
        }
    }
    // The next transaction writes another number.
    let kept = before.kept().map(|lock| lock.pid);
    let another = matches!(before.journal, Some(Journal::Of(_))) && now.journal != before.journal;
    // A commit ends its journal just before it releases the lock. So only a lock that is seen in this state twice is
    // kept.
    let refuted = before.journal == Some(Journal::Ended) && now.journal != before.journal;
    let mut passed = refuted;
    for lock in before.rollback_locks.iter_mut().flatten() {
        let mut all = now.rollback_locks.iter().flatten();
        let held = all.any(|other| (other.pid, other.lock) == (lock.pid, lock.lock));
        let exclusive = lock.lock == RollbackKind::Exclusive;
        let same = held && !((another || refuted) && exclusive);
        passed |= exclusive && !same;
        lock.held_ms = millis.filter(|_| same);
        writes |= same && (now.is_transaction(lock) || kept == Some(lock.pid));
    }
    if passed && before.journal == Some(Journal::Ended) {
        before.journal = None;
    }
    writes
}
