//! What is claimed of every watcher. `claims!` makes a test of each.

use crate::session::STATE_FILES;
use crate::{Operation, Session, Watcher, contract};

/// The ground the other claims stand on: what is to stay is there without the preload, and so is what
/// is to go.
pub fn bare_it_reports_edits_and_what_the_preload_is_to_end(watcher: &Watcher) {
    let Some(mut session) = Session::start(watcher, false) else {
        return;
    };
    for operation in Operation::EDITS.iter().chain(watcher.reports_bare) {
        session.reports(*operation);
    }
    for name in STATE_FILES {
        session.reports_write_to(name);
    }
    session.stop();
}

/// Writing, `touch`, creating, renaming and deleting wake it; chmod, reading and listing do not.
pub fn edits_are_reported_as_bare_and_neither_reads_nor_chmod(watcher: &Watcher) {
    let Some(mut session) = Session::start(watcher, true) else {
        return;
    };
    let mut seen = Vec::new();
    for operation in Operation::SILENT {
        operation.act(session.dir());
    }
    for operation in Operation::EDITS {
        seen.extend(session.reports(operation));
    }
    seen.extend(session.reports_so_far());
    for operation in Operation::SILENT {
        let about: Vec<_> = seen
            .iter()
            .filter(|r| operation.is_named_by(&r.path))
            .collect();
        assert!(about.is_empty(), "{operation:?} is reported: {about:?}");
    }
    session.stop();
}

/// The kernel is asked for what design.md says, watch by watch, and for no other watch.
pub fn its_masks_are_those_of_the_contract(watcher: &Watcher) {
    let Some(session) = Session::start(watcher, false) else {
        return;
    };
    let bare = session.masks();
    assert!(!bare.is_empty(), "no watch without the preload");
    session.stop();

    let Some(session) = Session::start(watcher, true) else {
        return;
    };
    let preloaded = session.masks();
    session.stop();

    let expected = bare.into_iter().map(|(path, asked)| {
        let mask = if watcher.masks_change {
            contract::mask(asked, &path)
        } else {
            asked
        };
        (path, format!("{mask:x}"))
    });
    let preloaded = preloaded
        .into_iter()
        .map(|(path, mask)| (path, format!("{mask:x}")));
    assert_eq!(
        preloaded.collect::<Vec<_>>(),
        expected.collect::<Vec<_>>(),
        "masks with the preload (left) and by the contract (right)"
    );
}

/// Databases and their -wal, -shm and journals are not reported by default; their neighbours are.
pub fn state_files_are_not_reported_and_a_sibling_is(watcher: &Watcher) {
    let Some(mut session) = Session::start(watcher, true) else {
        return;
    };
    let mut seen = Vec::new();
    for name in STATE_FILES {
        support::append(&session.dir().join(name), "more\n");
    }
    seen.extend(session.reports_write_to("sibling.txt"));
    if !watcher.lists_again {
        let new = session.dir().join("new.sqlite-wal");
        support::overwrite(&new, "new\n");
        std::fs::rename(&new, session.dir().join("new.sqlite")).unwrap();
        std::fs::remove_file(session.dir().join("new.sqlite")).unwrap();
    }
    seen.extend(session.reports_so_far());
    let about: Vec<_> = seen
        .iter()
        .filter(|r| contract::is_ignored(&r.path))
        .collect();
    assert!(about.is_empty(), "state files are reported: {about:?}");
    session.stop();
}

/// A read whose every event was removed returns a filler record; no watcher may stumble over it.
pub fn it_outlives_reads_of_which_nothing_is_left(watcher: &Watcher) {
    let Some(mut session) = Session::start(watcher, true) else {
        return;
    };
    for round in 0..20 {
        support::append(
            &session.dir().join(STATE_FILES[round % STATE_FILES.len()]),
            "more\n",
        );
        // So that no two rounds are read as one.
        session.wait_until_drained();
    }
    let seen = session.reports_write_to("sibling.txt");
    let about: Vec<_> = seen
        .iter()
        .filter(|r| contract::is_ignored(&r.path))
        .collect();
    assert!(about.is_empty(), "state files are reported: {about:?}");
    // It still does its work afterwards, and stops as ever.
    session.reports(Operation::Write);
    session.stop();
}

/// For programs that print records as they are: event by event, they are handed what design.md says.
pub fn its_records_are_those_of_the_contract(watcher: &Watcher) {
    let operations = || Operation::EDITS.into_iter().chain(Operation::SILENT);
    let Some(mut session) = Session::start(watcher, false) else {
        return;
    };
    let bare: Vec<_> = operations().map(|o| session.kinds_of(o)).collect();
    session.stop();

    let Some(mut session) = Session::start(watcher, true) else {
        return;
    };
    for (operation, bare) in operations().zip(bare) {
        let seen = contract::split(&session.kinds_of(operation));
        let mut expected = vec![contract::events(&bare)];
        if operation == Operation::Touch && !watcher.masks_change {
            // Reading exactly what FIONREAD announced, it may have no room for the ATTRIB, and a watch
            // placed unseen is never given a record of two events (pyinotify ends on one).
            expected.push(vec!["CLOSE_WRITE".to_owned()]);
        }
        assert!(
            expected.contains(&seen),
            "{operation:?}, bare {bare:?}: {seen:?} is none of {expected:?}"
        );
    }
    session.stop();
}

/// No claim: what the watcher makes of each operation, for a person.
pub fn print_table(name: &str, watcher: &Watcher) {
    for preload in [false, true] {
        let Some(mut session) = Session::start(watcher, preload) else {
            return;
        };
        for operation in Operation::EDITS.into_iter().chain(Operation::SILENT) {
            let with = if preload { "preload" } else { "bare" };
            let kinds = session.kinds_of(operation).join(" ");
            let operation = format!("{operation:?}");
            println!("{name:<15}{with:<9}{operation:<8}{kinds}");
        }
        session.stop();
    }
}
