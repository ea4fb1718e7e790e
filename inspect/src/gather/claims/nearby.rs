//! Claims in the directories that a process uses, found without waking its own watches.

use super::judge::Judge;
use super::socket_file::SocketFile;
use super::{link, places};
use crate::formats::claims::content;
use crate::formats::claims::verdicts::TTL;
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::process::pid_namespace;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::view::{FinalLink, View};
use crate::gather::subject::{Subject, view};
use crate::model::{Claim, Name, Place, Process};
use crate::sys;
use crate::words::errno_text;
use std::cell::OnceCell;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How many entries of one directory are read.
const ENTRIES: usize = 4096;
/// How many claims are judged.
const CLAIMS: usize = 32;
/// Judges the claims where the process keeps its state.
pub fn of_process(subject: &mut Subject<'_>) -> Vec<Claim> {
    let view = subject.view();
    let Subject {
        dir, process, gaps, ..
    } = subject;
    let judge = Judge {
        view: &view,
        tables: &OnceCell::new(),
        same_pids: pid_namespace::is_shared_with(dir),
        ttl: TTL,
    };
    let mut found = Vec::new();
    let surroundings = &process.surroundings;
    let cwd = surroundings.cwd.as_ref();
    for (directory, place) in places::of(dir, &process.descriptors, &surroundings.listeners, cwd) {
        for name in names(&view, process, (&directory, place), gaps) {
            if found.len() == CLAIMS {
                return found;
            }
            let path: Name = [directory.as_bytes(), b"/", &name].concat().into();
            found.extend(judge_one(&judge, &view, path).map(|claim| Claim { place, ..claim }));
        }
    }
    found
}

/// Judges a path of the process. `None` if it is not a file, a socket or a link that claims something, or no longer
/// exists.
fn judge_one(judge: &Judge<'_>, view: &View<'_>, path: Name) -> Option<Claim> {
    let found = view.find(path.as_bytes(), FinalLink::Stay).ok()?;
    let stat = sys::stat_at(found.as_fd(), b"", 0).ok()?;
    let socket = SocketFile::of(&stat);
    let real = path.clone();
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => {
            let file = view::open_regular(found.as_fd(), 0).ok()?;
            let real = Path::new(std::ffi::OsStr::from_bytes(real.as_bytes()));
            Some(judge.file(path, real, &file))
        }
        libc::S_IFSOCK => Some(judge.socket(path, real.as_bytes(), &socket)),
        libc::S_IFLNK if content::may_be_link(path.base()) => {
            let mut text = Vec::new();
            sys::read_link_at(found.as_fd(), b"", &mut text).ok()?;
            // A text that names a process is not a path, so it leads nowhere.
            link::parse(&text)?;
            Some(judge.link(path, &text, socket.made))
        }
        _ => None,
    }
}

/// Names of claims in a directory. A directory that is watched for reads, or whose parent is, is left alone: opening it
/// would wake the process.
fn names(
    view: &View<'_>,
    process: &Process,
    (directory, place): (&Name, Place),
    gaps: &mut Gaps,
) -> Vec<Vec<u8>> {
    match list(view, process, directory) {
        Ok(list) => claims_of(&list),
        // Nobody claims anything in what does not exist.
        Err(Unread::Errno(e)) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        // Only a guess, and it may not be looked at.
        Err(Unread::Errno(e)) if place == Place::Named && !view::is_unsafe(&e) => Vec::new(),
        Err(unread) => {
            let why = match unread {
                Unread::Watched => {
                    "the process watches it for reads, and looking would wake it".into()
                }
                Unread::Unknown => {
                    "it may be watched for reads, and looking might wake the process".into()
                }
                Unread::Errno(e) => {
                    view::left_out(&e).map_or_else(|| errno_text(&e), str::to_owned)
                }
            };
            gaps.note(format!("the claims in {directory}"), why);
            Vec::new()
        }
    }
}

/// Why a directory is not listed.
enum Unread {
    /// The process would be woken.
    Watched,
    /// Which file it is cannot be told, and so not whether the process would be woken.
    Unknown,
    Errno(io::Error),
}

fn list(view: &View<'_>, process: &Process, directory: &Name) -> Result<OwnedFd, Unread> {
    let path = directory.as_bytes();
    view.stat(path, FinalLink::Follow).map_err(Unread::Errno)?;
    let side_effects = SideEffects::of(process.inotify.iter());
    let identity = |path: &[u8]| view.identity(path, FinalLink::Follow);
    let known = [path, directory.parent().unwrap_or(b"/")].map(identity);
    if side_effects.by_opening(known[0], known[1]) {
        return Err(match known {
            [Some(_), Some(_)] => Unread::Watched,
            _ => Unread::Unknown,
        });
    }
    view.list(path).map_err(Unread::Errno)
}

/// The names in a directory that claim something.
fn claims_of(list: &OwnedFd) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut left = ENTRIES;
    let _ = sys::each_entry(list.as_fd(), &mut Vec::new(), |entry| {
        let claims = content::kind_of(entry.name).is_some() || content::may_be_link(entry.name);
        if claims || entry.is_socket() {
            found.push(entry.name.to_vec());
        }
        left -= 1;
        if left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    found.sort();
    found
}
