//! Claims that distinguish two processes of one program: they name one of them and not the other.

use crate::gather::subject::view::{FinalLink, View};
use crate::model::{ClaimOwner, Name, Place, Process};
use std::collections::{BTreeMap, HashSet};

/// The valid claims beside a process's state, and their owners.
pub fn claimed(process: &Process) -> Vec<ClaimOwner> {
    let claims = process.surroundings.claims.iter();
    claims
        .filter(|claim| claim.verdict.holds())
        .filter_map(|claim| {
            Some(ClaimOwner {
                path: claim.path.clone(),
                pid: claim.pid?,
            })
        })
        .collect()
}

/// The claims that name one of the two. Empty if each has a claim of its own.
pub fn between(process: &Process, other: u32) -> Vec<ClaimOwner> {
    let mut claims = claimed(process);
    claims.retain(|claim| claim.pid == process.pid || claim.pid == other);
    let sides: HashSet<u32> = claims.iter().map(|claim| claim.pid).collect();
    if sides.len() > 1 {
        claims.clear();
    }
    claims
}

/// Keeps the claims of one process that are where the other keeps its state, because they could mean the other. A
/// working directory alone proves nothing.
pub fn keep_shared(
    claims: &mut Vec<ClaimOwner>,
    own: &View<'_>,
    theirs: &View<'_>,
    places: &BTreeMap<Name, Place>,
) {
    // Each has its own mounts, so the same path may mean a different directory to each.
    let identity = |view: &View<'_>, path: &[u8]| {
        let stat = view.stat(path, FinalLink::Follow).ok()?;
        Some((stat.st_dev, stat.st_ino))
    };
    let kept: HashSet<_> = places
        .iter()
        .filter(|(_, place)| **place != Place::Working)
        .filter_map(|(path, _)| identity(theirs, path.as_bytes()))
        .collect();
    claims.retain(|claim| {
        let directory = claim.path.parent().and_then(|path| identity(own, path));
        directory.is_some_and(|directory| kept.contains(&directory))
    });
}
