//! What remains when the watches have the masks that `watchfix heal` gives them.

use crate::findings::rollback_journal;
use crate::model::{Database, FileEvents, Name, Process};
use rules::event;

/// What heal removes from masks: reads, and also writes if the process has a database or is told to settle.
const HEALED: u32 = event::OPEN | event::ACCESS | event::CLOSE_NOWRITE | event::MODIFY;

/// Whether healing would change a watch that reports this file.
pub fn is_to_heal(process: &Process, file: &Name) -> bool {
    let watches = process.inotify.iter().flat_map(|i| &i.watches);
    let mut asking = watches.filter(|watch| watch.mask.has(HEALED));
    asking.any(|watch| match &watch.path {
        Some(path) => path == file || Some(path.as_bytes()) == file.parent(),
        None => true,
    })
}

/// A file that was closed so often after a write is closed each time.
const AGAIN: u64 = 3;

/// Whether a file is closed each time after it was written to. Every mask that reports edits reports that.
pub fn is_closed_again(file: &FileEvents) -> bool {
    let mut events = file.events.iter();
    events.any(|one| one.event == "close_write" && one.count >= AGAIN)
}

/// A loop of a process that writes what it watches.
#[derive(Debug, Clone, Copy)]
pub struct OwnLoop {
    /// A watch reports the file, and `watchfix heal` would change its mask.
    pub to_heal: bool,
    /// The process closes the file after each write.
    pub closed: bool,
    /// Names can be ignored after a restart.
    pub start_helps: bool,
}

/// What masks cannot remove of the events of the file, as a sentence. Empty if masks end the loop.
pub fn sentence(process: &Process, own: Option<&Database>, what: OwnLoop) -> String {
    let journal = own.and_then(|database| {
        let (watch, journal) = rollback_journal::reporting_watch(process, database)?;
        Some(rollback_journal::sentence(
            database,
            &journal,
            watch.watch.mask,
        ))
    });
    match (journal, what.to_heal) {
        (Some(why), true) => format!(" {why}: heal alone does not end a loop of that."),
        (Some(why), false) => {
            let ends = rollback_journal::ends(what.start_helps);
            format!(" {why}: {ends} a loop of that.")
        }
        (None, false) => {
            " Its watches have the masks that heal gives them: what is left, no mask can hide."
                .into()
        }
        (None, true) if what.closed => {
            " It closes the file after each write, which every mask that reports edits reports: heal alone does not end a loop of that."
                .into()
        }
        (None, true) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    #[test]
    fn a_watch_needs_healing_while_it_reports_reads_or_writes_there() {
        let file = Name::from("/d/x.db");
        let watched = |mask, path| Fixture::new().with_watch(1, 100, mask, path).process;
        assert!(is_to_heal(&watched(0x3ce, Some("/d")), &file));
        assert!(is_to_heal(&watched(0x2, Some("/d/x.db")), &file));
        assert!(is_to_heal(&watched(0x3ee, None), &file));
        assert!(!is_to_heal(&watched(0x3cc, Some("/d")), &file));
        assert!(!is_to_heal(&watched(0x3ee, Some("/e")), &file));
    }

    #[test]
    fn masks_stop_the_events_of_a_log_but_not_of_a_rollback_journal() {
        let mut fixture = Fixture::new()
            .with_watch(1, 100, 0x3cc, Some("/d"))
            .with_database("/d/x.db", 100, 0);
        let process = &mut fixture.process;
        let healable = OwnLoop {
            to_heal: true,
            closed: false,
            start_helps: true,
        };
        let healed = OwnLoop {
            to_heal: false,
            ..healable
        };
        assert_eq!(sentence(process, process.sqlite.first(), healable), "");
        assert!(sentence(process, None, healed).contains("no mask can hide"));
        let closes = OwnLoop {
            closed: true,
            ..healable
        };
        let closed = sentence(process, None, closes);
        assert!(closed.contains("heal alone does not end"), "{closed}");
        process.sqlite[0].wal_mode = Some(false);
        process.sqlite[0].makes_journals = true;
        let alone = OwnLoop {
            start_helps: false,
            ..healed
        };
        for (what, says) in [
            (healable, "heal alone"),
            (healed, "only another start"),
            (alone, "only a database in WAL mode"),
        ] {
            let said = sentence(process, process.sqlite.first(), what);
            assert!(
                said.contains(says) && said.contains("x.db-journal"),
                "{said}"
            );
        }
    }
}
