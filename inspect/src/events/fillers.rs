//! Where the rules of libwatchfix.so remove all that was heard. A read of which nothing is left returns one record of
//! wd -1 (rules/src/record/compact.rs): watchers skip it, and who acts on every read() whatever it says is woken by it.

use super::causes::events;
use super::files::{stem, written_again};
use super::remaining::Remaining;
use crate::findings::{Remedies, pattern};
use crate::model::{Cause, Conclusion, EventsScan, FileEvents, Name, Process};
use crate::words::agree;
use rules::event;
use rules::rule::Rule;

/// Says that nothing is left; and of what the process writes again and again itself, which a loop would be made of, what
/// takes those reads from it.
pub fn conclude(
    process: &Process,
    scan: &EventsScan,
    left: &Remaining<'_>,
    remedies: &Remedies,
) -> Conclusion {
    let mut message = format!(
        "{}, and the rules libwatchfix.so follows in it remove {}: no change woke it.",
        events(scan.total),
        agree(scan.total, "it", "them all"),
    );
    let own = written_again(process, scan, &left.gone);
    let is_chmod = |cause: &Cause| {
        let mut events = cause.events.iter();
        let attrib = Some(event::ATTRIB);
        cause.relation.is_own() && events.any(|e| event::bits(e.event.as_bytes()) == attrib)
    };
    // Edits and what a program does after one come to an end.
    let ends = match own.first() {
        _ if !scan.goes_on => None,
        Some(file) => of_file(process, file, remedies),
        None if scan.causes.iter().flatten().any(is_chmod) => Some(End {
            what: "Without attrib in them no chmod is one, and no touch either.".into(),
            start: remedies.start_with_rule(process, Rule::Strip, b"attrib"),
            live: remedies.heal_stripping(process, "+attrib"),
        }),
        None => None,
    };
    let is_to_change = ends.is_some();
    let (mut remedy, mut remedy_live) = (None, None);
    if let Some(End { what, start, live }) = ends {
        message += &format!(
            " In place of each removed read it gets a record of wd -1, which watchers skip. If it loops all the same, it acts \
             on every read(), and only masks that ask for less end that. {what}"
        );
        (remedy, remedy_live) = (start, live);
    }
    Conclusion {
        message,
        remedy,
        remedy_live,
        is_to_heal: is_to_change,
        is_to_start: is_to_change,
        ..Conclusion::default()
    }
}

/// What ends the reads.
struct End {
    /// A sentence.
    what: String,
    start: Option<String>,
    live: Option<String>,
}

fn of_file(process: &Process, file: &FileEvents, remedies: &Remedies) -> Option<End> {
    let dir = Name::from(file.path.parent()?);
    let base = Name::from(file.path.base());
    let pattern = pattern(&dir);
    let stem = stem(&file.path);
    let own_database = process
        .sqlite
        .iter()
        .any(|db| db.database.as_bytes() == stem);
    let mut descriptors = process.descriptors.iter();
    let is_held = descriptors.any(|d| d.writable == Some(true) && d.target == file.path);
    let is_closed = file.events.iter().any(|entry| entry.event == "close_write");
    Some(match is_held && !is_closed {
        true => End {
            what: format!("Settled, {dir} reports {base} when it is closed, and it is held open."),
            start: remedies.start_with_rule(process, Rule::Settle, &pattern),
            live: match own_database {
                true => remedies.heal(process),
                false => remedies.heal_settling(process, &dir),
            },
        },
        false => End {
            what: format!(
                "Muted, {dir} reports nothing, no edit either: better is to have {base} written elsewhere."
            ),
            start: remedies.start_with_rule(process, Rule::Drop, &pattern),
            live: remedies.heal_dropping(process, &dir),
        },
    })
}
