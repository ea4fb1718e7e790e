//! Finds processes that still have an unlinked file open, for a user who names it by its old path.

use crate::gather::sqlite::holders::{self, Orphan, Peer, Wanted};
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::view::{self, FinalLink, View, join};
use crate::model::Name;
use crate::words::list_words;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How many processes are named.
const NAMED: usize = 3;

/// Who has the file open and what to type next, as the end of a sentence. Empty if nobody is found.
pub fn holders_of(own: &View<'_>, path: &Path) -> String {
    let Ok(absolute) = std::path::absolute(path) else {
        return String::new();
    };
    let absolute = Name::from(absolute.as_os_str().as_bytes());
    // The kernel shows the resolved name. If the directory is gone too, nothing shows how it was resolved.
    let directory = absolute.parent().unwrap_or(b"/");
    let real = view::named(own, directory, FinalLink::Follow);
    let real = real.and_then(|found| view::real_path(found.as_fd()));
    let wanted = Wanted {
        names: [absolute.base().to_vec()].into(),
        paths: [join(&real.unwrap_or(directory.to_vec()), absolute.base())].into(),
        ..Wanted::default()
    };
    let found = holders::find(&wanted, &[], None, true, &mut Gaps::default());
    let held = found.peers.iter().filter_map(|peer| {
        let orphan = peer.orphans.first()?;
        Some((peer, orphan))
    });
    let held: Vec<(&Peer, &Orphan)> = held.take(NAMED).collect();
    let Some((first, _)) = held.first() else {
        return String::new();
    };
    let who = held.iter().map(|(peer, orphan)| {
        let comm = peer.comm.as_ref().map(|comm| format!(" ({comm})"));
        let comm = comm.unwrap_or_default();
        format!("process {0}{comm} at /proc/{0}/fd/{1}", peer.pid, orphan.fd)
    });
    let who: Vec<String> = who.collect();
    let who: Vec<&str> = who.iter().map(String::as_str).collect();
    format!(
        " any more, but it is open, unlinked, in {}: `fdscan {}` says what that means and how to save it",
        list_words(&who, "and"),
        first.pid,
    )
}
