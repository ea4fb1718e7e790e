//! The directories in which a process keeps its state.

use crate::formats::claims::places::{is_shared, written};
use crate::gather::process::program;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Descriptor, Listener, Name, Place};
use std::collections::BTreeMap;

/// The directories where it has files open for writing or listens on a socket file, the directory named after its
/// program, and its working directory.
pub fn of(
    dir: &ProcDir,
    descriptors: &[Descriptor],
    listeners: &[Listener],
    cwd: Option<&Name>,
) -> BTreeMap<Name, Place> {
    let mut list = written(descriptors, listeners);
    if let Some(named) = named(dir) {
        list.entry(named).or_insert(Place::Named);
    }
    if let Some(cwd) = cwd {
        list.entry(cwd.clone()).or_insert(Place::Working);
    }
    list.retain(|directory, _| !is_shared(directory.as_bytes()));
    list
}

/// For a program `genie`: the value of GENIE_HOME, or else `~/.genie`. A server that opens its files only for a moment
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
