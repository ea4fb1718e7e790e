//! Single questions about processes and files.

use super::mounts::Mounts;
use super::proc_dir::ProcDir;
use super::view::{self, Last, View};
use super::{Gaps, process};
use crate::model::Name;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The command line of a process and the name of its main thread; `None` if it has gone.
pub fn command_of(pid: u32) -> Option<(Vec<Name>, Option<Name>)> {
    let dir = ProcDir::open(pid).ok()?;
    // A zombie has a name and no command line: that it was there is all that is known.
    let comm = process::comm(&dir)?;
    Some((process::command_line(&dir).unwrap_or_default(), Some(comm)))
}

/// A path of this program without links; `None` where nothing is there, or nobody answers.
pub fn resolved(path: &[u8]) -> Option<Vec<u8>> {
    with_own_view(|view| {
        let found = view::named(view, path, Last::Follow).ok()?;
        view::real_path(found.as_fd()).ok()
    })
}

/// Why nothing can be written at a path of this program: the file system it leads to does not answer.
pub fn unanswered(path: &Path) -> Option<&'static str> {
    with_own_view(|view| {
        let found = view::named(view, path.as_os_str().as_bytes(), Last::Follow);
        view::left_out(&found.err()?)
    })
}

/// Whether a regular file is at a path of this program, where looking cannot hang.
pub fn is_file(path: &[u8]) -> bool {
    let stat = with_own_view(|view| view.stat(path, Last::Follow).ok());
    stat.is_some_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
}

/// Looks at the file system as this program sees it.
pub fn with_own_view<T>(look: impl FnOnce(&View<'_>) -> Option<T>) -> Option<T> {
    let own = ProcDir::open(std::process::id()).ok()?;
    let mounts = Mounts::of(&own, &mut Gaps::default());
    look(&View::of(&own, &mounts))
}

/// The name of a process's main thread; `None` if it has gone.
pub fn comm_of(pid: u32) -> Option<Name> {
    process::comm(&ProcDir::open(pid).ok()?)
}
