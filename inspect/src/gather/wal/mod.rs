//! SQLite to the lock: what the -shm of each database says, and who holds which lock on it.

mod bytes;
mod file;
mod foreign;
pub mod frames;
pub mod header;
mod holders;
mod moved;
mod overwritten;
mod owners;
pub mod shm;
mod state;

pub use file::{Own, again, database};
pub use frames::Effort;
pub use header::{Mode, database as database_mode};
pub use owners::owners_of;
pub use state::{count, index};

use super::mounts::Mounts;
use super::proc_dir::ProcDir;
use super::sqlite::open_safely;
use super::view::{Last, View};
use super::wakes::Wakes;
use super::{Gaps, errno_text};
use crate::model::{
    Database, Descriptor, Holder, Identity, Journal, LockKind, Part, Process, RollbackKind, Wal,
};
use bytes::Owned;
use holders::{Found, Peer, Wanted};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::time::{Duration, Instant};

/// Fills in the logs and locks of the databases of `process`.
pub fn look(dir: &ProcDir, mounts: &Mounts, process: &mut Process, gaps: &mut Gaps) {
    if process.sqlite.is_empty() {
        return;
    }
    logs(dir, mounts, process, gaps);
    displaced(dir, mounts, process);
    let found = locks(dir, mounts, process, true, gaps);
    let wakes = Wakes::of(process.inotify.iter());
    for database in &mut process.sqlite {
        if let Some(found) = &found {
            fill_locks(database, found);
        }
        if let Some(journal) = journal_of_another(dir, mounts, &wakes, database, process.pid) {
            database.journal = Some(journal);
        }
        let mut all = vec![Holder {
            pid: process.pid,
            comm: process.comm.clone(),
            cmdline: process.cmdline.clone(),
            handles: Some(database.handles),
            wal_handles: Some(database.wal_handles),
            shm_handles: Some(database.shm_handles),
        }];
        let peers = found.iter().flat_map(|found| &found.peers);
        all.extend(peers.filter_map(|peer| holder(database, peer)));
        database.holders = all;
    }
    renamed(dir, mounts, process);
    moved::look(dir, mounts, process);
    for database in &mut process.sqlite {
        database.side_deleted = side_deleted(dir, database);
    }
}

/// Which of the files that tell others of a transaction is unlinked, and still is after a while: whoever closes a
/// database last unlinks its -shm just before it is closed (os_unix.c, `unixShmUnmap`).
fn side_deleted(dir: &ProcDir, database: &Database) -> Option<&'static str> {
    if database.deleted || database.wal_deleted == Some(true) {
        return None;
    }
    let sides = database.parts.iter();
    let lost = sides
        .filter(|part| part.deleted && part.writable)
        .find(|part| matches!(part.suffix, "-shm" | "-journal"))?;
    std::thread::sleep(AGAIN);
    let link = dir.read_link(&format!("fd/{}", lost.fd)).ok()?;
    let still = link.strip_suffix(crate::gather::sqlite::DELETED) == Some(lost.path.as_bytes());
    still.then_some(lost.suffix)
}

/// Looks where a database is whose -wal has kept its name: rename(2) changes the name of an open file as well. In WAL
/// mode a connection that has a -wal keeps a lock on its database all the time.
fn renamed(dir: &ProcDir, mounts: &Mounts, process: &mut Process) {
    let is_its_own = |database: &Database| {
        let mut locks = database.rollback_locks.iter().flatten();
        database.wal_mode == Some(true)
            && !database.deleted
            && database.handles > 0
            && database.wal_handles == 0
            && locks.any(|lock| lock.pid == Some(process.pid) && lock.lock == RollbackKind::Shared)
    };
    let databases = process.sqlite.iter().enumerate();
    let mut without_log = databases.filter(|(_, database)| is_its_own(database));
    // Of two nobody can say which it was.
    let (Some((main, found)), None) = (without_log.next(), without_log.next()) else {
        return;
    };
    let to = found.database.clone();
    let without_name = |log: &Database| log.handles == 0 && log.wal_deleted == Some(true);
    // Who made another database of the old name has unlinked its -wal, which is this one's all the same.
    if let Some(at) = process.sqlite.iter().position(without_name)
        && let Ok([main, log]) = process.sqlite.get_disjoint_mut([main, at])
    {
        main.wal_handles = log.wal_handles;
        main.wal_bytes = log.wal_bytes;
        main.wal_deleted = Some(true);
        main.parts.extend(log.parts.drain(..).map(|part| Part {
            path: [to.as_bytes(), part.suffix.as_bytes()].concat().into(),
            ..part
        }));
        main.count_connections();
        process.sqlite.remove(at);
        return;
    }
    for log in &mut process.sqlite {
        if log.handles == 0 && log.wal_deleted == Some(false) {
            let taken = View::of(dir, mounts).stat(log.database.as_bytes(), Last::Stay);
            log.replaced = taken.is_ok();
            log.renamed_to = Some(to.clone());
        }
    }
}

/// Looks whether the files of a database are still those its log is about.
fn displaced(dir: &ProcDir, mounts: &Mounts, process: &mut Process) {
    let wakes = Wakes::of(process.inotify.iter());
    for database in &mut process.sqlite {
        let [main, wal, shm] = ["", "-wal", "-shm"].map(|suffix| {
            let part = part(database, suffix).filter(|part| !part.deleted)?;
            let unseen = !wakes.by_opening(part.identity, part.parent);
            unseen.then(|| open_safely(dir, mounts, part)).flatten()
        });
        if let (Some(main), Some(wal), Some(shm)) = (main, wal, shm) {
            database.overwritten = overwritten::look(&main, &wal, &shm);
        }
    }
}

/// Between two looks at a write lock.
const AGAIN: Duration = Duration::from_millis(50);
/// Looks that must find it: who writes again and again is seen without it at one of them.
const LOOKS: u32 = 4;

/// Looks again for a moment where somebody is in a write transaction, or reads and keeps a checkpoint short: most last
/// for milliseconds.
pub fn watch_writers(dir: &ProcDir, mounts: &Mounts, process: &mut Process) {
    let began = Instant::now();
    for _ in 0..LOOKS {
        let pinned = |database: &Database| database.wal.as_ref().is_some_and(Wal::is_pinned);
        let mut databases = process.sqlite.iter();
        if !databases.any(|database| database.is_held_up() || pinned(database)) {
            return;
        }
        std::thread::sleep(AGAIN);
        if !lasting(dir, mounts, process, began.elapsed()) {
            return;
        }
    }
}

/// Looks at the locks again, `since` the first look: those that are still held get that age. Says whether one that keeps
/// others from writing is among them, or a reader that keeps a checkpoint short.
pub fn lasting(dir: &ProcDir, mounts: &Mounts, process: &mut Process, since: Duration) -> bool {
    let mut databases = process.sqlite.clone();
    // What cannot be seen was said at the first look.
    let gaps = &mut Gaps::default();
    logs(dir, mounts, process, gaps);
    let Some(found) = locks(dir, mounts, process, false, gaps) else {
        process.sqlite = databases;
        return false;
    };
    let mut writes = false;
    for (before, now) in databases.iter_mut().zip(&mut process.sqlite) {
        fill_locks(now, &found);
        writes |= age(before, now, since);
        writes |= before.wal.as_ref().is_some_and(Wal::is_pinned);
    }
    process.sqlite = databases;
    writes
}

/// Gives the locks of a database that are still held `since` then that age. Says whether one that keeps others from
/// writing is among them.
fn age(before: &mut Database, now: &Database, since: Duration) -> bool {
    let millis = u64::try_from(since.as_millis()).ok();
    let mut writes = false;
    if let (Some(old), Some(new)) = (&mut before.wal, &now.wal) {
        let same_log = old.frames == new.frames;
        for lock in old.locks.iter_mut().flatten() {
            let held = new.locks.iter().flatten().any(|other| {
                (other.pid, other.lock, other.slot, other.mark)
                    == (lock.pid, lock.lock, lock.slot, lock.mark)
            });
            // Frames that were added are of a transaction that has ended.
            let same = held && (lock.lock != LockKind::Write || same_log);
            lock.held_ms = millis.filter(|_| same);
            lock.ended |= !same;
            writes |= same && lock.lock == LockKind::Write;
        }
    }
    // The next transaction has another number.
    let kept = before.kept().map(|lock| lock.pid);
    let another = matches!(before.journal, Some(Journal::Of(_))) && now.journal != before.journal;
    // A commit ends its journal just before it gives up the lock: only one that is found so again is kept.
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

/// Fills in the logs alone, without who locks them: other processes are not looked at.
pub fn logs(dir: &ProcDir, mounts: &Mounts, process: &mut Process, gaps: &mut Gaps) {
    let wakes = Wakes::of(process.inotify.iter());
    for database in &mut process.sqlite {
        let wakes_it = |part: &Part| wakes.by_opening(part.identity, part.parent);
        let open = |part: &Part| {
            if wakes_it(part) {
                return None;
            }
            open_safely(dir, mounts, part)
        };
        let unopened = part(database, "-shm").is_some_and(wakes_it);
        let without = match unopened {
            true => "opening its -shm would wake the process's own watches",
            false if part(database, "-shm").is_some() => "its -shm cannot be opened",
            false => {
                "it has no -shm open: it locks the database for itself alone, or has not read yet"
            }
        };
        database.wal = log(database, open, without, gaps);
        if database.wal_mode == Some(false) {
            database.journal = part(database, "-journal")
                .and_then(open)
                .and_then(|file| journal(&file))
                .or_else(|| journal_of_another(dir, mounts, &wakes, database, process.pid));
        }
    }
}

/// What the -journal says that another process writes, by its name: where that one lets nobody else in, it tells
/// whether it is in a transaction.
fn journal_of_another(
    dir: &ProcDir,
    mounts: &Mounts,
    wakes: &Wakes,
    database: &Database,
    own: u32,
) -> Option<Journal> {
    let holder = database.exclusive_holder()?;
    let main = part(database, "").filter(|main| !main.deleted)?;
    if holder == own || database.wal_mode != Some(false) || wakes.by_opening(None, main.parent) {
        return None;
    }
    let path = [main.path.as_bytes(), b"-journal"].concat();
    let file = View::of(dir, mounts).open(&path, Last::Stay, 0).ok()?;
    journal(&file)
}

fn part<'a>(database: &'a Database, suffix: &str) -> Option<&'a Part> {
    let mut parts = database.parts.iter().filter(|part| part.suffix == suffix);
    let first = parts.next()?;
    // Of a deleted one and its successor, the one that has a name is what others see.
    Some(
        parts
            .find(|part| first.deleted && !part.deleted)
            .unwrap_or(first),
    )
}

/// What the files say; `None` if there is neither a -shm nor a -wal. Where no -shm is at hand, `without`
/// says why.
fn log(
    database: &Database,
    open: impl Fn(&Part) -> Option<File>,
    without: &str,
    gaps: &mut Gaps,
) -> Option<Wal> {
    let (shm, wal) = (part(database, "-shm"), part(database, "-wal"));
    if shm.is_none() && wal.is_none() {
        return None;
    }
    let shm = shm.and_then(&open);
    let bytes = wal.and_then(|wal| wal.bytes);
    let seen = state::read(shm.as_ref(), wal.and_then(&open).as_ref(), bytes);
    let why = match seen.doubt {
        Some(doubt) => Some(format!("its -shm {}", doubt.why())),
        None => shm.is_none().then(|| without.to_owned()),
    };
    if let Some(why) = why {
        let name = &database.database;
        match seen.counted {
            Some(counted) => {
                let how = match counted.verified {
                    true => "were counted in its -wal",
                    false => {
                        "were counted in its -wal by their salts alone, for it is too large to follow its checksums"
                    }
                };
                let what = format!("checkpoints and read marks of {name}");
                gaps.note(what, format!("{why}; its frames {how}"));
            }
            None => gaps.note(format!("frames, checkpoints and read marks of {name}"), why),
        }
    }
    Some(seen.wal)
}

fn journal(file: &File) -> Option<Journal> {
    header::journal(state::filled(file, &mut [0; header::JOURNAL]))
}

/// The locks of the process and of everybody who shares its databases; `None` where none can be read. Who shares a
/// database that this process lets nobody into holds no lock, and is looked for if `all` are wanted.
fn locks(
    dir: &ProcDir,
    mounts: &Mounts,
    process: &Process,
    all: bool,
    gaps: &mut Gaps,
) -> Option<Found> {
    let table = match holders::table() {
        Ok(table) => table,
        Err(e) => {
            gaps.note("the locks on its databases", errno_text(&e));
            return None;
        }
    };
    let parts = process.sqlite.iter().flat_map(|database| &database.parts);
    let wanted = wanted(parts.clone());
    let locked: HashSet<Identity> = table.iter().map(|line| line.file).collect();
    let of_locked = |descriptor: &&Descriptor| {
        descriptor
            .identity
            .is_some_and(|id| wanted.files.contains(&id) && locked.contains(&id.number()))
    };
    let fds: Vec<i32> = process
        .descriptors
        .iter()
        .filter(of_locked)
        .map(|d| d.fd)
        .collect();
    let own = holders::of_descriptors(dir, &fds, &wanted, process.pid);
    let own_ofd = own.iter().filter(|owned| owned.line.pid.is_none()).count();
    let everyone =
        holders::anonymous(&wanted, &table) > own_ofd || (all && has_alone(process, &own));
    for database in &process.sqlite {
        let dotfile = is_dotfile(dir, mounts, database);
        foreign::note(database, &table, dotfile, gaps);
    }
    let mut found = holders::find(&wanted, &table, Some(process.pid), everyone, gaps);
    found.locks.extend(own);
    Some(found)
}

/// Whether one of its databases is locked by these so that nobody else may even read.
fn has_alone(process: &Process, own: &[Owned]) -> bool {
    process.sqlite.iter().any(|database| {
        let main = part(database, "").and_then(|main| main.identity);
        let of_main = own
            .iter()
            .filter(|owned| main.is_some_and(|id| id.number() == owned.line.file));
        let locks = bytes::on_database(of_main);
        locks
            .iter()
            .any(|lock| lock.lock == RollbackKind::Exclusive)
    })
}

/// Whether a directory lies where unix-dotfile makes one.
fn is_dotfile(dir: &ProcDir, mounts: &Mounts, database: &Database) -> bool {
    let path = [database.database.as_bytes(), foreign::DOTFILE.as_bytes()].concat();
    let found = View::of(dir, mounts).stat(&path, Last::Stay);
    found.is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

fn wanted<'a>(parts: impl Iterator<Item = &'a Part>) -> Wanted {
    let mut wanted = Wanted::default();
    for part in parts {
        wanted.files.extend(part.identity);
        wanted.names.insert(part.path.base().to_vec());
    }
    wanted
}

/// Gives a database the locks that are on its files.
fn fill_locks(database: &mut Database, found: &Found) {
    let files = |suffix: &str| -> HashSet<Identity> {
        let parts = database.parts.iter().filter(|part| part.suffix == suffix);
        parts.filter_map(|part| part.identity).collect()
    };
    let (main, shm) = (files(""), files("-shm"));
    let on = |set: &'_ HashSet<Identity>| -> Vec<Owned> {
        let locks = found.locks.iter();
        locks
            .filter(|owned| set.iter().any(|id| id.number() == owned.line.file))
            .copied()
            .collect()
    };
    database.rollback_locks = Some(bytes::on_database(on(&main).iter()));
    if let Some(wal) = &mut database.wal {
        let (locks, attached) = bytes::on_shm(on(&shm).iter(), wal.read_marks);
        wal.locks = Some(locks);
        wal.attached = Some(attached);
    }
}

/// What a process has of this database.
fn holder(database: &Database, peer: &Peer) -> Option<Holder> {
    let count = |files: &HashMap<Identity, usize>, suffix: &str| {
        let parts = database.parts.iter().filter(|part| part.suffix == suffix);
        parts
            .filter_map(|part| files.get(&part.identity?))
            .sum::<usize>()
    };
    let counts = |suffix: &str| peer.files.as_ref().map(|files| count(files, suffix));
    let holder = Holder {
        pid: peer.pid,
        comm: peer.comm.clone(),
        cmdline: peer.cmdline.clone(),
        handles: counts(""),
        wal_handles: counts("-wal"),
        shm_handles: counts("-shm"),
    };
    let any = [holder.handles, holder.wal_handles, holder.shm_handles];
    let locked = || {
        let locks = database
            .wal
            .iter()
            .filter_map(|wal| wal.locks.as_ref())
            .flatten()
            .map(|lock| lock.pid);
        let attached = database
            .wal
            .iter()
            .filter_map(|wal| wal.attached.as_ref())
            .flatten()
            .map(|&pid| Some(pid));
        let rollback = database
            .rollback_locks
            .iter()
            .flatten()
            .map(|lock| lock.pid);
        locks
            .chain(attached)
            .chain(rollback)
            .any(|pid| pid == Some(peer.pid))
    };
    (any.iter().any(|count| count.is_some_and(|n| n > 0)) || (peer.files.is_none() && locked()))
        .then_some(holder)
}
