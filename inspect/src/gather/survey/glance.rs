//! What a pass over all processes reads of one process so that findings can judge it: its databases with the sizes and
//! headers of their logs, whether libwatchfix is loaded, and what it has open if that is much.

use crate::formats::sqlite::database_of;
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
use crate::model::{Descriptor, Process};
use std::collections::HashSet;

/// No finding about leaked descriptors is drawn from fewer, so they need not be looked at one by one.
const CROWDED: u64 = 64;

/// Reads it. Gaps are not reported here: `fdscan PID` reports them.
pub fn read(dir: &ProcDir, mounts: &mut Cache, process: &mut Process, links: &Links) {
    let gaps = &mut Gaps::default();
    if process.inotify.iter().any(|i| i.watch_count > 0) {
        image::preload(dir, process, gaps);
        coverage::note(dir, process);
    }
    let databases: HashSet<&[u8]> = links
        .files
        .iter()
        .filter_map(|(_, path)| database_of(path))
        .collect();
    let crowded = links.open >= CROWDED;
    if crowded || !databases.is_empty() {
        let mounts = &mounts.of(dir);
        process.descriptors = match crowded {
            // What ended meanwhile has nothing open.
            true => census::read(dir, mounts, &mut process.fds, gaps).unwrap_or_default(),
            false => files_of(&databases, dir, mounts, links),
        };
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
        // The tables of a whole network namespace are read only for a process that has many sockets.
        let wanted = endpoints::wanted(&subject.process.descriptors);
        if !wanted.is_empty() {
            let tables = Tables::keeping(dir, &wanted);
            subject.process.surroundings.sockets = endpoints::of(&tables, wanted);
        }
    }
    if process.sqlite.is_empty() {
        // Only findings about databases need single watches, and there may be 100,000.
        process
            .inotify
            .iter_mut()
            .for_each(|i| i.watches = Vec::new());
    }
}

/// The descriptors of the databases and their logs.
fn files_of(
    databases: &HashSet<&[u8]>,
    dir: &ProcDir,
    mounts: &Mounts,
    links: &Links,
) -> Vec<Descriptor> {
    let mut reader = census::Reader::new(dir, mounts);
    let files = links.files.iter();
    let of_databases = files.filter(|(_, path)| {
        let path = database_of(path).unwrap_or(path);
        databases.contains(path)
    });
    of_databases
        .filter_map(|(fd, _)| reader.descriptor(*fd).ok())
        .collect()
}
