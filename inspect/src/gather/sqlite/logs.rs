//! What the -shm, -wal and -journal of a database say, if they can be opened unnoticed.

use crate::formats::sqlite::{journal, log, part};
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::sqlite::databases::open_unseen;
use crate::gather::subject::Subject;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Database, Journal, Part};

/// Fills in the logs, but not who holds locks on them: other processes are not examined.
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
            true => "opening its -shm could wake the process's own watches",
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

/// What the -journal of another process says, opened by its name. If that process has locked everybody else out, the
/// -journal shows whether it is in a transaction.
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
