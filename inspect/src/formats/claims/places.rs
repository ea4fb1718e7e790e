//! The directories in which a process keeps its state, as its descriptors show them.

use crate::model::{Descriptor, Kind, Listener, Name, Place};
use std::collections::BTreeMap;

/// The maximum number of directories that it writes to.
const WRITTEN: usize = 16;
/// Directories that everybody puts claims into: most of them do not belong to this process.
const SHARED: &[&[u8]] = &[
    b"/",
    b"/run",
    b"/var/run",
    b"/run/lock",
    b"/var/lock",
    b"/tmp",
    b"/var/tmp",
    b"/dev",
    b"/dev/shm",
    b"/proc",
    b"/sys",
    b"/home",
    b"/root",
    b"/var/log",
    b"/etc",
];

/// Directories in which a process has files open for writing or listens on a socket file.
pub fn written(descriptors: &[Descriptor], listeners: &[Listener]) -> BTreeMap<Name, Place> {
    let files = descriptors
        .iter()
        .filter(|file| (file.kind, file.writable, file.deleted) == (Kind::File, Some(true), false))
        // Logs of many programs are side by side, and the caller chose where the output goes.
        .filter(|file| file.fd > 2 && !is_log(&file.target));
    let sockets = listeners.iter().filter(|l| l.protocol == "unix");
    let paths = files
        .map(|file| &file.target)
        .chain(sockets.filter_map(|l| l.address.as_ref()));
    let mut list = BTreeMap::new();
    for path in paths {
        // Neither an abstract socket nor one bound by a relative path has a directory to look into.
        if let Some(parent) = path.parent().filter(|parent| parent.starts_with(b"/"))
            && list.len() < WRITTEN
        {
            list.insert(parent.into(), Place::Written);
        }
    }
    list
}

fn is_log(path: &Name) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(b"log"))
}

/// Whether it is a shared directory.
pub fn is_shared(directory: &[u8]) -> bool {
    SHARED.contains(&directory)
        || [&b"/proc/"[..], b"/sys/", b"/dev/"]
            .iter()
            .any(|d| directory.starts_with(d))
}
