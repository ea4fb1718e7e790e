//! What SQLite means by the bytes it locks.
//!
//! Source: sqlite/src/os.h (`PENDING_BYTE`), os_unix.c (`UNIX_SHM_BASE`, `UNIX_SHM_DMS`), wal.c
//! (`WAL_READ_LOCK`), os_unix.c (`unixFileLock`, for unix-excl). The kernel merges a process's locks on adjacent bytes
//! into one range, so each range is tested for the bytes it covers.

use crate::gather::descriptors::locks::LockLine;
use crate::model::{Lock, LockKind, RollbackKind, RollbackLock};

const WRITE: u64 = 120;
const CHECKPOINT: u64 = 121;
const RECOVER: u64 = 122;
const READ: u64 = 123;
/// The "dead man switch": every attached process holds a shared lock on it.
const ATTACHED: u64 = 128;

const PENDING: u64 = 0x4000_0000;
const RESERVED: u64 = PENDING + 1;
const SHARED: u64 = PENDING + 2;
const SHARED_LAST: u64 = SHARED + 509;

/// A lock with its owner.
#[derive(Debug, Clone, Copy)]
pub struct Owned {
    /// The process that holds it.
    pub pid: Option<u32>,
    /// The lock.
    pub line: LockLine,
}

/// The locks that the ranges on a -shm represent, by process.
pub fn on_shm<'a>(
    held: impl Iterator<Item = &'a Owned>,
    marks: Option<[Option<u32>; 5]>,
) -> (Vec<Lock>, Vec<u32>) {
    let (mut locks, mut attached) = (Vec::new(), Vec::new());
    for Owned { pid, line } in held {
        let mut add = |byte: u64, lock: LockKind, slot: Option<u8>| {
            if line.covers(byte, byte) {
                locks.push(Lock {
                    pid: *pid,
                    lock,
                    slot,
                    mark: slot.and_then(|slot| *marks?.get(usize::from(slot))?),
                    exclusive: line.exclusive,
                    held_ms: None,
                    ended: false,
                });
            }
        };
        add(WRITE, LockKind::Write, None);
        add(CHECKPOINT, LockKind::Checkpoint, None);
        add(RECOVER, LockKind::Recover, None);
        for slot in 0..5 {
            add(READ + u64::from(slot), LockKind::Read, Some(slot));
        }
        if line.covers(ATTACHED, ATTACHED) {
            attached.extend(pid);
        }
    }
    locks.sort_by_key(|lock| (lock.lock, lock.slot, lock.pid));
    attached.sort_unstable();
    attached.dedup();
    (locks, attached)
}

/// The locks that the ranges on a database represent, by process. A process that writes holds all of them; only the
/// strongest is named.
pub fn on_database<'a>(held: impl Iterator<Item = &'a Owned>) -> Vec<RollbackLock> {
    let mut locks: Vec<RollbackLock> = Vec::new();
    let held: Vec<_> = held.collect();
    for Owned { pid, line } in held.iter().copied() {
        let kind = if line.covers(SHARED, SHARED_LAST) && line.exclusive {
            RollbackKind::Exclusive
        } else if line.covers(PENDING, PENDING) && line.exclusive {
            RollbackKind::Pending
        } else if line.covers(RESERVED, RESERVED) && line.exclusive {
            RollbackKind::Reserved
        } else if line.covers(SHARED, SHARED_LAST) {
            RollbackKind::Shared
        } else {
            continue;
        };
        match locks.iter_mut().find(|lock| lock.pid == *pid) {
            Some(known) => known.lock = known.lock.max(kind),
            None => locks.push(RollbackLock {
                pid: *pid,
                lock: kind,
                lasting: false,
                held_ms: None,
            }),
        }
    }
    for lock in &mut locks {
        let mut own = held.iter().filter(|owned| owned.pid == lock.pid);
        // A writer takes the pending byte first; the VFS unix-excl does not.
        let pends = own.any(|owned| owned.line.covers(PENDING, PENDING));
        lock.lasting = lock.lock == RollbackKind::Exclusive && !pends;
    }
    locks.sort_by_key(|lock| (std::cmp::Reverse(lock.lock), lock.pid));
    locks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::descriptors::locks;

    fn owned(pid: u32, range: &str) -> Owned {
        let text = format!("1: POSIX  ADVISORY  {range}").replace('@', &format!("{pid} fe:00:1"));
        Owned {
            pid: Some(pid),
            line: locks::line(text.as_bytes()).unwrap(),
        }
    }

    #[test]
    fn a_merged_range_is_the_slots_of_two_readers() {
        let (found, _) = on_shm(
            [owned(7, "READ @ 124 125")].iter(),
            Some([Some(0), Some(3), Some(9), None, None]),
        );
        let seen: Vec<_> = found.iter().map(|l| (l.lock, l.slot, l.mark)).collect();
        assert_eq!(
            seen,
            [
                (LockKind::Read, Some(1), Some(3)),
                (LockKind::Read, Some(2), Some(9))
            ]
        );
    }

    #[test]
    fn every_lock_byte_has_a_name() {
        for (byte, kind, slot) in [
            (120, LockKind::Write, None),
            (121, LockKind::Checkpoint, None),
            (122, LockKind::Recover, None),
            (123, LockKind::Read, Some(0)),
            (127, LockKind::Read, Some(4)),
        ] {
            let (found, attached) =
                on_shm([owned(7, &format!("WRITE @ {byte} {byte}"))].iter(), None);
            assert_eq!(found.len(), 1);
            assert_eq!((found[0].lock, found[0].slot), (kind, slot));
            assert!(found[0].exclusive && attached.is_empty());
        }
        let (found, attached) = on_shm([owned(7, "READ @ 128 128")].iter(), None);
        assert!(found.is_empty());
        assert_eq!(attached, [7]);
    }

    #[test]
    fn the_strongest_lock_on_a_database_is_named_once_for_each_process() {
        let shared = "READ @ 1073741826 1073742335";
        let cases: [(&[&str], RollbackKind); 4] = [
            (&[shared], RollbackKind::Shared),
            (
                &[shared, "WRITE @ 1073741825 1073741825"],
                RollbackKind::Reserved,
            ),
            (
                &[shared, "WRITE @ 1073741824 1073741825"],
                RollbackKind::Pending,
            ),
            (&["WRITE @ 1073741824 1073742335"], RollbackKind::Exclusive),
        ];
        for (ranges, kind) in cases {
            let held: Vec<_> = ranges.iter().map(|range| owned(7, range)).collect();
            let found = on_database(held.iter());
            assert_eq!(
                found,
                [RollbackLock {
                    pid: Some(7),
                    lock: kind,
                    lasting: false,
                    held_ms: None,
                }]
            );
        }
        // The VFS unix-excl locks like this whatever it does.
        let kept = on_database([owned(7, "WRITE @ 1073741826 1073742335")].iter());
        assert_eq!(kept[0].lock, RollbackKind::Exclusive);
        assert!(kept[0].lasting);
        assert!(on_database([owned(7, "WRITE @ 0 99")].iter()).is_empty());
    }
}
