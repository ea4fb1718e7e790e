//! `sqlite-self-watch`: the process watches the files or the directory of a SQLite database that it writes.
//!
//! Meaning: A watch with the event `modify` is on the database, its -wal or -journal, or their directory. Each write
//! wakes the process. If it stores what woke it in that database, the log grows without end (incident 5).
//!
//! Evidence: `inode` and `device` (major:minor) are what the watch is on, `path` is its path or null. `database`
//! (path), `database_bytes` and `wal_bytes` (sizes in bytes). `fd` is the inotify descriptor, `wd` the watch
//! descriptor, `mask` the event mask in hexadecimal, `events` its names. `files` are those it can write and would be
//! told about. One look decides, whether it writes at that moment or not.
//!
//! Severity: critical.
//!
//! Remedy: from the next start on, libwatchfix ignores the files of SQLite databases; a database with an unusual name
//! is given to it by WATCHFIX_IGNORE. For now, `watchfix heal PID` takes `modify` out of the mask.
//!
//! Not to be confused with: `self-watch`, for any other file. A -shm, which is written through memory and raises no
//! event. A database that is open for reading only, or that libwatchfix hides already. `sqlite-wal-large`, which the
//! loop leads to.

use super::watched_files::{Over, Watches, Written};
use super::{Facts, Finding, Severity, cure};
use crate::model::{Database, Part, Process};
use crate::render::bytes;
use serde_json::json;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let parts = process.sqlite.iter().flat_map(|db| writes(process, db));
    let watches = Watches::over(process, parts.map(written));
    process
        .sqlite
        .iter()
        .filter_map(|database| {
            let over = writes(process, database).find_map(|part| watches.of(&written(part)))?;
            Some(finding(facts, database, over))
        })
        .collect()
}

/// Whether a database is one that wakes who writes it.
pub fn is_about(facts: &Facts<'_>, database: &Database) -> bool {
    let process = facts.process;
    let watches = Watches::over(process, writes(process, database).map(written));
    writes(process, database).any(|part| watches.of(&written(part)).is_some())
}

fn finding(facts: &Facts<'_>, database: &Database, over: Over<'_>) -> Finding {
    let process = facts.process;
    let watch = over.watch;
    let path = watch
        .path
        .clone()
        .or_else(|| directory_if_watched(database, over));
    let place = match &path {
        Some(path) => path.to_string(),
        None => format!("inode {}", watch.inode),
    };
    let mut message = format!(
        "It watches {place}, where it writes its own SQLite database {}: each write wakes it, and if it logs what woke it, the log grows without end.",
        database.database,
    );
    if let Some(wal) = database.wal_bytes {
        message += &format!(" The -wal has {}.", bytes(wal));
    }
    let files: Vec<_> = writes(process, database).map(|part| &part.path).collect();
    Finding {
        code: "sqlite-self-watch",
        severity: Severity::Critical,
        message,
        evidence: json!({
            "inode": watch.inode,
            "device": watch.device,
            "path": path,
            "database": database.database,
            "database_bytes": database.database_bytes,
            "wal_bytes": database.wal_bytes,
            "fd": over.fd,
            "wd": watch.wd,
            "mask": watch.mask,
            "events": watch.mask.events(),
            "files": files,
        }),
        remedy: remedy(facts, database),
        remedy_live: facts.remedies.heal(process),
    }
}

/// The default rules cover the side files and the usual names; any other name has to be given.
fn remedy(facts: &Facts<'_>, database: &Database) -> Option<String> {
    let name = database.database.base();
    match database.database.parent() {
        Some(dir) if !cure::ignored_by_default(name) => {
            facts
                .remedies
                .start_ignoring(facts.process, &[name], &dir.into())
        }
        _ => facts.remedies.start(facts.process),
    }
}

/// The database's directory, when it is what the watch stands on.
fn directory_if_watched(database: &Database, over: Over<'_>) -> Option<crate::model::Name> {
    let part = database.parts.first()?;
    let parent = part.parent?;
    (over.watch.identity() == Some(parent))
        .then(|| part.path.parent().map(Into::into))
        .flatten()
}

/// The files of a database whose writes are events the process sees: not -shm, which is written through
/// memory, not what is deleted, and not what the library hides.
pub fn writes<'a>(process: &'a Process, database: &'a Database) -> impl Iterator<Item = &'a Part> {
    database.parts.iter().filter(|part| {
        part.suffix != "-shm"
            && part.writable
            && !part.deleted
            && !cure::ignores(process, part.path.base())
    })
}

pub fn written(part: &Part) -> Written<'_> {
    Written {
        path: &part.path,
        identity: part.identity,
        parent: part.parent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    fn codex() -> Fixture {
        Fixture::new()
            .with_watch(1, 13_010_443, 0xfce, Some("/home/u/.codex"))
            .with_database("/home/u/.codex/logs_2.sqlite", 13_010_443, 11_900_000_000)
    }

    #[test]
    fn incident_5_is_named_with_inode_path_database_and_wal_size() {
        let finding = codex().only(look);
        assert_eq!(finding.severity, Severity::Critical);
        assert_eq!(finding.evidence["inode"], 13_010_443);
        assert_eq!(finding.evidence["path"], "/home/u/.codex");
        assert_eq!(finding.evidence["database"], "/home/u/.codex/logs_2.sqlite");
        assert_eq!(finding.evidence["wal_bytes"], 11_900_000_000u64);
        assert_eq!(finding.evidence["mask"], "0xfce");
    }

    #[test]
    fn its_files_are_not_named_again_as_self_watch() {
        assert!(codex().look(crate::findings::self_watch::look).is_empty());
    }

    #[test]
    fn a_settled_watch_without_modify_has_no_finding() {
        let mut fixture = codex();
        fixture.process.inotify[0].watches[0].mask = crate::model::Mask(0xfcc);
        assert!(fixture.look(look).is_empty());
    }

    #[test]
    fn the_library_in_force_hides_the_database_s_names() {
        let mut fixture = codex();
        fixture.process.preload.mapped = Some(true);
        assert!(fixture.look(look).is_empty());
        fixture.process.watchfix_rules = vec![("WATCHFIX_IGNORE".into(), "none".into())];
        assert_eq!(fixture.look(look).len(), 1);
    }

    #[test]
    fn an_open_shm_alone_is_no_self_watch() {
        let mut fixture = codex();
        for part in &mut fixture.process.sqlite[0].parts {
            part.writable = part.suffix == "-shm";
        }
        assert!(fixture.look(look).is_empty());
    }
}
