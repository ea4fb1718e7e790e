//! Likely places whose names are known. They are compared with the watched inodes; nothing is listed.

use crate::gather::inotify::paths::wanted::Wanted;
use crate::gather::inotify::watches::ReadInstance;
use crate::gather::subject::view::{FinalLink, View, join};
use crate::model::{Device, Kind, Name, Process, ResolvedBy};
use std::collections::{HashSet, VecDeque};
use std::os::fd::AsFd;

/// How many places are compared: a process with 65,536 files in as many directories must not slow the scan down.
const MOST_PLACES: usize = 4096;

/// Longer words in a command line are not paths (`PATH_MAX`).
const LONGEST: usize = 4096;

/// A place, and whether it is a watched directory.
pub struct Place {
    /// Its path, as the process would write it.
    pub path: Vec<u8>,
    /// Whether it is watched. If so, what is below it is probably watched as well.
    pub watched: bool,
}

/// Watched places that are already known, from an earlier look or by their handle.
pub fn known(read: &[ReadInstance]) -> Vec<Place> {
    let watches = read.iter().flat_map(|r| &r.instance.watches);
    let known = watches.filter(|watch| !watch.deleted);
    known
        .filter_map(|watch| {
            Some(Place {
                path: watch.path.as_ref()?.as_bytes().to_vec(),
                watched: true,
            })
        })
        .collect()
}

/// Resolves what it can, and returns the places for the walk to begin at, likeliest first.
pub fn resolve(view: &View<'_>, process: &Process, wanted: &mut Wanted<'_>) -> Vec<Place> {
    let mut compared = Vec::new();
    for path in places(view, process, &wanted.devices()) {
        if wanted.left() == 0 {
            break;
        }
        if let Ok(found) = view.find(&path, FinalLink::Stay) {
            let watched = wanted.compare(found.as_fd(), b"", &path, ResolvedBy::Candidate);
            compared.push(Place { path, watched });
        }
    }
    compared
}

/// Common names of directories in source trees.
const USUAL: [&[u8]; 28] = [
    b".cache",
    b".git",
    b"app",
    b"apps",
    b"assets",
    b"bin",
    b"build",
    b"cmd",
    b"components",
    b"config",
    b"dist",
    b"docs",
    b"examples",
    b"include",
    b"lib",
    b"modules",
    b"node_modules",
    b"out",
    b"packages",
    b"pages",
    b"pkg",
    b"public",
    b"scripts",
    b"src",
    b"static",
    b"target",
    b"test",
    b"tests",
];
/// How many such names are tried.
const MOST_USUAL: usize = 2048;

/// Tries common names in the working directory and in watched directories: looking up a name raises no event, listing a
/// directory does.
pub fn usual(view: &View<'_>, known: &[Place], wanted: &mut Wanted<'_>) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    let cwd = view.working_directory();
    let watched = known.iter().filter(|place| place.watched);
    let mut around: VecDeque<Vec<u8>> = watched.map(|place| place.path.clone()).collect();
    around.extend(cwd.filter(|cwd| !around.contains(cwd)));
    let mut left = MOST_USUAL;
    while let Some(above) = around.pop_front() {
        for name in USUAL {
            if wanted.left() == 0 || left == 0 {
                return found;
            }
            left -= 1;
            let path = join(&above, name);
            if let Ok(there) = view.find(&path, FinalLink::Stay)
                && wanted.compare(there.as_fd(), b"", &path, ResolvedBy::Candidate)
            {
                around.push_back(path.clone());
                found.push(Place {
                    path,
                    watched: true,
                });
            }
        }
    }
    found
}

/// Likely places, likeliest first: its working directory, paths in its command line and environment, its open files,
/// its program and the mounts of the watched devices, and every directory above them.
fn places(view: &View<'_>, process: &Process, devices: &[Device]) -> Vec<Vec<u8>> {
    let dir = view.dir();
    let mut first = Places::default();
    let cwd = view.working_directory();
    first.add(cwd.clone());
    for argument in process.cmdline.iter().flatten().skip(1) {
        first.add(named(argument.as_bytes(), cwd.as_deref()));
    }
    for variable in dir.read("environ").unwrap_or_default().split(|&b| b == 0) {
        first.add(named(variable, None));
    }
    for descriptor in &process.descriptors {
        let path = match descriptor.kind {
            Kind::Directory => Some(descriptor.target.as_bytes()),
            Kind::File => {
                // The file itself may be watched.
                first.add(absolute(descriptor.target.as_bytes()));
                descriptor.target.parent()
            }
            _ => None,
        };
        first.add(path.and_then(absolute));
    }
    let exe = process.exe.as_ref().and_then(Name::parent);
    first.add(exe.map(|path| dir.inside_root(path.to_vec())));
    for &device in devices {
        for mount in view.mounts().of_device(device) {
            first.add(Some(mount.point.as_bytes().to_vec()));
        }
    }
    let mut at = 0;
    while let Some(path) = first.list.get(at) {
        let above = Name::from(path.as_slice()).parent().map(<[u8]>::to_vec);
        first.add(above);
        at += 1;
    }
    first.list
}

/// The path an argument or variable names: `/x`, `--dir=/x`, `HOME=/x`; with `cwd` also `x`.
fn named(text: &[u8], cwd: Option<&[u8]>) -> Option<Vec<u8>> {
    let value = match text.iter().position(|&b| b == b'=') {
        Some(at) => text.get(at + 1..)?,
        None => text,
    };
    let path = match cwd {
        _ if value.starts_with(b"/") => value.to_vec(),
        Some(cwd) if !value.is_empty() && !value.starts_with(b"-") => join(cwd, value),
        _ => return None,
    };
    // Paths are compared as text, so only the plain form counts, which the kernel prints.
    let plain = |part: &[u8]| !part.is_empty() && part != b"." && part != b"..";
    let path = path.strip_suffix(b"/").unwrap_or(&path);
    let is_path =
        !path.is_empty() && path.len() < LONGEST && path.split(|&b| b == b'/').skip(1).all(plain);
    is_path.then(|| path.to_vec())
}

fn absolute(path: &[u8]) -> Option<Vec<u8>> {
    path.starts_with(b"/").then(|| path.to_vec())
}

/// Paths in the order they were added, each once, up to [`MOST_PLACES`].
#[derive(Default)]
struct Places {
    list: Vec<Vec<u8>>,
    seen: HashSet<Vec<u8>>,
}

impl Places {
    fn add(&mut self, path: Option<Vec<u8>>) {
        if let Some(path) = path
            && self.list.len() < MOST_PLACES
            && self.seen.insert(path.clone())
        {
            self.list.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_and_variables_name_paths() {
        let named = |text: &str| {
            let path = named(text.as_bytes(), Some(b"/home/x"))?;
            Some(String::from_utf8(path).unwrap())
        };
        assert_eq!(named("/srv/a/").as_deref(), Some("/srv/a"));
        assert_eq!(named("--dir=/srv").as_deref(), Some("/srv"));
        assert_eq!(named("HOME=/root").as_deref(), Some("/root"));
        assert_eq!(named("src/lib").as_deref(), Some("/home/x/src/lib"));
        for none in ["--watch", "", "=", "/", "../x", "/a//b", "/a/./b", "./x"] {
            assert_eq!(named(none), None, "{none}");
        }
        assert_eq!(
            crate::gather::inotify::paths::candidates::named(b"src", None),
            None
        );
    }
}
