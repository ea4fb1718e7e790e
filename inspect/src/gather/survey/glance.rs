//! What a pass over all processes reads of one process so that findings can judge it: its databases with the sizes and
//! headers of their logs, whether libwatchfix is loaded, and what it has open very often.

use crate::formats::sqlite::database_of;
use crate::gather::descriptors::kind::kind_by_link;
use crate::gather::descriptors::sockets::Tables;
use crate::gather::descriptors::{census, endpoints};
use crate::gather::inotify::coverage;
use crate::gather::process::image;
use crate::gather::sqlite;
use crate::gather::sqlite::databases;
use crate::gather::subject::Subject;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::{Cache, Mounts};
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::survey::links::Links;
use crate::model::{Descriptor, Kind, Name, Process};
use std::collections::{HashMap, HashSet};

/// No finding is drawn from fewer files of one directory and extension.
const MANY: usize = 128;
/// Of these, so many are looked at one by one. More of them change no finding but its severity near the limit on
/// descriptors, which has a finding of its own.
const LOOKED_AT: usize = 1024;

/// Reads it. Gaps are not reported here: `fdscan PID` reports them.
pub fn read(dir: &ProcDir, mounts: &mut Cache, process: &mut Process, links: &Links) {
    let gaps = &mut Gaps::default();
    if process.inotify.iter().any(|i| i.watch_count > 0) {
        image::preload(dir, process, gaps);
        coverage::note(dir, process);
    }
    let names = links.files.iter().map(|(_, path)| path.as_bytes());
    let names: HashSet<&[u8]> = names.filter_map(database_of).collect();
    if !names.is_empty() {
        let mounts = &mounts.of(dir);
        process.descriptors = files_of(&names, dir, mounts, links);
        let watches = process.inotify.iter_mut().flat_map(|i| &mut i.watches);
        mounts.identify(dir, watches);
        let subject = &mut Subject {
            dir,
            mounts,
            process,
            gaps,
        };
        databases::group(subject);
        sqlite::logs(subject);
    }
    if process.sqlite.is_empty() {
        // Only findings about databases need single watches, and there may be 100,000.
        process
            .inotify
            .iter_mut()
            .for_each(|i| i.watches = Vec::new());
    }
    // Only now: no other file may be opened to see whether it is a database.
    rest(dir, mounts, process, links);
}

/// The descriptors of the databases `names` and their logs.
fn files_of(
    names: &HashSet<&[u8]>,
    dir: &ProcDir,
    mounts: &Mounts,
    links: &Links,
) -> Vec<Descriptor> {
    let mut reader = census::Reader::new(dir, mounts);
    let files = links.files.iter();
    let of_databases = files.filter(|(_, path)| {
        let path = path.as_bytes();
        names.contains(database_of(path).unwrap_or(path))
    });
    of_databases
        .filter_map(|(fd, _)| reader.descriptor(*fd).ok())
        .collect()
}

/// Adds all other descriptors. What has a path is taken for a file. Files are looked at one by one only where so many
/// have one directory and extension that they may be leaked.
fn rest(dir: &ProcDir, mounts: &mut Cache, process: &mut Process, links: &Links) {
    let known: HashSet<i32> = process.descriptors.iter().map(|d| d.fd).collect();
    let mut crowds: HashMap<_, usize> = HashMap::new();
    for (_, path) in &links.files {
        *crowds.entry(crowd(path)).or_default() += 1;
    }
    crowds.retain(|_, files| *files >= MANY);
    crowds.values_mut().for_each(|left| *left = LOOKED_AT);
    let mounts = (!crowds.is_empty()).then(|| mounts.of(dir));
    let mut reader = mounts.as_ref().map(|m| census::Reader::new(dir, m));
    for (fd, path) in links.files.iter().filter(|(fd, _)| !known.contains(fd)) {
        let left = crowds.get_mut(&crowd(path)).filter(|left| **left > 0);
        let found = match (left, &mut reader) {
            (Some(left), Some(reader)) => {
                *left -= 1;
                reader.descriptor(*fd).ok()
            }
            _ => Some(named(*fd, Kind::File, path)),
        };
        process.descriptors.extend(found);
    }
    let others = links.others.iter();
    let others = others.map(|(fd, link)| named(*fd, kind_by_link(link.as_bytes()), link));
    process.descriptors.extend(others);
    process.fds.count_kinds(&process.descriptors);
    // The tables of a whole network namespace are read only for a process that has many sockets.
    let wanted = endpoints::wanted(&process.descriptors);
    if !wanted.is_empty() {
        let tables = Tables::keeping(dir, &wanted);
        process.surroundings.sockets = endpoints::of(&tables, wanted);
    }
}

/// What leaked files have in common: the directory and the extension.
fn crowd(path: &Name) -> (Option<&[u8]>, Option<&[u8]>) {
    (path.parent(), path.extension())
}

fn named(fd: i32, kind: Kind, link: &Name) -> Descriptor {
    Descriptor {
        target: link.clone(),
        ..Descriptor::of_kind(fd, kind)
    }
}
