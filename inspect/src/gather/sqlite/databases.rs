//! SQLite databases among the open files, with their headers.
//!
//! A file is accessed only through /proc/PID/fd/N. The real path is never opened, and nothing is locked, mapped or
//! created. A file is opened only if its side files do not already identify it, and never if a watch of the process
//! would report the open. Format: <https://sqlite.org/fileformat2.html>, section 1.3.

use crate::formats::sqlite::{Mode, database_mode, group as group_by_name};
use crate::gather::descriptors::census::identity;
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::sqlite::{last_write, unlinked};
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::{DELETED, ProcDir};
use crate::gather::subject::view::View;
use crate::gather::subject::{Subject, view};
use crate::model::{Name, Part};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;

/// Finds the databases among the descriptors of `process`, whose instances must have been read.
pub fn group(subject: &mut Subject<'_>) {
    let Subject {
        dir,
        mounts,
        process,
        gaps,
    } = subject;
    let side_effects = SideEffects::of(process.inotify.iter());
    let (mut untouched, mut wal2) = (0, 0);
    let mut found = group_by_name(&process.descriptors, |file| {
        if side_effects.by_opening(file.identity, file.parent) {
            untouched += 1;
            return None;
        }
        let mode = header_of(dir, mounts, file);
        wal2 += usize::from(mode == Some(Mode::Wal2));
        mode
    });
    let view = View::of(dir, mounts);
    for database in &mut found {
        unlinked::look(dir, &view, database);
    }
    if wal2 > 0 {
        gaps.count(
            wal2,
            "logs of databases",
            "they are in wal2 mode, which is recognised but not decoded",
        );
    }
    if untouched > 0 {
        gaps.count(
            untouched,
            "files that may be SQLite databases without a -wal",
            "opening them could wake the process's own watches",
        );
    }
    // No write wakes a process without watches.
    if !process.inotify.is_empty() {
        last_write::look(dir, mounts, &mut found);
    }
    process.sqlite = found;
}

/// The header, if the file has one.
fn header_of(dir: &ProcDir, mounts: &Mounts, file: &Part) -> Option<Mode> {
    let mut start = [0u8; 20];
    let open = open_safely(dir, mounts, file)?;
    open.read_exact_at(&mut start, 0).ok()?;
    database_mode(&start)
}

/// Opens a file of a process through its descriptor, for reading only. `None` if that fails or might hang, or if the
/// descriptor refers to another file by now.
pub fn open_safely(dir: &ProcDir, mounts: &Mounts, wanted: &Part) -> Option<File> {
    let found = View::of(dir, mounts).descriptor(wanted.fd).ok()?;
    let file = view::open_unnoticed(found.as_fd()).ok()?;
    (identity(&file, mounts) == wanted.identity && is_called(&file, wanted.path.base()))
        .then_some(file)
}

/// The same, unless a watch of the process would report that it was opened.
pub fn open_unseen(
    dir: &ProcDir,
    mounts: &Mounts,
    side_effects: &SideEffects,
    wanted: &Part,
) -> Option<File> {
    let seen = side_effects.by_opening(wanted.identity, wanted.parent);
    (!seen).then(|| open_safely(dir, mounts, wanted)).flatten()
}

/// Whether a file was opened under this name: the kernel reuses inode numbers.
fn is_called(file: &File, base: &[u8]) -> bool {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).is_ok_and(|path| {
        let path = Name::from(path.as_os_str().as_encoded_bytes());
        let name = path.base();
        name == base || name.strip_suffix(DELETED) == Some(base)
    })
}
