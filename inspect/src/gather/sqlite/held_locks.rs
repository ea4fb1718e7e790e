//! Who holds which lock on the files of a database.

use crate::formats::sqlite::part;
use crate::gather::sqlite::holders::{Found, Peer, Wanted};
use crate::gather::sqlite::lock_bytes::Owned;
use crate::gather::sqlite::{foreign_locks, holders, lock_bytes};
use crate::gather::subject::Subject;
use crate::gather::subject::gaps::errno_text;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Database, Descriptor, Holder, Identity, Part, Process, RollbackKind};
use std::collections::{HashMap, HashSet};

/// The locks of the process and of all processes that share its databases. `None` if they cannot be read. If this
/// process has locked a database exclusively, another process that has it open holds no lock on it. With `all`, such
/// processes are searched for too, and so are processes that share a database which nobody else seems to have open.
pub fn locks(subject: &mut Subject<'_>, all: bool) -> Option<Found> {
    let Subject {
        dir,
        mounts,
        process,
        gaps,
    } = subject;
    let table = match holders::table() {
        Ok(table) => table,
        Err(e) => {
            gaps.note("the locks on its databases", errno_text(&e));
            return None;
        }
    };
    let parts = process.database_parts();
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
    let scratch = process.sqlite.iter().any(|database| database.scratch);
    let everyone = holders::anonymous(&wanted, &table) > own_ofd
        || (all && (scratch || has_alone(process, &own)));
    for database in &process.sqlite {
        let dotfile = is_dotfile(dir, mounts, database);
        foreign_locks::note(database, &table, dotfile, gaps);
    }
    let mut found = holders::find(&wanted, &table, Some(process.pid), everyone, gaps);
    found.locks.extend(own);
    Some(found)
}

/// Whether these locks keep all other processes from even reading one of its databases.
pub fn has_alone(process: &Process, own: &[Owned]) -> bool {
    process.sqlite.iter().any(|database| {
        let main = part(database, "").and_then(|main| main.identity);
        let of_main = own
            .iter()
            .filter(|owned| main.is_some_and(|id| id.number() == owned.line.file));
        let locks = lock_bytes::on_database(of_main);
        locks
            .iter()
            .any(|lock| lock.lock == RollbackKind::Exclusive)
    })
}

/// Whether there is a directory where unix-dotfile creates one.
pub fn is_dotfile(dir: &ProcDir, mounts: &Mounts, database: &Database) -> bool {
    let path = [
        database.database.as_bytes(),
        foreign_locks::DOTFILE.as_bytes(),
    ]
    .concat();
    let found = View::of(dir, mounts).stat(&path, FinalLink::Stay);
    found.is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

pub fn wanted<'a>(parts: impl Iterator<Item = &'a Part>) -> Wanted {
    let mut wanted = Wanted::default();
    for part in parts {
        wanted.files.extend(part.identity);
        wanted.names.insert(part.path.base().to_vec());
    }
    wanted
}

/// Adds to a database the locks on its files.
pub fn fill_locks(database: &mut Database, found: &Found) {
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
    database.rollback_locks = Some(lock_bytes::on_database(on(&main).iter()));
    if let Some(wal) = &mut database.wal {
        let (locks, attached) = lock_bytes::on_shm(on(&shm).iter(), wal.read_marks);
        wal.locks = Some(locks);
        wal.attached = Some(attached);
    }
}

/// What a process has open of this database.
pub fn holder(database: &Database, peer: &Peer) -> Option<Holder> {
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
