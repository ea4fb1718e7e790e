//! The directories in which a process keeps its state.

use crate::gather::process::program;
use crate::gather::subject::proc_dir::ProcDir;
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

/// Directories in which it has files open for writing or listens on a socket file, the one with its program's name, and
/// its working directory.
pub fn of(
    dir: &ProcDir,
    descriptors: &[Descriptor],
    listeners: &[Listener],
    cwd: Option<&Name>,
) -> BTreeMap<Name, Place> {
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
    if let Some(named) = named(dir) {
        list.entry(named).or_insert(Place::Named);
    }
    if let Some(cwd) = cwd {
        list.entry(cwd.clone()).or_insert(Place::Working);
    }
    list.retain(|directory, _| !is_shared(directory.as_bytes()));
    list
}

/// For a program `genie`: the value of GENIE_HOME, else `~/.genie`. A server that only opens its files for a moment
/// does not otherwise show where its state is.
fn named(dir: &ProcDir) -> Option<Name> {
    let name = program::name_of(dir)?;
    let environment = dir.read("environ").ok()?;
    let variable = |name: &[u8]| {
        let mut all = environment.split(|&b| b == 0);
        let value = all.find_map(|text| text.strip_prefix(name)?.strip_prefix(b"="))?;
        value.starts_with(b"/").then_some(value)
    };
    let own: Vec<u8> = name
        .as_bytes()
        .iter()
        .map(|b| match b.is_ascii_alphanumeric() {
            true => b.to_ascii_uppercase(),
            false => b'_',
        })
        .chain(*b"_HOME")
        .collect();
    match variable(&own) {
        Some(path) => Some(path.strip_suffix(b"/").unwrap_or(path).into()),
        None => Some([variable(b"HOME")?, b"/.", name.as_bytes()].concat().into()),
    }
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
