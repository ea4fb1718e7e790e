//! A database's write-ahead log, its locks, and who holds them.

use super::Name;
use serde::Serialize;

/// A -wal as its -shm describes it. Everything but the locks is `None` if the -shm could not be read or is not trusted.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Wal {
    /// Bytes of a page.
    pub page_size: Option<u32>,
    /// Valid frames: the file may have older ones after them.
    pub frames: Option<u32>,
    /// Frames that are already in the database.
    pub checkpointed_frames: Option<u32>,
    /// Frames that the last checkpoint began to write there.
    pub attempted_frames: Option<u32>,
    /// Bytes of the valid frames and the header.
    pub live_bytes: Option<u64>,
    /// Bytes of the frames that are not in the database yet.
    pub pending_bytes: Option<u64>,
    /// The five read marks: the last frame that readers of the slot look at. A mark alone does not prove a reader, who
    /// also holds the lock of the slot.
    pub read_marks: Option<[Option<u32>; 5]>,
    /// The locks on the -shm; `None` if locks cannot be read.
    pub locks: Option<Vec<Lock>>,
    /// The processes that are attached to the -shm.
    pub attached: Option<Vec<u32>>,
}

impl Wal {
    /// Frames that are not in the database yet.
    pub fn pending_frames(&self) -> Option<u32> {
        Some(self.frames?.saturating_sub(self.checkpointed_frames?))
    }

    /// The locks no checkpoint gets past, and how many frames each keeps out of the database. A reader of
    /// slot 0 reads the database only, so nothing may be written to it; any other one needs the frames
    /// behind its mark to stay where they are (sqlite/src/wal.c, `walCheckpoint`).
    pub fn pins(&self) -> impl Iterator<Item = Pin<'_>> {
        let frames = self.frames.unwrap_or(0);
        let pending = self.pending_frames().unwrap_or(0);
        self.readers()
            .filter(|lock| !lock.ended)
            .filter_map(move |lock| {
                let kept = match lock.slot? {
                    0 => pending,
                    _ => frames.saturating_sub(lock.mark?),
                };
                (kept > 0).then_some(Pin { lock, frames: kept })
            })
    }

    /// The locks of readers. A process that moves the mark holds an exclusive one for a moment.
    pub fn readers(&self) -> impl Iterator<Item = &Lock> {
        let locks = self.locks.iter().flatten();
        locks.filter(|lock| lock.lock == LockKind::Read && !lock.exclusive)
    }

    /// Whether a reader keeps as many frames as SQLite lets gather before it checkpoints by itself
    /// (`SQLITE_DEFAULT_WAL_AUTOCHECKPOINT`): a checkpoint has fallen short.
    pub fn is_pinned(&self) -> bool {
        self.pins().any(|pin| pin.frames >= AUTOCHECKPOINT)
    }
}

/// Frames SQLite lets gather before it checkpoints by itself.
pub const AUTOCHECKPOINT: u32 = 1000;

/// A reader that holds a checkpoint up.
#[derive(Debug, Clone, Copy)]
pub struct Pin<'a> {
    /// Its lock.
    pub lock: &'a Lock,
    /// Frames that cannot go into the database while it is held.
    pub frames: u32,
}

/// A lock on the -shm, held by a process: which connection or thread, the kernel does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lock {
    /// The process.
    pub pid: Option<u32>,
    /// What it allows.
    pub lock: LockKind,
    /// The reader's slot, 0 to 4.
    pub slot: Option<u8>,
    /// The slot's read mark.
    pub mark: Option<u32>,
    /// Whether nobody else may hold it.
    pub exclusive: bool,
    /// For how long at least it was seen to be held, in milliseconds; `None` after a single look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
    /// It was not held any more at a later look.
    #[serde(skip)]
    pub ended: bool,
}

/// The locks of a -shm (sqlite/src/wal.c, `WAL_WRITE_LOCK` and its neighbours).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LockKind {
    /// A write transaction.
    Write,
    /// A checkpoint.
    Checkpoint,
    /// Recovery of the -shm from the -wal.
    Recover,
    /// A read transaction.
    Read,
}

impl LockKind {
    /// Its name in JSON and text.
    pub fn name(self) -> &'static str {
        match self {
            LockKind::Write => "write",
            LockKind::Checkpoint => "checkpoint",
            LockKind::Recover => "recover",
            LockKind::Read => "read",
        }
    }
}

/// A lock on the database itself, as every journal mode takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RollbackLock {
    /// The process.
    pub pid: Option<u32>,
    /// Which.
    pub lock: RollbackKind,
    /// It is taken once, for as long as the database is open: no transaction is meant by it.
    #[serde(skip)]
    pub lasting: bool,
    /// Like [`Lock::held_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
}

/// The locks of a database (<https://sqlite.org/lockingv3.html>, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RollbackKind {
    /// The process reads. In WAL mode every connection holds it.
    Shared,
    /// The process is going to write.
    Reserved,
    /// The process waits for readers to end.
    Pending,
    /// The process writes. In WAL mode it keeps all others out.
    Exclusive,
}

impl RollbackKind {
    /// Its name in JSON and text.
    pub fn name(self) -> &'static str {
        match self {
            RollbackKind::Shared => "shared",
            RollbackKind::Reserved => "reserved",
            RollbackKind::Pending => "pending",
            RollbackKind::Exclusive => "exclusive",
        }
    }
}

/// A process that has one of a database's files open.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Holder {
    /// Its PID.
    pub pid: u32,
    /// The name of its main thread.
    pub comm: Option<Name>,
    /// Its command line.
    pub cmdline: Option<Vec<Name>>,
    /// Its descriptors of the database; `None`, like the other two, if they may not be read.
    pub handles: Option<usize>,
    /// Its descriptors of the -wal.
    pub wal_handles: Option<usize>,
    /// Its descriptors of the -shm.
    pub shm_handles: Option<usize>,
}

impl Holder {
    /// What it is called: its command line, or the name of its main thread.
    pub fn command(&self) -> String {
        match (&self.cmdline, &self.comm) {
            (Some(words), _) if !words.is_empty() => {
                let words: Vec<_> = words.iter().map(Name::to_string).collect();
                words.join(" ")
            }
            (_, Some(comm)) => comm.to_string(),
            _ => "?".into(),
        }
    }
}

#[cfg(test)]
impl Wal {
    /// Frames, checkpointed frames, and readers as (pid, slot, mark).
    pub fn sample(frames: u32, checkpointed: u32, readers: &[(u32, u8, u32)]) -> Wal {
        let lock = |&(pid, slot, mark): &(u32, u8, u32)| Lock {
            pid: Some(pid),
            lock: LockKind::Read,
            slot: Some(slot),
            mark: Some(mark),
            exclusive: false,
            held_ms: None,
            ended: false,
        };
        Wal {
            page_size: Some(4096),
            frames: Some(frames),
            checkpointed_frames: Some(checkpointed),
            live_bytes: Some(32 + u64::from(frames) * 4120),
            pending_bytes: Some(u64::from(frames - checkpointed) * 4120),
            locks: Some(readers.iter().map(lock).collect()),
            ..Wal::default()
        }
    }
}

#[cfg(test)]
impl Holder {
    /// One with this command line.
    pub fn sample(pid: u32, command: &str) -> Holder {
        Holder {
            pid,
            comm: None,
            cmdline: Some(command.split(' ').map(Name::from).collect()),
            handles: Some(1),
            wal_handles: Some(1),
            shm_handles: Some(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wal(slot: u8, mark: u32, exclusive: bool) -> Wal {
        let mut wal = Wal::sample(100, 40, &[(7, slot, mark)]);
        wal.locks
            .iter_mut()
            .flatten()
            .for_each(|lock| lock.exclusive = exclusive);
        wal
    }

    fn kept(wal: &Wal) -> Vec<u32> {
        wal.pins().map(|pin| pin.frames).collect()
    }

    #[test]
    fn a_reader_behind_the_last_frame_keeps_the_frames_behind_its_mark() {
        assert_eq!(kept(&wal(1, 40, false)), [60]);
        assert_eq!(kept(&wal(4, 99, false)), [1]);
        assert!(kept(&wal(1, 100, false)).is_empty());
    }

    #[test]
    fn a_reader_of_the_database_alone_keeps_every_pending_frame() {
        let mut wal = wal(0, 0, false);
        assert_eq!(kept(&wal), [60]);
        wal.checkpointed_frames = Some(100);
        assert!(kept(&wal).is_empty());
    }

    #[test]
    fn who_moves_a_mark_is_not_a_reader() {
        assert!(kept(&wal(1, 40, true)).is_empty());
    }

    #[test]
    fn without_its_lock_or_without_the_figures_a_mark_proves_nothing() {
        let mut wal = wal(1, 40, false);
        wal.frames = None;
        assert!(kept(&wal).is_empty());
        wal.frames = Some(100);
        wal.locks = Some(Vec::new());
        wal.read_marks = Some([Some(0), Some(40), None, None, None]);
        assert!(kept(&wal).is_empty());
    }
}
