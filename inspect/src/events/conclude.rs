//! What the counts mean, in one sentence, and what helps.

use super::beyond_masks::OwnLoop;
use super::causes::{HALF, MOST, by, events, names_of, percent};
use super::files::{
    also_written, count_with_siblings, names_to_ignore, stem, writer, written_again,
};
use super::remaining::{READS, Remaining};
use super::{beyond_masks, coverage, fillers};
use crate::findings::{Remedies, rollback_journal};
use crate::model::{
    Attrib, Bits, Conclusion, Database, EventsScan, FileEvents, Heal, Name, Process, Restart,
};
use crate::words::{agree, list_words, number};
use rules::event;
use std::collections::BTreeMap;

/// Judges what was heard.
pub fn conclude(
    process: &Process,
    scan: &EventsScan,
    all: &Bits,
    remedies: &Remedies,
) -> Conclusion {
    let left = Remaining::of(process, scan, all);
    let mut conclusion = match (left.total, scan.total) {
        (0, 1..) => fillers::conclude(process, scan, &left, remedies),
        _ => judge(process, scan, &left, remedies),
    };
    if left.total > 0 && left.total < scan.total {
        let removed = scan.total - left.total;
        conclusion.message += &format!(
            " {} more {} removed by the rules libwatchfix.so follows in it.",
            number(removed),
            agree(removed, "is", "are"),
        );
    }
    if left.total > 0 {
        coverage::note(process, scan, &mut conclusion);
    }
    conclusion.notes = remedies.obstacles(
        process,
        conclusion.is_to_heal && conclusion.remedy_live.is_none(),
        conclusion.is_to_start && conclusion.remedy.is_none(),
    );
    if scan.overflows > 0 {
        conclusion.message += " Events were lost here: the counts are lower bounds.";
    }
    conclusion
}

fn judge(
    process: &Process,
    scan: &EventsScan,
    left: &Remaining<'_>,
    remedies: &Remedies,
) -> Conclusion {
    let total = left.total;
    if total == 0 {
        return coverage::quiet(process, scan);
    }
    for (mask, [one, many], count) in [
        (READS, ["is a read", "are reads"], left.reads),
        (
            event::ATTRIB,
            ["is a change of metadata", "are changes of metadata"],
            left.attrib,
        ),
    ] {
        if percent(count, total) >= MOST {
            let named = names_of(mask, &scan.events);
            let message = format!(
                "{} of {} {}{}: strip {named}.",
                number(count),
                events(total),
                agree(count, one, many),
                by(scan, mask),
            );
            // Engines that see only masks strip attrib only when it is named.
            let attrib = mask == event::ATTRIB;
            let start = Restart {
                attrib: match attrib {
                    true => Attrib::OutOfMasks,
                    false => Attrib::Judged,
                },
                ..Restart::default()
            };
            let heal = Heal {
                attrib,
                ..Heal::default()
            };
            return Conclusion {
                message,
                remedy: remedies.start(process, &start),
                remedy_live: remedies.heal(process, &heal),
                is_to_heal: true,
                is_to_start: true,
                ..Conclusion::default()
            };
        }
    }
    match matter(process, scan, left) {
        Some(file) => of_file(process, scan, left, file, remedies),
        None => mixed(scan),
    }
}

/// The file that is the main cause, together with its side files. Either it is the main cause alone, or it is the first
/// of the files that the process writes repeatedly, which are the main cause together.
fn matter<'a>(
    process: &Process,
    scan: &EventsScan,
    left: &Remaining<'a>,
) -> Option<&'a FileEvents> {
    let of = |file: &FileEvents| count_with_siblings(&left.files, &file.path);
    // Of equal files, the first: it has the most events itself.
    let most = |files: &[&'a FileEvents]| files.iter().copied().rev().max_by_key(|file| of(file));
    let first = most(&left.files)?;
    if percent(of(first), left.total) >= HALF {
        return Some(first);
    }
    let own = written_again(process, scan, &left.files);
    let families: BTreeMap<_, _> = own
        .iter()
        .map(|file| (stem(&file.path), of(file)))
        .collect();
    let all = families.values().sum();
    most(&own).filter(|_| percent(all, left.total) >= HALF)
}

/// One file, or one database with its side files, is the main cause.
fn of_file(
    process: &Process,
    scan: &EventsScan,
    left: &Remaining<'_>,
    file: &FileEvents,
    remedies: &Remedies,
) -> Conclusion {
    let count = count_with_siblings(&left.files, &file.path);
    let base = Name::from(file.path.base());
    let others = if count > file.count {
        " and the files beside it"
    } else {
        ""
    };
    let writer = writer(process, scan, file);
    let message = format!(
        "{} % of {} {} {base}{others}{}.",
        percent(count, left.total),
        events(left.total),
        agree(left.total, "names", "name"),
        writer.text,
    );
    let stem = stem(&file.path);
    let database = |db: &&Database| db.database.as_bytes() == stem;
    let dir = file.path.parent().map(Name::from);
    let mut names = names_to_ignore(&left.files, stem);
    let others = also_written(process, scan, left, stem);
    let mut message = message;
    if !others.is_empty() {
        let shown: Vec<_> = others
            .iter()
            .map(|&name| Name::from(name).to_string())
            .collect();
        let shown: Vec<_> = shown.iter().map(String::as_str).collect();
        message += &format!(
            " It is woken by {} in the same way: one name alone does not end it.",
            list_words(&shown, "and")
        );
        names.extend(others);
    }
    let own = process
        .sqlite
        .iter()
        .find(database)
        .filter(|_| writer.itself);
    let to_heal = beyond_masks::is_to_heal(process, &file.path);
    let closed = own.is_none() && beyond_masks::is_closed_again(file);
    let beyond = match writer.itself {
        true => {
            let by_name = Restart::without(&[]);
            let what = OwnLoop {
                to_heal,
                closed,
                start_helps: remedies.start(process, &by_name).is_some(),
            };
            beyond_masks::sentence(process, own, what)
        }
        false => String::new(),
    };
    message += &beyond;
    let all = own.map(rollback_journal::names).unwrap_or_default();
    for name in &all {
        if !names.contains(&&name[..]) {
            names.push(name);
        }
    }
    let (start, heal) = match (own, dir) {
        // Changing more masks would not end it.
        _ if !beyond.is_empty() && !to_heal => (Some(Restart::without(&names)), None),
        // The default rules contain the names. If heal settles the process's own databases, it needs no arguments.
        (Some(_), _) if names.is_empty() => (Some(Restart::default()), Some(Heal::default())),
        (None, Some(_)) if names.is_empty() => (Some(Restart::default()), None),
        (own, Some(dir)) => (
            Some(Restart::ignoring(&names, &dir)),
            match own {
                // Settled, it would still report that the file is closed.
                _ if !writer.itself || closed => None,
                Some(_) => Some(Heal::default()),
                None => Some(Heal::settling(&dir)),
            },
        ),
        _ => (None, None),
    };
    let remedy = start.and_then(|start| remedies.start(process, &start));
    let remedy_live = heal.and_then(|heal| remedies.heal(process, &heal));
    Conclusion {
        message,
        remedy,
        remedy_live,
        is_to_heal: writer.itself && to_heal && !closed,
        is_to_start: true,
        ..Conclusion::default()
    }
}

fn mixed(scan: &EventsScan) -> Conclusion {
    let mut message = format!("{}, and no one thing is the matter", events(scan.total));
    if let Some(event) = scan.events.first() {
        message += &format!(
            ": {} % are {}",
            percent(event.count, scan.total),
            event.event
        );
    }
    if let Some(PlaceAndPath(path, count)) = busiest(scan) {
        message += &format!(", {} % lie in {path}", percent(count, scan.total));
    }
    message += &format!("{}.", by(scan, event::ALL_EVENTS));
    Conclusion {
        message,
        ..Conclusion::default()
    }
}

struct PlaceAndPath<'a>(&'a Name, u64);

fn busiest(scan: &EventsScan) -> Option<PlaceAndPath<'_>> {
    let place = scan.directories.first()?;
    Some(PlaceAndPath(place.path.as_ref()?, place.count))
}
