//! The case that the rules of libwatchfix.so remove everything that was heard. A read from which everything was removed
//! returns one record with wd -1 (rules/src/record/compact.rs). Watchers skip it, but a program that acts on every
//! read(), whatever it returns, still wakes.

use super::causes::events;
use super::files::written_again;
use super::remaining::Remaining;
use crate::findings::Remedies;
use crate::findings::watch_wakes_on_filler::{self, Ends, SKIPPED};
use crate::model::{Cause, Conclusion, EventsScan, FileEvents, Process};
use crate::words::agree;
use rules::event;

/// Says that nothing is left. If the process itself writes some of the removed files repeatedly, a loop could consist
/// of these reads, so it also says what prevents them.
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
    // Edits, and what a program does after one, end by themselves.
    let ends = match own.is_empty() {
        _ if !scan.goes_on => None,
        false => {
            let closed = |file: &FileEvents| file.events.iter().any(|e| e.event == "close_write");
            let files = own.iter().map(|&file| (&file.path, closed(file)));
            watch_wakes_on_filler::of_files(process, files)
        }
        true if scan.causes.iter().flatten().any(is_chmod) => {
            Some(watch_wakes_on_filler::of_attributes())
        }
        true => None,
    };
    let is_to_change = ends.is_some();
    let (mut remedy, mut remedy_live) = (None, None);
    if let Some(Ends { what, change }) = ends {
        message += &format!(" {SKIPPED} {what}");
        let start = change.start.as_ref();
        remedy = start.and_then(|start| remedies.start(process, start));
        let heal = change.heal.as_ref();
        remedy_live = heal.and_then(|heal| remedies.heal(process, heal));
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
