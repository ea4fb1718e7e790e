//! Which files the events are about, and who writes them.

use super::causes::HALF;
use super::causes::MOST;
use super::causes::percent;
use super::causes::who;
use super::remaining::CHANGES;
use super::remaining::Remaining;
use crate::findings::rules_in_force;
use crate::model::{
    Cause, Descriptor, EventCount, EventsScan, FileEvents, Name, Process, Relation,
};
use rules::event;

/// The names that must be ignored so that a file, or a database with its side files, wakes nobody. Names that the
/// default rules contain are left out. A database is named even though it may be written only when its log is
/// checkpointed.
pub fn names_to_ignore<'a>(files: &[&'a FileEvents], stem: &'a [u8]) -> Vec<&'a [u8]> {
    let same = files.iter().map(|file| file.path.as_bytes());
    let same = same.filter(|path| stem_of(path) == stem);
    let mut names: Vec<&[u8]> = same.chain([stem]).map(base_of).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !rules_in_force::ignored_by_default(name));
    names
}

/// Other files that are written in this way. A log that records each reload would be the next reason to reload.
pub fn also_written<'a>(
    process: &Process,
    scan: &EventsScan,
    left: &Remaining<'a>,
    stem: &[u8],
) -> Vec<&'a [u8]> {
    let files = written_again(process, scan, &left.files).into_iter();
    let files = files.filter(|file| self::stem(&file.path) != stem);
    let mut names: Vec<&[u8]> = files
        .map(|file| base_of(file.path.as_bytes()))
        .filter(|name| !rules_in_force::ignored_by_default(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The files in watched places that the process, or what it started, writes repeatedly. Files that somebody edits are
/// not among them.
pub fn written_again<'a>(
    process: &Process,
    scan: &EventsScan,
    files: &[&'a FileEvents],
) -> Vec<&'a FileEvents> {
    /// One write in each of two rounds. The number of events depends on when they are read, because the kernel merges
    /// equal ones, and the file's share of them depends on what else is done in a round.
    const AGAIN: u64 = 2;
    /// If a build writes more files than this, its directory should be dropped instead of a list.
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

pub fn base_of(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or(path)
}

pub struct Writer {
    /// The end of a sentence.
    pub text: String,
    /// Whether it is the watching process itself.
    pub itself: bool,
}

/// Who touches the names of a file, according to fanotify or to who has it open for writing.
pub fn writer(process: &Process, scan: &EventsScan, file: &FileEvents) -> Writer {
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

/// The events of a file and, for a database, of the files beside it.
pub fn count_with_siblings(files: &[&FileEvents], path: &Name) -> u64 {
    let stem = stem(path);
    let same = files.iter().filter(|file| self::stem(&file.path) == stem);
    same.map(|file| file.count).sum()
}

pub fn stem(path: &Name) -> &[u8] {
    stem_of(path.as_bytes())
}

pub fn stem_of(path: &[u8]) -> &[u8] {
    let sides: [&[u8]; 3] = [b"-wal", b"-shm", b"-journal"];
    sides
        .iter()
        .find_map(|side| path.strip_suffix(*side))
        .unwrap_or(path)
}
