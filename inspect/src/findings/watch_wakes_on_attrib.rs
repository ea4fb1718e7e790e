//! `watch-wakes-on-attrib`: a change of metadata wakes the process.
//!
//! Meaning: Watches with the event `attrib` report chmod, chown, touch and a new link. On some systems every backup
//! changes metadata. On a Mac it is kqueue's note `attrib`, which extended attributes raise as well.
//!
//! Evidence: `watches` is how many have this event. `masks` lists their event masks, each with its events and the
//! number of watches. One look decides; fdscan does not listen whether such events occur.
//!
//! Severity: info.
//!
//! Remedy: from the next start on, libwatchfix removes changes of metadata that are neither a touch nor an end, and so
//! does `watchfix run` in a program with non-blocking reads. For now, and where only masks can be changed, `watchfix`
//! removes `attrib` from the mask (`--strip +attrib`). If
//! there is another finding about watches, only its commands are shown, and this rule is up to you. A mask cannot
//! distinguish changes: without `attrib`, a touch is not reported either, nor is the end of a watched file that is
//! still open or has another name.
//!
//! Not to be confused with: `watch-wakes-on-read`. Writes, which are `modify`. A process with libwatchfix in force,
//! which keeps `attrib` in its masks and is not reported.

use super::{Facts, Finding, Severity, watched_files};
use crate::findings::rules_in_force;
use crate::model::{Attrib, Heal, NoteCount, Notes, Restart, WatchChange};
use crate::words::{agree, plural};
use rules::event;
use serde_json::json;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = of_inotify(facts);
    found.extend(of_kqueue(facts));
    found
}

/// On a Mac. The library leaves NOTE_ATTRIB asked for as well, and judges each event when it is handed over.
fn of_kqueue(facts: &Facts<'_>) -> Option<Finding> {
    let process = facts.process;
    let counts = process.kqueue.iter().flat_map(|kqueue| &kqueue.masks);
    let counts = counts.filter(|count| count.mask.has(Notes::ATTRIB));
    let masks = NoteCount::roll_up(counts.map(|count| (count.mask, count.watches)));
    let watches: usize = masks.iter().map(|count| count.watches).sum();
    if watches == 0 || rules_in_force::hides_chmod(process) {
        return None;
    }
    Some(Finding {
        code: "watch-wakes-on-attrib",
        severity: Severity::Info,
        message: format!(
            "{} with the note attrib {} when only a file's metadata changes: chmod, chown, touch, a link, an extended attribute such as \"last opened\". From the next start on, `watchfix run` with libwatchfix.dylib removes those that are neither a touch nor an end.",
            plural(watches, "kqueue watch", "kqueue watches"),
            agree(watches as u64, "fires", "fire"),
        ),
        evidence: json!({ "watches": watches, "masks": masks }),
        remedy: None,
        remedy_live: None,
        change: None,
    })
}

fn of_inotify(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let masks = watched_files::masks_with(process, event::ATTRIB);
    let watches: usize = masks.iter().map(|m| m.watches).sum();
    // The library leaves the bit in the mask and judges each event when the process reads it.
    if watches == 0 || rules_in_force::hides_chmod(process) {
        return Vec::new();
    }
    let message = format!(
        "{} when only a file's metadata changes: chmod, chown, touch, a link, and on some systems every backup run.",
        watched_files::watches_fire(process, watches, &masks),
    );
    vec![Finding {
        code: "watch-wakes-on-attrib",
        severity: Severity::Info,
        message,
        evidence: json!({ "watches": watches, "masks": masks }),
        remedy: None,
        remedy_live: None,
        change: Some(WatchChange {
            start: Some(Restart {
                attrib: Attrib::OutOfMasks,
                ..Restart::default()
            }),
            heal: Some(Heal {
                attrib: true,
                ..Heal::default()
            }),
        }),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    #[test]
    fn attrib_is_info_and_never_more() {
        let finding = Fixture::new().with_watches(3, 0x3ce).only(look);
        assert_eq!(finding.severity, Severity::Info);
        assert!(Fixture::new().with_watches(3, 0x3ca).look(look).is_empty());
    }
}
