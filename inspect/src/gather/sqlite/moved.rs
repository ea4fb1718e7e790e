//! Whether a database in rollback mode was renamed while it was open. SQLite checks its name before each write
//! (pager.c, `databaseIsUnmoved`) and refuses the write if it was.
//!
//! The kernel knows only the new name. The old one can be found in the name of the -journal of an earlier transaction,
//! or on the command line: that path does not exist any more, and the database was renamed after the process started.

use crate::gather::subject::Subject;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Database, Kind, Name, Part, Process, RollbackKind};
use crate::sys;
use std::os::fd::AsFd;
use std::time::Duration;

const JOURNAL: &[u8] = b"-journal";

/// Searches for the old names of the databases of `process`. Their locks must be known.
pub fn look(subject: &mut Subject<'_>) {
    let view = subject.view();
    let process = &mut *subject.process;
    if !process.sqlite.iter().any(may_be_moved) {
        return;
    }
    let journal = journal_alone(process);
    let named = named(process, &view);
    let started = started(process);
    let pid = process.pid;
    for database in process.sqlite.iter_mut().filter(|db| may_be_moved(db)) {
        let Some(main) = main(database) else { continue };
        let base = main.path.base();
        let in_transaction = writes(database, pid) && database.journal_handles == 0;
        let by_journal = journal.as_ref().filter(|_| in_transaction);
        let itself = named.contains(&main.path);
        let mut candidates = named
            .iter()
            .filter(|old| !itself && !old.base().is_empty() && base.starts_with(old.base()));
        let by_name = candidates
            .find(|old| is_nowhere(&view, old))
            .filter(|old| started.is_some_and(|at| was_renamed(&view, main, old, at)));
        database.renamed_from = by_journal.or(by_name).cloned();
        let taken = |old: &Name| !is_nowhere(&view, old);
        database.replaced = database.renamed_from.as_ref().is_some_and(taken);
    }
}

fn may_be_moved(database: &Database) -> bool {
    database.wal_mode == Some(false) && !database.deleted
}

fn main(database: &Database) -> Option<&Part> {
    let mut parts = database.parts.iter();
    parts.find(|part| part.suffix.is_empty() && part.writable)
}

fn writes(database: &Database, pid: u32) -> bool {
    let mut locks = database.rollback_locks.iter().flatten();
    locks.any(|lock| lock.pid == Some(pid) && lock.lock != RollbackKind::Shared && !lock.lasting)
}

/// The name of the only database that is not open although its -journal is.
fn journal_alone(process: &Process) -> Option<Name> {
    let files = process.descriptors.iter();
    let files = files.filter(|d| d.kind == Kind::File && d.writable == Some(true) && !d.deleted);
    let stems = files.filter_map(|d| d.target.as_bytes().strip_suffix(JOURNAL));
    let is_open = |stem: &[u8]| {
        process
            .descriptors
            .iter()
            .any(|d| d.target.as_bytes() == stem)
    };
    let mut alone: Vec<&[u8]> = stems.filter(|stem| !is_open(stem)).collect();
    alone.dedup();
    let in_transaction = process
        .sqlite
        .iter()
        .filter(|database| writes(database, process.pid));
    match (alone[..].first(), alone.len(), in_transaction.count()) {
        (Some(&stem), 1, 1) => Some(stem.into()),
        _ => None,
    }
}

/// The paths on its command line, as words or after a `=`.
fn named(process: &Process, view: &View<'_>) -> Vec<Name> {
    let words = process.cmdline.iter().flatten();
    let words = words.map(|word| {
        let text = word.as_bytes();
        let value = text.iter().position(|&b| b == b'=');
        value.map_or(text, |at| text.get(at + 1..).unwrap_or_default())
    });
    let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
    let cwd = view.working_directory();
    let path = |word: &&[u8]| match (word.starts_with(b"/"), &cwd) {
        (true, _) => Some(Name::from(*word)),
        (false, Some(cwd)) => {
            let word = word.strip_prefix(b"./").unwrap_or(word);
            Some([&cwd[..], b"/", word].concat().into())
        }
        (false, None) => None,
    };
    words.iter().filter_map(path).collect()
}

/// Whether nothing has this name.
fn is_nowhere(view: &View<'_>, path: &Name) -> bool {
    let found = view.stat(path.as_bytes(), FinalLink::Stay);
    found.is_err_and(|e| e.raw_os_error() == Some(libc::ENOENT))
}

/// Whether a file, or the directory it lies in, was renamed after `started`.
fn was_renamed(view: &View<'_>, file: &Part, old: &Name, started: Duration) -> bool {
    let stat = view.descriptor(file.fd);
    let stat = stat.and_then(|found| sys::stat_at(found.as_fd(), b"", 0));
    if stat.is_ok_and(|stat| changed_alone(&stat, started)) {
        return true;
    }
    let same = old.base() == file.path.base();
    let (Some(now), Some(before)) = (file.path.parent(), old.parent()) else {
        return false;
    };
    let stat = view.stat(now, FinalLink::Stay);
    same && is_nowhere(view, &before.into()) && stat.is_ok_and(|s| changed_alone(&s, started))
}

/// Whether an inode changed after its content did, and after `started`: rename(2) does that.
fn changed_alone(stat: &libc::stat, started: Duration) -> bool {
    let changed = (stat.st_ctime, stat.st_ctime_nsec);
    let since = u64::try_from(stat.st_ctime).is_ok_and(|at| at >= started.as_secs());
    since && changed > (stat.st_mtime, stat.st_mtime_nsec)
}

/// When the process started, since 1970.
pub fn started(process: &Process) -> Option<Duration> {
    let at: jiff::Timestamp = process.start_time.as_ref()?.parse().ok()?;
    u64::try_from(at.as_second()).ok().map(Duration::from_secs)
}
