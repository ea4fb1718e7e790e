//! Watched files and directories that were renamed: MOVE_SELF, by a way to the side and back.

use super::hearing::{ALL, Only};
use super::known::Known;
use super::operations::{At, put_times_back};
use super::state::{Inode, State};
use super::tell::Telling;
use crate::replay::Replay;
use rules::event::MOVE_SELF;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd};

/// One of them, and where it is now: in a directory that is watched.
pub struct Moved {
    inode: Inode,
    dir: Inode,
    name: Vec<u8>,
}

/// Those that have another name, or are in another directory. What lies in a directory that was renamed has not moved.
pub fn moved(known: &BTreeMap<Inode, Known>) -> Vec<Moved> {
    let is_dir = |known: &&Known| known.state().is_dir();
    let before: HashMap<&[u8], Inode> = known
        .iter()
        .filter(|(_, known)| is_dir(known))
        .map(|(&inode, known)| (&known.path[..], inode))
        .collect();
    let paths: BTreeMap<Inode, Vec<u8>> = known
        .iter()
        .filter_map(|(&inode, known)| Some((inode, known.path_now()?)))
        .collect();
    let now: HashMap<&[u8], Inode> = paths
        .iter()
        .filter(|(inode, _)| known.get(inode).as_ref().is_some_and(is_dir))
        .map(|(&inode, path)| (&path[..], inode))
        .collect();
    let mut moved = Vec::new();
    for (&inode, path) in &paths {
        let was = known.get(&inode).map(|known| split(&known.path));
        let (Some((old_dir, old_name)), (dir, name)) = (was, split(path)) else {
            continue;
        };
        if let Some(&dir) = now.get(dir)
            && let Some(&old_dir) = before.get(old_dir)
            && (old_dir, old_name) != (dir, name)
        {
            let name = name.to_owned();
            moved.push(Moved { inode, dir, name });
        }
    }
    moved
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let at = path.iter().rposition(|&c| c == b'/').unwrap_or(0);
    let (dir, name) = path.split_at(at);
    (dir, name.strip_prefix(b"/").unwrap_or(name))
}

/// Tells them to the watches that are on them since before.
pub fn tell(known: &BTreeMap<Inode, Known>, moved: &[Moved], telling: &mut Telling<'_>) {
    if telling.hearing.replay() == Replay::None {
        return;
    }
    for Moved { inode, dir, name } in moved {
        let (Some(one), Some(dir)) = (known.get(inode), known.get(dir)) else {
            continue;
        };
        let watches = telling.hearing.muted_at(*inode, one, 0);
        if !telling.hearing.anybody(&watches, MOVE_SELF, &ALL) {
            continue;
        }
        let Some(path) = dir.path_now() else {
            continue;
        };
        let as_found = State::of(dir.fd.as_fd()).ok();
        tell_one(telling, &watches, (&path, dir.fd.as_fd()), name);
        if let Some(as_found) = as_found {
            // Who is not the owner cannot.
            let _ = put_times_back(&dir.fd, &as_found);
        }
    }
}

fn tell_one(
    telling: &mut Telling<'_>,
    watches: &[usize],
    (path, dir): (&[u8], BorrowedFd<'_>),
    name: &[u8],
) {
    let entry = At::Entry(dir, name);
    let Ok(before) = entry.state().map(|state| telling.own.take_out(state)) else {
        // It has moved on.
        return;
    };
    match telling.hold_place(path, name) {
        Ok((aside, number)) => {
            let to = (watches, (MOVE_SELF, &ALL as Only<'_>));
            telling.there_and_back(to, (path, dir, name), (&aside, &number), |told| {
                &mut told.moved
            });
        }
        Err(e) => telling.told.failed(path, name, &e),
    }
    if let Ok(now) = entry.state() {
        telling.own.note(&before, &now);
    }
}
