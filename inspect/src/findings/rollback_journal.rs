//! What no mask hides: a commit in rollback mode creates, closes and removes the -journal beside the database
//! (<https://sqlite.org/atomiccommit.html>). With `journal_mode` truncate or persist the -journal is only closed.

use super::Remedies;
use super::watched_files::{ReportingWatch, Watches, Written};
use crate::findings::rules_in_force;
use crate::model::{Database, Mask, Name, Part, Process, Restart, StillWoken};
use rules::event;

/// What a commit does to a -journal that a mask without `modify` reports.
const BITS: u32 = event::CREATE | event::CLOSE_WRITE | event::DELETE;

/// The watch that reports each commit to a database by its -journal, and the name of the -journal.
pub fn reporting_watch<'a>(
    process: &'a Process,
    database: &Database,
) -> Option<(ReportingWatch<'a>, Name)> {
    let main = written_by_commits(database)?;
    let path = Name::from([main.path.as_bytes(), b"-journal"].concat());
    if rules_in_force::ignores(process, path.base()) {
        return None;
    }
    let journal = Written {
        path: &path,
        identity: None,
        parent: main.parent,
    };
    let reporting = Watches::asking(BITS, process, std::iter::once(journal)).of(&journal)?;
    Some((reporting, path))
}

/// The file that each commit writes, if the database creates a -journal in each transaction. A process that keeps the
/// database locked after a transaction also keeps the -journal open.
fn written_by_commits(database: &Database) -> Option<&Part> {
    let kept = database
        .kept()
        .is_some_and(|lock| database.is_kept_for_good(lock));
    let mut parts = database.parts.iter();
    if kept || !database.makes_journals {
        return None;
    }
    parts.find(|part| part.suffix.is_empty() && part.writable && !part.deleted)
}

/// A sentence that says that the -journal is reported.
pub fn sentence(database: &Database, journal: &Name, mask: Mask) -> String {
    let seen: Vec<_> = [
        (event::CREATE, "created"),
        (event::CLOSE_WRITE, "closed"),
        (event::DELETE, "removed"),
    ]
    .iter()
    .filter(|(bit, _)| mask.has(*bit))
    .map(|&(_, word)| word)
    .collect();
    format!(
        "{} is in rollback mode: at each commit {} is {} beside it, which no mask can hide",
        Name::from(database.database.base()),
        Name::from(journal.base()),
        crate::words::list_words(&seen, "and"),
    )
}

/// What alone ends a loop of that, up to the verb. `start_helps` says whether another start can ignore the names.
pub fn ends(start_helps: bool) -> &'static str {
    match start_helps {
        true => "only another start ends",
        false => "only a database in WAL mode, or elsewhere, ends",
    }
}

/// What ends it from the next start on, where what the process reads is judged.
pub fn next_start(database: &Database) -> Restart {
    let names = names(database);
    let names: Vec<_> = names.iter().map(Vec::as_slice).collect();
    Restart::without(&names)
}

/// The names to ignore so that a database wakes nobody, without those that the default rules contain.
pub fn names(database: &Database) -> Vec<Vec<u8>> {
    let sides: &[&str] = match database.wal_mode {
        Some(false) => &["", "-journal"],
        _ => &["", "-wal", "-shm"],
    };
    let base = database.database.base();
    let all = sides.iter().map(|side| [base, side.as_bytes()].concat());
    all.filter(|name| !rules_in_force::ignored_by_default(name))
        .collect()
}

/// The databases that wake the process even with the masks that `watchfix heal` sets.
pub fn still_woken(process: &Process, remedies: &Remedies) -> Vec<StillWoken> {
    let databases = process.sqlite.iter();
    let woken =
        databases.filter_map(|database| Some((database, reporting_watch(process, database)?)));
    let woken: Vec<_> = woken.collect();
    let mut start = Restart::without(&[]);
    for (database, _) in &woken {
        start.join(next_start(database));
    }
    // One start ends it for all of them.
    let command = remedies.start(process, &start);
    let each = woken
        .into_iter()
        .map(|(database, (watch, journal))| StillWoken {
            why: sentence(database, &journal, watch.watch.mask),
            database: database.database.clone(),
            journal,
            next_start: command.clone(),
        });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::{Journal, Linkage, RollbackKind, RollbackLock};

    fn settled(mask: u32) -> Fixture {
        let mut fixture = Fixture::new()
            .with_watch(1, 100, mask, Some("/d"))
            .with_database("/d/x.db", 100, 0);
        let database = &mut fixture.process.sqlite[0];
        database.wal_mode = Some(false);
        database.makes_journals = true;
        database.parts.truncate(1);
        fixture.process.linkage = Some(Linkage::Dynamic);
        fixture
    }

    fn woken(fixture: &Fixture) -> Vec<StillWoken> {
        still_woken(&fixture.process, &Remedies::sample())
    }

    #[test]
    fn a_settled_watch_reports_those_events_of_the_journal_that_its_mask_has() {
        for (mask, says) in [
            (0x3cc, "is created, closed and removed beside it"),
            (0x8, "is closed beside it"),
            (0x300, "is created and removed beside it"),
        ] {
            let found = woken(&settled(mask));
            assert_eq!(found.len(), 1, "{mask:x}");
            assert!(found[0].why.contains(says), "{}", found[0].why);
            let command = found[0].next_start.as_deref().unwrap();
            assert!(command.starts_with("WATCHFIX_IGNORE=+x.db LD_PRELOAD="));
        }
        for mask in [0x2, 0xc6, 0] {
            assert!(woken(&settled(mask)).is_empty(), "{mask:x}");
        }
    }

    #[test]
    fn a_wal_a_kept_journal_a_deleted_database_and_an_ignored_name_wake_nobody() {
        let mut wal = settled(0x3cc);
        wal.process.sqlite[0].makes_journals = false;
        let mut exclusive = settled(0x3cc);
        exclusive.process.sqlite[0].rollback_locks = Some(vec![RollbackLock {
            pid: Some(42),
            lock: RollbackKind::Exclusive,
            lasting: false,
            held_ms: Some(200),
        }]);
        // Every process has that lock during a commit.
        assert_eq!(woken(&exclusive).len(), 1);
        exclusive.process.sqlite[0].journal = Some(Journal::Ended);
        let mut deleted = settled(0x3cc);
        deleted.process.sqlite[0].parts[0].deleted = true;
        let mut library = settled(0x3cc);
        library.process.preload.mapped = Some(true);
        for fixture in [wal, exclusive, deleted, library] {
            assert!(woken(&fixture).is_empty());
        }
    }

    #[test]
    fn a_database_without_a_dot_in_its_name_has_a_journal_that_is_not_ignored_by_default() {
        let mut fixture = settled(0x3cc);
        fixture.process.preload.mapped = Some(true);
        let database = &mut fixture.process.sqlite[0];
        database.database = "/d/state".into();
        database.parts[0].path = "/d/state".into();
        assert_eq!(woken(&fixture).len(), 1);
        let database = &fixture.process.sqlite[0];
        assert_eq!(names(database), [&b"state"[..], b"state-journal"]);
    }

    #[test]
    fn if_only_masks_can_be_changed_no_start_ends_it() {
        let mut fixture = settled(0x3cc);
        fixture.process.linkage = Some(Linkage::Static);
        assert_eq!(woken(&fixture)[0].next_start, None);
        // Nor where the default rules have the names.
        let database = &mut fixture.process.sqlite[0];
        database.database = "/d/x.sqlite".into();
        database.parts[0].path = "/d/x.sqlite".into();
        assert_eq!(woken(&fixture)[0].next_start, None);
        fixture.process.inotify[0].waits = Some(false);
        let start = woken(&fixture)[0].next_start.take();
        assert_eq!(start.as_deref(), Some("watchfix run -- tool"));
    }
}
