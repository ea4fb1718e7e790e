//! What the -shm, -wal and -journal of a database say, if they can be opened unnoticed.

use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::sqlite::databases::open_unseen;
use crate::gather::sqlite::{header, log_state};
use crate::gather::subject::Subject;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Database, Journal, Part, Wal};
use std::fs::File;

/// Fills in the logs, but not who holds locks on them: other processes are not looked at.
pub fn logs(subject: &mut Subject<'_>) {
    let Subject {
        dir,
        mounts,
        process,
        gaps,
    } = subject;
    let side_effects = SideEffects::of(process.inotify.iter());
    for database in &mut process.sqlite {
        let wakes_it = |part: &Part| side_effects.by_opening(part.identity, part.parent);
        let open = |part: &Part| open_unseen(dir, mounts, &side_effects, part);
        let unopened = part(database, "-shm").is_some_and(wakes_it);
        let without = match unopened {
            true => "opening its -shm would wake the process's own watches",
            false if part(database, "-shm").is_some() => "its -shm cannot be opened",
            false => {
                "it has no -shm open: it has locked the database for itself alone, or has not read yet"
            }
        };
        database.wal = log(database, open, without, gaps);
        if database.wal_mode == Some(false) {
            database.journal = part(database, "-journal")
                .and_then(open)
                .and_then(|file| journal(&file))
                .or_else(|| journal_of_another(dir, mounts, &side_effects, database, process.pid));
        }
    }
}

/// What the -journal of another process says, opened by its name. If that process lets nobody else in, the -journal
/// tells whether it is in a transaction.
pub fn journal_of_another(
    dir: &ProcDir,
    mounts: &Mounts,
    side_effects: &SideEffects,
    database: &Database,
    own: u32,
) -> Option<Journal> {
    let holder = database.exclusive_holder()?;
    let main = part(database, "").filter(|main| !main.deleted)?;
    if holder == own
        || database.wal_mode != Some(false)
        || side_effects.by_opening(None, main.parent)
    {
        return None;
    }
    let path = [main.path.as_bytes(), b"-journal"].concat();
    let file = View::of(dir, mounts).open(&path, FinalLink::Stay, 0).ok()?;
    journal(&file)
}

pub fn part<'a>(database: &'a Database, suffix: &str) -> Option<&'a Part> {
    let mut parts = database.parts.iter().filter(|part| part.suffix == suffix);
    let first = parts.next()?;
    // Of a deleted file and its successor, others see the one that has a name.
    Some(
        parts
            .find(|part| first.deleted && !part.deleted)
            .unwrap_or(first),
    )
}

/// What the files say; `None` if there is neither a -shm nor a -wal. `without` is the reason why there is no -shm.
pub fn log(
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
    let seen = log_state::read(shm.as_ref(), wal.and_then(&open).as_ref(), bytes);
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
                        "were counted in its -wal by their salts alone, because it is too large to verify its checksums"
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

pub fn journal(file: &File) -> Option<Journal> {
    header::journal(log_state::filled(file, &mut [0; header::JOURNAL]))
}
