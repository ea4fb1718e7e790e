//! The owners of a database and of the processes that have it open. These users may be able to act.

use crate::gather::process::processes::Processes;
use crate::gather::subject::own_files::with_own_view;
use crate::gather::subject::view::FinalLink;
use crate::model::SeenDatabase;

/// The users, each once.
pub fn owners_of(seen: &SeenDatabase) -> Vec<u32> {
    let path = seen.database.database.as_bytes();
    let file = with_own_view(|view| view.stat(path, FinalLink::Follow).ok());
    let holders = seen.database.holders.iter().map(|holder| holder.pid);
    let pids = holders.chain(seen.orphans.iter().map(|orphan| orphan.pid));
    let all = Processes::open().ok();
    let users = pids.filter_map(|pid| all.as_ref()?.user(pid).ok());
    let mut owners: Vec<_> = file
        .map(|file| file.st_uid)
        .into_iter()
        .chain(users)
        .collect();
    owners.sort_unstable();
    owners.dedup();
    owners
}
