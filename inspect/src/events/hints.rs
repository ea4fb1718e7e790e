//! Who has a file open. These are the likeliest causes if the real ones may be unknown.

use crate::gather::{self, Processes};
use crate::model::{CommandLine, FileEvents, Hint};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// How many files are looked up, those with most events first.
const FILES: usize = 5;
/// How many hints are given at most.
const MOST: usize = 20;

/// The processes that have one of the first of `files` open. Those that can write to it come first.
pub fn of(files: &[FileEvents]) -> Vec<Hint> {
    let wanted: Vec<_> = files.iter().take(FILES).collect();
    let mut found = BTreeSet::new();
    let Ok(mut processes) = Processes::open() else {
        return Vec::new();
    };
    for pid in processes.pids().unwrap_or_default() {
        // A process that cannot be read gives no hint.
        let _ = processes.each_link(pid, None, |fd, link| {
            if let Some(at) = wanted.iter().position(|file| file.path.as_bytes() == link)
                && pid != std::process::id()
            {
                let reads_only = gather::is_writable(pid, fd) != Some(true);
                found.insert((at, pid, reads_only));
            }
            ControlFlow::Continue(())
        });
    }
    // A process that writes through one descriptor and reads through another counts as a writer.
    let mut hints: Vec<Hint> = Vec::new();
    for (at, pid, reads_only) in found {
        let Some(file) = wanted.get(at) else { continue };
        if hints
            .iter()
            .any(|hint| hint.pid == pid && hint.path == file.path)
        {
            continue;
        }
        hints.push(Hint {
            path: file.path.clone(),
            pid,
            command: gather::command_of(pid).and_then(|(words, comm)| CommandLine::of(words, comm)),
            writes: !reads_only,
        });
    }
    hints.sort_by_key(|hint| !hint.writes);
    hints.truncate(MOST);
    hints
}
