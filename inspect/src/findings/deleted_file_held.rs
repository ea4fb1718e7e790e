//! `deleted-file-held`: the process keeps disk space in use by files that are deleted.
//!
//! Meaning: `df` counts this space and `du` does not find it. The usual case is a log that was removed and not
//! reopened. The space is freed when every process has closed the file.
//!
//! Evidence: `bytes` is the disk space of all these files, and `file_count` their number; a file that is open twice
//! counts once. `files` lists the five largest, each with `fd` (descriptor), `path` (its last name), `bytes` (disk
//! space) and `size_bytes` (length). One look decides.
//!
//! Severity: warning from 64 MiB in total, info from 4 MiB. Less is not reported.
//!
//! Remedy: no command is given. Many programs reopen their files on a signal, often SIGHUP; others need a restart. Copy
//! what you still need from /proc/PID/fd/N first. Do not truncate the file through /proc: that loses its content.
//!
//! Not to be confused with: shared memory (/dev/shm, shmget), memfds and files created with O_TMPFILE, which do not
//! count. A deleted SQLite database, where data is at stake and not space: see `sqlite-wal-deleted` and
//! `sqlite-deleted`.

use super::{Facts, Finding, Severity};
use crate::model::{Descriptor, Kind};
use crate::words::{agree, bytes, plural};
use serde_json::json;
use std::collections::HashMap;

/// The threshold of a warning: a log that was removed and not reopened exceeds it within a day.
const LARGE: u64 = 64 << 20;
/// Less is not reported: programs unlink their own small files on purpose.
const WORTH_KNOWING: u64 = 4 << 20;
/// How many files the evidence names.
const NAMED: usize = 5;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut by_inode = HashMap::new();
    for file in &facts.process.descriptors {
        if let (true, Some(identity), Some(space)) = (is_held(file), file.identity, file.space) {
            by_inode.entry(identity).or_insert((file, space));
        }
    }
    let total: u64 = by_inode.values().map(|(_, space)| space).sum();
    if total < WORTH_KNOWING {
        return Vec::new();
    }
    let mut files: Vec<_> = by_inode.into_values().collect();
    files.sort_by_key(|(file, space)| (std::cmp::Reverse(*space), file.fd));
    let largest = files.first().map_or_else(String::new, |(file, space)| {
        format!(" The largest was {} ({}).", file.target, bytes(*space))
    });
    // Where descriptors have no names, nobody else can copy.
    let copy = facts.remedies.open_files(facts.process.pid);
    let copy = copy.map_or_else(String::new, |open| {
        format!(" Copy what you still need from {open} first.")
    });
    let listed: Vec<_> = files
        .iter()
        .take(NAMED)
        .map(|(file, space)| {
            json!({ "fd": file.fd, "path": file.target, "bytes": space, "size_bytes": file.bytes })
        })
        .collect();
    vec![Finding {
        code: "deleted-file-held",
        severity: if total >= LARGE {
            Severity::Warning
        } else {
            Severity::Info
        },
        message: format!(
            "It holds {} in {}: the space is freed when every process has closed {}.{largest} Some programs reopen their files on a signal (often SIGHUP); others need a restart.{copy}",
            bytes(total),
            plural(files.len(), "deleted file", "deleted files"),
            agree(files.len() as u64, "it", "them"),
        ),
        evidence: json!({
            "bytes": total,
            "file_count": files.len(),
            "files": listed,
        }),
        // To truncate the file through the descriptor would free the space but lose the content.
        remedy: None,
        remedy_live: None,
        change: None,
    }]
}

/// A regular file that had a name. Shared memory (shm_open(3), shmget(2)) is unlinked on purpose. A file created with
/// O_TMPFILE never had a name: the kernel shows it as `#INODE` (fs/dcache.c, `d_mark_tmpfile`).
fn is_held(file: &Descriptor) -> bool {
    if file.kind != Kind::File || !file.deleted {
        return false;
    }
    let path = file.target.as_bytes();
    let temporary = file
        .identity
        .is_some_and(|id| file.target.base() == format!("#{}", id.inode).as_bytes());
    !temporary && !path.starts_with(b"/dev/shm/") && !path.starts_with(b"/SYSV")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    fn deleted(files: &[(&str, u64, u64)]) -> Fixture {
        let mut fixture = Fixture::new();
        for (n, (path, inode, space)) in files.iter().enumerate() {
            fixture = fixture.with_file(n as i32, path, *inode, 1);
            let file = fixture.process.descriptors.last_mut().unwrap();
            file.deleted = true;
            file.space = Some(*space);
        }
        fixture
    }

    #[test]
    fn an_inode_counts_once_however_often_it_is_open() {
        let file = ("/var/log/a.log", 7, LARGE);
        let finding = deleted(&[file, file, file]).only(look);
        assert_eq!(finding.evidence["bytes"], LARGE);
        assert_eq!(finding.evidence["file_count"], 1);
        assert_eq!(finding.severity, Severity::Warning);
    }

    #[test]
    fn a_few_mebibytes_are_info_and_less_is_not_reported() {
        let finding = deleted(&[("/d/a", 7, LARGE - 1)]).only(look);
        assert_eq!(finding.severity, Severity::Info);
        assert!(
            deleted(&[("/d/a", 7, WORTH_KNOWING - 1)])
                .look(look)
                .is_empty()
        );
    }

    #[test]
    fn shared_memory_and_files_that_never_had_a_name_are_not_deleted_files() {
        for path in ["/tmp/#7", "/dev/shm/x", "/SYSV00000000"] {
            assert!(deleted(&[(path, 7, LARGE)]).look(look).is_empty(), "{path}");
        }
    }
}
