//! The logs, locks and files of the databases a process has open.

use crate::formats::sqlite::part;
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::sqlite::databases::open_unseen;
use crate::gather::sqlite::held_locks::{fill_locks, holder, locks};
use crate::gather::sqlite::lasting::AGAIN;
use crate::gather::sqlite::logs::{journal_of_another, logs};
use crate::gather::sqlite::{moved, overwritten};
use crate::gather::subject::Subject;
use crate::gather::subject::proc_dir::{DELETED, ProcDir};
use crate::gather::subject::view::FinalLink;
use crate::model::{Database, Part, RollbackKind};

/// Fills in the logs and locks of the databases of `process`.
pub fn look(subject: &mut Subject<'_>) {
    if subject.process.sqlite.is_empty() {
        return;
    }
    logs(subject);
    displaced(subject);
    let found = locks(subject, true);
    let Subject {
        dir,
        mounts,
        process,
        ..
    } = subject;
    let side_effects = SideEffects::of(process.inotify.iter());
    for database in &mut process.sqlite {
        if let Some(found) = &found {
            fill_locks(database, found);
        }
        if let Some(journal) = journal_of_another(dir, mounts, &side_effects, database, process.pid)
        {
            database.journal = Some(journal);
        }
        let mut all = vec![database.held_by(process.pid, &process.comm, &process.cmdline)];
        let peers = found.iter().flat_map(|found| &found.peers);
        all.extend(peers.filter_map(|peer| holder(database, peer)));
        database.holders = all;
    }
    renamed(subject);
    moved::look(subject);
    for database in &mut subject.process.sqlite {
        database.side_deleted = side_deleted(subject.dir, database);
    }
}

/// Which of the files that show others a transaction is unlinked. It must still be unlinked after a while, because the
/// last connection unlinks the -shm just before it closes it (os_unix.c, `unixShmUnmap`).
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
    let still = link.strip_suffix(DELETED) == Some(lost.path.as_bytes());
    still.then_some(lost.suffix)
}

/// Finds a database that was renamed while its -wal kept the old name: rename(2) also changes the name of an open file.
/// In WAL mode a connection that has a -wal holds a lock on its database all the time.
fn renamed(subject: &mut Subject<'_>) {
    let view = subject.view();
    let process = &mut *subject.process;
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
    // With two candidates it cannot be decided which one it was.
    let (Some((main, found)), None) = (without_log.next(), without_log.next()) else {
        return;
    };
    let to = found.database.clone();
    let without_name = |log: &Database| log.handles == 0 && log.wal_deleted == Some(true);
    // A process that created another database under the old name unlinked the -wal, which still belongs to this one.
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
            let taken = view.stat(log.database.as_bytes(), FinalLink::Stay);
            log.replaced = taken.is_ok();
            log.renamed_to = Some(to.clone());
        }
    }
}

/// Checks whether the files of a database still belong to its log.
fn displaced(subject: &mut Subject<'_>) {
    let Subject {
        dir,
        mounts,
        process,
        ..
    } = subject;
    let side_effects = SideEffects::of(process.inotify.iter());
    for database in &mut process.sqlite {
        let [main, wal, shm] = ["", "-wal", "-shm"].map(|suffix| {
            let part = part(database, suffix).filter(|part| !part.deleted)?;
            open_unseen(dir, mounts, &side_effects, part)
        });
        if let (Some(main), Some(wal), Some(shm)) = (main, wal, shm) {
            database.overwritten = overwritten::look(&main, &wal, &shm);
        }
    }
}
