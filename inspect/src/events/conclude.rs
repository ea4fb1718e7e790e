//! What the counts come to, in one sentence, and what helps.

use super::{beyond_masks, fillers, missed};
use crate::findings::{Remedies, cure, rollback_journal};
use crate::model::{
    Bits, Cause, Conclusion, Database, Descriptor, EventCount, EventsScan, FileEvents, Name,
    Process, Relation,
};
use crate::words::{agree, list_words, number, plural};
use rules::event;
use std::collections::BTreeMap;

/// The events that mean no change.
const READS: u32 = event::OPEN | event::ACCESS | event::CLOSE_NOWRITE;
/// Those that mean one of content or name.
pub const CHANGES: u32 = event::ALL_EVENTS & !(READS | event::ATTRIB);
/// From this share on, in percent, one thing is said to be the matter.
const MOST: u64 = 90;
/// A file is worth naming from here on.
const HALF: u64 = 50;

/// Judges what was heard.
pub fn conclude(
    process: &Process,
    scan: &EventsScan,
    all: &Bits,
    remedies: &Remedies,
) -> Conclusion {
    let left = Left::of(process, scan, all);
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
        missed::note(process, scan, &mut conclusion);
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

/// What the rules in force leave of the events.
pub(super) struct Left<'a> {
    total: u64,
    reads: u64,
    attrib: u64,
    /// Most first.
    files: Vec<&'a FileEvents>,
    /// What is not left, by its name.
    pub(super) gone: Vec<&'a FileEvents>,
}

impl<'a> Left<'a> {
    fn of(process: &Process, scan: &'a EventsScan, all: &Bits) -> Left<'a> {
        let removed = |file: &&FileEvents| cure::ignores(process, file.path.base());
        let gone: Vec<_> = scan.files.iter().filter(removed).collect();
        let of = |mask: u32| -> u64 {
            let counts = gone.iter().flat_map(|file| &file.events);
            counts
                .filter(|entry| event::bits(entry.event.as_bytes()).is_some_and(|b| b & mask != 0))
                .map(|entry| entry.count)
                .sum()
        };
        let mut left = Left {
            total: scan.total,
            reads: all.of(READS).saturating_sub(of(READS)),
            attrib: all.of(event::ATTRIB).saturating_sub(of(event::ATTRIB)),
            files: scan.files.iter().filter(|file| !removed(file)).collect(),
            gone: Vec::new(),
        };
        let events: u64 = gone.iter().map(|file| file.count).sum();
        left.total = left.total.saturating_sub(events);
        left.gone = gone;
        // Of a touch as well, but of touches no loop is made.
        if cure::hides_chmod(process) {
            left.total = left.total.saturating_sub(left.attrib);
            left.attrib = 0;
        }
        left
    }
}

fn judge(process: &Process, scan: &EventsScan, left: &Left<'_>, remedies: &Remedies) -> Conclusion {
    let total = left.total;
    if total == 0 {
        return missed::quiet(process, scan);
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
            // Engines that see masks only strip attrib when it is named.
            let attrib = mask == event::ATTRIB;
            return Conclusion {
                message,
                remedy: match attrib {
                    true => remedies.start_stripping(process, &named),
                    false => remedies.start(process),
                },
                remedy_live: match attrib {
                    true => remedies.heal_stripping(process, &named),
                    false => remedies.heal(process),
                },
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

/// The file that is the matter, with those of its family: by itself, or the first of those the process writes again
/// and again, which together are.
fn matter<'a>(process: &Process, scan: &EventsScan, left: &Left<'a>) -> Option<&'a FileEvents> {
    let of = |file: &FileEvents| family(&left.files, &file.path);
    // Of equal ones the first, which has most events itself.
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

pub(super) fn events(count: u64) -> String {
    plural(
        usize::try_from(count).unwrap_or(usize::MAX),
        "event",
        "events",
    )
}

/// One file, or one database with its side files, is the matter.
fn of_file(
    process: &Process,
    scan: &EventsScan,
    left: &Left<'_>,
    file: &FileEvents,
    remedies: &Remedies,
) -> Conclusion {
    let count = family(&left.files, &file.path);
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
    let beyond = match writer.itself {
        true => beyond_masks::sentence(process, own, to_heal),
        false => String::new(),
    };
    message += &beyond;
    let all = own.map(rollback_journal::names).unwrap_or_default();
    for name in &all {
        if !names.contains(&&name[..]) {
            names.push(name);
        }
    }
    let (remedy, remedy_live) = match (own, dir) {
        // More masks end nothing.
        _ if !beyond.is_empty() && !to_heal => (remedies.start_without(process, &names), None),
        // The default rules have the names, and where heal settles its own databases it needs no more.
        (Some(_), _) if names.is_empty() => (remedies.start(process), remedies.heal(process)),
        (None, Some(_)) if names.is_empty() => (remedies.start(process), None),
        (own, Some(dir)) => (
            remedies.start_ignoring(process, &names, &dir),
            match own {
                _ if !writer.itself => None,
                Some(_) => remedies.heal(process),
                None => remedies.heal_settling(process, &dir),
            },
        ),
        _ => (None, None),
    };
    Conclusion {
        message,
        remedy,
        remedy_live,
        is_to_heal: writer.itself && to_heal,
        is_to_start: true,
        ..Conclusion::default()
    }
}

/// The names that must be ignored so that a file, or a database with those beside it, wakes nobody: what the
/// default rules have is not named again, and a database is, though it may be written only when its log is
/// brought into it.
fn names_to_ignore<'a>(files: &[&'a FileEvents], stem: &'a [u8]) -> Vec<&'a [u8]> {
    let same = files.iter().map(|file| file.path.as_bytes());
    let same = same.filter(|path| stem_of(path) == stem);
    let mut names: Vec<&[u8]> = same.chain([stem]).map(base_of).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !cure::ignored_by_default(name));
    names
}

/// Other files than those of this stem that are written so: a log that tells of each reload is the next reason for
/// one.
fn also_written<'a>(
    process: &Process,
    scan: &EventsScan,
    left: &Left<'a>,
    stem: &[u8],
) -> Vec<&'a [u8]> {
    let files = written_again(process, scan, &left.files).into_iter();
    let files = files.filter(|file| self::stem(&file.path) != stem);
    let mut names: Vec<&[u8]> = files
        .map(|file| base_of(file.path.as_bytes()))
        .filter(|name| !cure::ignored_by_default(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The files that it, or what it started, writes again and again where it watches. What somebody edits is not
/// among them.
pub(super) fn written_again<'a>(
    process: &Process,
    scan: &EventsScan,
    files: &[&'a FileEvents],
) -> Vec<&'a FileEvents> {
    /// Once in each of two rounds: how many events that is depends on who reads them when, for the kernel merges
    /// those that are alike, and how large its share is on what else is done in a round.
    const AGAIN: u64 = 2;
    /// A build that writes more than these needs its directory dropped, and not a list.
    const LISTED: usize = 8;
    let is_change = |entry: &&EventCount| {
        event::bits(entry.event.as_bytes()).is_some_and(|bit| bit & CHANGES != 0)
    };
    let own = |cause: &&Cause| cause.relation.is_own();
    let by_it = |file: &FileEvents| match &scan.causes {
        Some(causes) => {
            let mut names = causes.iter().filter(own).flat_map(|cause| &cause.names);
            names.any(|entry| entry.changes > 0 && entry.name.as_bytes() == file.path.base())
        }
        None => {
            let open = |d: &Descriptor| d.writable == Some(true) && d.target == file.path;
            process.descriptors.iter().any(open)
        }
    };
    let again = |file: &FileEvents| {
        let changes = file.events.iter().filter(is_change);
        let most = changes.map(|entry| entry.count).max();
        most >= Some(AGAIN) && by_it(file)
    };
    let files = files.iter().copied().filter(|file| again(file));
    files.take(LISTED).collect()
}

fn base_of(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or(path)
}

struct Writer {
    text: String,
    itself: bool,
}

/// Who touches the names of a file: told by fanotify, or by who has it open for writing.
fn writer(process: &Process, scan: &EventsScan, file: &FileEvents) -> Writer {
    if let Some(causes) = &scan.causes {
        let stem = stem_of(file.path.base());
        let touched = |cause: &Cause| -> u64 {
            let names = cause
                .names
                .iter()
                .filter(|n| stem_of(n.name.as_bytes()) == stem);
            names.map(|name| name.count).sum()
        };
        let all: u64 = causes.iter().map(touched).sum();
        if let Some(cause) = causes
            .iter()
            .max_by_key(|cause| touched(cause))
            .filter(|_| all > 0)
        {
            let share = percent(touched(cause), all);
            let how = match share {
                MOST.. => "written by".into(),
                share => format!("{share} % of them caused by"),
            };
            return Writer {
                text: format!(", {how} {}", who(cause)),
                itself: cause.relation == Relation::Itself && share >= HALF,
            };
        }
    }
    let stem = stem(&file.path);
    let own = process
        .descriptors
        .iter()
        .any(|d| d.writable == Some(true) && self::stem(&d.target) == stem);
    let other = scan
        .hints
        .iter()
        .find(|hint| hint.writes && hint.pid != process.pid);
    let text = match other {
        _ if own => ", which it holds open for writing itself".into(),
        Some(hint) => match &hint.command {
            Some(command) => format!(
                ", which PID {} ({command}) holds open for writing",
                hint.pid
            ),
            None => format!(", which PID {} holds open for writing", hint.pid),
        },
        None => String::new(),
    };
    Writer { text, itself: own }
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

/// ` by PID 812 (uv run ...)`; with a share where others do it too.
fn by(scan: &EventsScan, mask: u32) -> String {
    let Some(causes) = &scan.causes else {
        return String::new();
    };
    let of = |cause: &Cause| -> u64 {
        let counted = cause
            .events
            .iter()
            .filter(|e| event::bits(e.event.as_bytes()).is_some_and(|b| b & mask != 0));
        counted.map(|entry| entry.count).sum()
    };
    let all: u64 = causes.iter().map(of).sum();
    let Some(cause) = causes
        .iter()
        .max_by_key(|cause| of(cause))
        .filter(|_| all > 0)
    else {
        return String::new();
    };
    match percent(of(cause), all) {
        99.. => format!(" by {}", who(cause)),
        share @ HALF.. => format!(", {share} % of them by {}", who(cause)),
        _ => by_program(causes, of, all),
    }
}

/// One program that is started with ever other arguments.
fn by_program(causes: &[Cause], of: impl Fn(&Cause) -> u64, all: u64) -> String {
    let mut programs: BTreeMap<&Name, (u64, usize)> = BTreeMap::new();
    for cause in causes {
        if let Some(comm) = &cause.comm {
            let (count, processes) = programs.entry(comm).or_default();
            *count += of(cause);
            *processes += cause.processes;
        }
    }
    let worst = programs.into_iter().max_by_key(|(_, (count, _))| *count);
    match worst.map(|(comm, (count, processes))| (comm, percent(count, all), processes)) {
        Some((comm, share @ HALF.., processes)) => {
            let processes = plural(processes, "process", "processes");
            format!(", {share} % of them by {processes} called {comm}")
        }
        _ => ", by many".into(),
    }
}

/// `itself`, `PID 812 (uv run ...)`, `27 processes (cat x)`
fn who(cause: &Cause) -> String {
    /// A command line within a sentence.
    const ROOM: usize = 60;
    let command = cause.command.as_ref().map(ToString::to_string);
    let command = command.map_or_else(String::new, |text| match text.char_indices().nth(ROOM) {
        Some((end, _)) => format!(" ({}...)", text.get(..end).unwrap_or_default()),
        None => format!(" ({text})"),
    });
    match (cause.relation, cause.processes, cause.pids.first()) {
        (Relation::Itself, ..) => "itself".into(),
        (Relation::Unknown, 1, Some(pid)) => format!("PID {pid}, which ended at once"),
        (Relation::Unknown, count, _) => {
            format!(
                "{} that ended at once",
                plural(count, "process", "processes")
            )
        }
        (_, 1, Some(pid)) => format!("PID {pid}{command}"),
        (_, count, _) => format!("{}{command}", plural(count, "process", "processes")),
    }
}

/// The events of a file and, for a database, of the files beside it.
fn family(files: &[&FileEvents], path: &Name) -> u64 {
    let stem = stem(path);
    let same = files.iter().filter(|file| self::stem(&file.path) == stem);
    same.map(|file| file.count).sum()
}

pub(super) fn stem(path: &Name) -> &[u8] {
    stem_of(path.as_bytes())
}

fn stem_of(path: &[u8]) -> &[u8] {
    let sides: [&[u8]; 3] = [b"-wal", b"-shm", b"-journal"];
    sides
        .iter()
        .find_map(|side| path.strip_suffix(*side))
        .unwrap_or(path)
}

fn names_of(mask: u32, seen: &[EventCount]) -> String {
    let names: Vec<_> = seen
        .iter()
        .map(|entry| entry.event)
        .filter(|name| event::bits(name.as_bytes()).is_some_and(|bit| bit & mask != 0))
        .collect();
    list_words(&names, "and")
        .replace(" and ", ",")
        .replace(", ", ",")
}

/// Rounded down: 100 means all.
fn percent(part: u64, all: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(all.max(1))).unwrap_or(100)
}
