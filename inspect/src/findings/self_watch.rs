//! `self-watch`: the process watches files that it writes itself.
//!
//! Meaning: It has a file open for writing, and one of its watches with the event `modify` is on that file or on its
//! directory. Each of its own writes wakes it. If it logs what woke it, this never ends. At most 8 watches are
//! reported, with the number of the others.
//!
//! Evidence: `directory` is the directory, or null if it is not known. `inode` and `device` (major:minor) are what
//! the watch is on. `fd` is the inotify descriptor, `wd` the watch descriptor, `mask` the event mask in hexadecimal.
//! `files` are up to ten of the files, `file_count` is their number. One look decides, whether or not it writes at that
//! moment.
//!
//! Severity: warning.
//!
//! Remedy: from the next start on, libwatchfix ignores these names (WATCHFIX_IGNORE), and so does `watchfix run --ignore`
//! in a static program with non-blocking reads; elsewhere `watchfix run --settle` reports a file when it is closed
//! instead of at each write. For now, `watchfix heal --settle DIRECTORY PID` does the latter.
//!
//! Not to be confused with: `sqlite-self-watch`, for the files of a SQLite database. A directory that another program
//! writes to. Files that are only open for reading, are deleted, or have names that libwatchfix already ignores. A
//! watch without `modify`, such as a healed one.

use super::watched_files::{ReportingWatch, Watches, Written};
use super::{Facts, Finding, Severity};
use crate::findings::rules_in_force;
use crate::model::{Descriptor, Heal, Identity, Kind, Process, Restart, WatchChange};
use crate::words::plural;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};

/// How many files the evidence names: enough to recognise them.
const NAMED: usize = 10;
/// How many findings are reported: a process that watches a thousand directories that it writes to has one problem.
const MOST: usize = 8;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    if process.inotify.iter().all(|i| i.watch_count == 0) {
        return Vec::new();
    }
    let files = written_files(process);
    let watches = Watches::reporting(process, files.iter().map(|file| written(file)));
    let mut by_watch: BTreeMap<(i32, i32), (ReportingWatch<'_>, Vec<&Descriptor>)> =
        BTreeMap::new();
    let mut by_inode: BTreeMap<Identity, (i32, i32)> = BTreeMap::new();
    let mut seen = HashSet::new();
    for file in files {
        if !seen.insert((file.identity, &file.target)) {
            continue;
        }
        let Some(reporting) = watches.of(&written(file)) else {
            continue;
        };
        // Two instances that watch the same directory are one finding.
        let itself = (reporting.fd, reporting.watch.wd);
        let key = reporting
            .watch
            .identity()
            .map_or(itself, |inode| *by_inode.entry(inode).or_insert(itself));
        let (_, group) = by_watch
            .entry(key)
            .or_insert_with(|| (reporting, Vec::new()));
        group.push(file);
    }
    let mut groups: Vec<_> = by_watch.into_values().collect();
    groups.sort_by_key(|(_, files)| std::cmp::Reverse(files.len()));
    let more = groups.len().saturating_sub(MOST);
    groups.truncate(MOST);
    let mut findings: Vec<_> = groups
        .iter()
        .map(|(over, files)| finding(*over, files))
        .collect();
    if more > 0
        && let Some(last) = findings.last_mut()
    {
        last.message += &format!(
            " The same is true of {}.",
            plural(more, "more watch", "more watches")
        );
    }
    findings
}

fn finding(reporting: ReportingWatch<'_>, files: &[&Descriptor]) -> Finding {
    let watch = reporting.watch;
    let first = files.first();
    let itself =
        first.is_some_and(|file| file.identity.is_some() && file.identity == watch.identity());
    let directory = first.and_then(|file| {
        if itself {
            file.target.parent()
        } else {
            watch
                .path
                .as_ref()
                .map(|p| p.as_bytes())
                .or_else(|| file.target.parent())
        }
    });
    let directory = directory.map(crate::model::Name::from);
    let what = if itself {
        format!(
            "a file it writes itself ({})",
            text(first.map(|f| &f.target))
        )
    } else {
        format!(
            "{}, where it holds {} open for writing",
            text(directory.as_ref()),
            plural(files.len(), "file", "files"),
        )
    };
    let names: Vec<_> = files.iter().take(NAMED).map(|file| &file.target).collect();
    Finding {
        code: "self-watch",
        severity: Severity::Warning,
        message: format!("It watches {what}: each of its own writes wakes it."),
        evidence: json!({
            "directory": directory,
            "inode": watch.inode,
            "device": watch.device,
            "fd": reporting.fd,
            "wd": watch.wd,
            "mask": watch.mask,
            "files": names,
            "file_count": files.len(),
        }),
        remedy: None,
        remedy_live: None,
        change: directory.as_ref().map(|dir| {
            let names: Vec<_> = files.iter().map(|file| file.target.base()).collect();
            // A rule with a hundred names helps nobody: the names will change as well.
            let names = names.get(..NAMED).unwrap_or(&names);
            WatchChange {
                start: Some(Restart::ignoring(names, dir)),
                heal: Some(Heal::settling(dir)),
            }
        }),
    }
}

fn text(name: Option<&crate::model::Name>) -> String {
    name.map_or_else(|| "a directory".into(), ToString::to_string)
}

pub fn written(file: &Descriptor) -> Written<'_> {
    Written {
        path: &file.target,
        identity: file.identity,
        parent: file.parent,
    }
}

/// Regular files that are open for writing, except those of SQLite databases (`sqlite-self-watch` reports them, and a
/// -shm is written through memory, which raises no event) and names that the library ignores.
pub fn written_files(process: &Process) -> Vec<&Descriptor> {
    let databases = process.database_files();
    process
        .descriptors
        .iter()
        .filter(|file| {
            file.kind == Kind::File
                && file.writable == Some(true)
                && !file.deleted
                && file.identity.is_none_or(|id| !databases.contains(&id))
                && !rules_in_force::ignores(process, file.target.base())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    #[test]
    fn a_log_in_a_watched_directory_is_found_by_inode_without_a_path() {
        let fixture =
            Fixture::new()
                .with_watch(7, 100, 0x2, None)
                .with_file(5, "/srv/app/out.log", 200, 100);
        let finding = fixture.only(look);
        assert_eq!(finding.evidence["directory"], "/srv/app");
        assert_eq!(finding.evidence["inode"], 100);
        assert_eq!(finding.evidence["wd"], 7);
        assert_eq!(finding.evidence["files"][0], "/srv/app/out.log");
    }

    #[test]
    fn a_watch_on_the_file_itself_counts() {
        let fixture =
            Fixture::new()
                .with_watch(1, 200, 0x2, None)
                .with_file(5, "/srv/app/out.log", 200, 100);
        assert!(
            fixture
                .only(look)
                .message
                .contains("a file it writes itself")
        );
    }

    #[test]
    fn a_file_for_reading_a_deleted_one_and_a_mask_without_modify_are_not_a_self_watch() {
        let watched = || Fixture::new().with_watch(1, 100, 0x2, None);
        let mut reading = watched().with_file(5, "/d/x", 200, 100);
        reading.process.descriptors[0].writable = Some(false);
        assert!(reading.look(look).is_empty());
        let mut deleted = watched().with_file(5, "/d/x", 200, 100);
        deleted.process.descriptors[0].deleted = true;
        assert!(deleted.look(look).is_empty());
        let close_write = Fixture::new()
            .with_watch(1, 100, 0x8, None)
            .with_file(5, "/d/x", 200, 100);
        assert!(close_write.look(look).is_empty());
    }

    #[test]
    fn the_same_inode_number_on_another_device_is_another_directory() {
        let mut fixture = Fixture::new()
            .with_watch(1, 100, 0x2, None)
            .with_file(5, "/d/x", 200, 100);
        fixture.process.inotify[0].watches[0].device = crate::model::Device(99);
        assert!(fixture.look(look).is_empty());
    }
}
