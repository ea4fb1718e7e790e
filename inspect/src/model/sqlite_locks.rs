//! Who keeps others from a database, by its locks.

use super::{Database, Journal, LockKind, RollbackKind, RollbackLock};

/// A writer that waits for readers to end, which lets no new one begin (<https://sqlite.org/lockingv3.html>,
/// section 3).
#[derive(Debug)]
pub struct Blocked<'a> {
    /// The process that waits.
    pub writer: &'a RollbackLock,
    /// The processes it waits for, the longest reader first.
    pub readers: Vec<&'a RollbackLock>,
}

impl Database {
    /// The process in a write transaction, and for how long it was seen to be, in milliseconds. In WAL mode that is a
    /// lock of the -shm; a process that has locked the database for itself alone need not write.
    pub fn writer(&self) -> Option<(Option<u32>, Option<u64>)> {
        let in_wal = self.wal.iter().flat_map(|wal| wal.locks.iter().flatten());
        let in_wal = in_wal.filter(|lock| lock.lock == LockKind::Write);
        let in_wal = in_wal.map(|lock| (lock.pid, lock.held_ms));
        let rollback = self.rollback_locks.iter().flatten();
        let rollback = rollback.filter(|lock| self.is_transaction(lock));
        let rollback = rollback.map(|lock| (lock.pid, lock.held_ms));
        in_wal.chain(rollback).next()
    }

    /// Whether a lock on the database itself means a write transaction. In `locking_mode = exclusive` it is kept
    /// when a transaction has ended: then the -journal, which is kept as well, holds none.
    pub fn is_transaction(&self, lock: &RollbackLock) -> bool {
        let ended = lock.lock == RollbackKind::Exclusive && self.journal == Some(Journal::Ended);
        let writes = lock.lock != RollbackKind::Shared && !lock.lasting && !ended;
        writes && self.wal_mode == Some(false)
    }

    /// Whether the transaction may be one of `locking_mode = exclusive`, which keeps its -journal open, and nobody
    /// else has the database open who would wait for its end.
    pub fn is_written_alone(&self) -> bool {
        let handles = self.holders.iter().map(|holder| holder.handles);
        let alone = handles.sum::<Option<usize>>() == Some(1);
        let journal = matches!(self.journal, Some(Journal::Of(_)));
        alone && journal && self.exclusive_holder().is_some()
    }

    /// A process that lets no other one in: `PRAGMA locking_mode = exclusive`.
    pub fn exclusive_holder(&self) -> Option<u32> {
        self.exclusive_lock()?.pid
    }

    fn exclusive_lock(&self) -> Option<&RollbackLock> {
        let mut locks = self.rollback_locks.iter().flatten();
        locks.find(|lock| lock.lock == RollbackKind::Exclusive)
    }

    /// A writer that has its changes ready and waits for readers to end. In another process: those of its own have no
    /// locks of their own.
    pub fn blocked(&self) -> Option<Blocked<'_>> {
        let rollback = self.wal_mode == Some(false);
        let locks = || self.rollback_locks.iter().flatten().filter(|_| rollback);
        let writer = locks().find(|lock| lock.lock == RollbackKind::Pending)?;
        let reads = |lock: &&RollbackLock| lock.lock == RollbackKind::Shared;
        let mut readers: Vec<_> = locks().filter(reads).collect();
        readers.sort_by_key(|lock| std::cmp::Reverse(lock.held_ms));
        (!readers.is_empty()).then_some(Blocked { writer, readers })
    }

    /// The lock of who lets nobody else in and is in no transaction of rollback mode: in WAL mode a transaction needs
    /// no such lock.
    pub fn kept(&self) -> Option<&RollbackLock> {
        let lock = self.exclusive_lock()?;
        let ended = self.journal == Some(Journal::Ended);
        (self.wal_mode == Some(true) || ended || lock.lasting).then_some(lock)
    }

    /// Whether that lock is known to stay: who closes a database last has it for a moment as well, and so has who ends
    /// a commit in rollback mode.
    pub fn is_kept_for_good(&self, lock: &RollbackLock) -> bool {
        // In WAL mode SQLite 3.46 leaves the pending byte alone, as unix-excl does; 3.40 does not.
        let lasting = lock.lasting && self.wal_mode != Some(true);
        let holder = self.holder(lock.pid);
        // Without a -shm nobody else could share the log.
        let alone = holder.is_some_and(|h| h.wal_handles > Some(0) && h.shm_handles == Some(0));
        let again = lock.held_ms.is_some() && self.wal_mode == Some(false);
        lasting || alone || again
    }

    /// The other processes that have it open, besides the one with this PID.
    pub fn others(&self, pid: Option<u32>) -> impl Iterator<Item = u32> {
        let others = self.holders.iter().filter(move |h| Some(h.pid) != pid);
        others.filter(|h| h.handles > Some(0)).map(|h| h.pid)
    }

    /// Whether somebody keeps others from it, so that it is worth a look for how long.
    pub fn is_held_up(&self) -> bool {
        self.writer().is_some() || self.kept().is_some()
    }
}
