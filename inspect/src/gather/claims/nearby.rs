//! Claims in the directories that a process uses, found without waking its own watches.

use super::judge::Judge;
use super::socket_file::SocketFile;
use super::{link, places};
use crate::formats::claims::content;
use crate::formats::claims::verdicts::TTL;
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::gather::subject::{Subject, view};
use crate::model::{Claim, Name, Process};
use crate::sys;
use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
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
        same_pids: same_namespace(dir),
        ttl: TTL,
    };
    let mut found = Vec::new();
    let surroundings = &process.surroundings;
    let cwd = surroundings.cwd.as_ref();
    for (directory, place) in places::of(dir, &process.descriptors, &surroundings.listeners, cwd) {
        for name in names(&view, process, &directory, gaps) {
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

/// Whether the process is in this program's PID namespace.
fn same_namespace(dir: &ProcDir) -> bool {
    let own = std::fs::read_link("/proc/self/ns/pid").ok();
    let theirs = dir.read_link("ns/pid").ok();
    matches!((own, theirs), (Some(own), Some(theirs)) if own.as_os_str().as_bytes() == theirs)
}

/// Names of claims in a directory. A directory that is watched for reads, or whose parent is, is left alone: opening it
/// would wake the process.
fn names(view: &View<'_>, process: &Process, directory: &Name, gaps: &mut Gaps) -> Vec<Vec<u8>> {
    let side_effects = SideEffects::of(process.inotify.iter());
    let identity = |path: &[u8]| view.identity(path, FinalLink::Follow);
    // Nobody watches what does not exist.
    let missing = |e: std::io::Error| e.kind() == std::io::ErrorKind::NotFound;
    if view
        .stat(directory.as_bytes(), FinalLink::Follow)
        .is_err_and(missing)
    {
        return Vec::new();
    }
    let parent = directory.parent().unwrap_or(b"/");
    if !side_effects.is_empty()
        && side_effects.by_opening(identity(directory.as_bytes()), identity(parent))
    {
        gaps.note(
            format!("the claims in {directory}"),
            "the process watches it for reads, and looking would wake it",
        );
        return Vec::new();
    }
    let mut found = Vec::new();
    let list = view.list(directory.as_bytes());
    if list.as_ref().is_err_and(view::is_unsafe) {
        gaps.note(format!("the claims in {directory}"), view::MAY_HANG);
    }
    if let Ok(list) = list {
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
    }
    found.sort();
    found
}
