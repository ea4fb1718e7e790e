//! kqueue: where a chmod cannot be told from a touch it is heard.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::ptr::{null, null_mut};

use dylib::library;
use dylib::program::{Program, Queue, append, chmod, touch};
use dylib::system::calls::{set_local, set_whole_seconds};
use dylib::system::kqueue::*;

use super::kqueue::heard;
use super::{dir, file, real};

/// It would be handed over again at once, for ever.
#[test]
fn a_note_that_stays_set_is_left_alone() {
    let Some(library) = library() else { return };
    let dir = dir();
    for (kind, flags) in [("level", 0), ("dispatch", DISPATCH)] {
        let path = file(&real(&dir), kind);
        assert_eq!(
            heard(&Program::with(library, &[]), flags, &path, chmod),
            [N_ATTRIB],
            "{kind}"
        );
    }
}

#[test]
fn notes_that_are_told_apart_by_their_udata_are_left_alone() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let program = Program::with(library, &[]);
    let mut queue = program.queue();
    let one = queue.note(&path, CLEAR | UDATA_SPECIFIC);
    let other = Kevent { udata: 1, ..one };
    assert_eq!(queue.change(&[one, other]), 0);
    touch(&path);
    assert_eq!(queue.heard(), [N_ATTRIB, N_ATTRIB]);
}

/// A touch may be of the same second.
#[test]
fn on_a_file_system_with_whole_seconds_a_chmod_is_heard() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    set_whole_seconds(true);
    for flags in [CLEAR, ONESHOT] {
        let program = Program::with(library, &[]);
        assert_eq!(heard(&program, flags, &path, chmod), [N_ATTRIB]);
        assert_eq!(heard(&program, flags, &path, append), [N_WRITE | N_EXTEND]);
    }
}

/// Its server may not answer any more.
#[test]
fn a_servers_file_is_not_asked() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    set_local(false);
    let program = Program::with(library, &[]);
    assert_eq!(heard(&program, CLEAR, &path, chmod), [N_ATTRIB]);
    let log = file(&real(&dir), "state.sqlite-wal");
    assert_eq!(heard(&program, CLEAR, &log, append), [0; 0]);
}

#[test]
fn a_descriptor_that_is_another_file_by_now_is_asked_nothing() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (one, other) = (file(&real(&dir), "one"), file(&real(&dir), "other"));
    let mut queue = Program::with(library, &[]).queue();
    let note = queue.watch(&one, CLEAR);
    chmod(&one);
    // One of the same time.
    let file = std::fs::File::open(&other).unwrap();
    let time = std::fs::metadata(&one).unwrap().modified().unwrap();
    file.set_modified(time).unwrap();
    // SAFETY: two descriptors of the test's.
    unsafe { libc::dup2(file.as_raw_fd(), note.ident as i32) };
    assert_eq!(queue.heard(), [N_ATTRIB]);
}

/// The system removes the note of a file that is closed, and tells nobody. If the same numbers watch the same file later,
/// what happened between is not known: a chmod too many is heard, and nothing too few.
#[test]
fn of_numbers_that_are_used_again_nothing_is_lost() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let mut queue = Program::with(library, &[]).queue();
    let note = queue.watch(&path, CLEAR);
    let end = note.removal();
    // SAFETY: one change.
    let ended = unsafe { (Program::bare().kevent)(queue.number(), &end, 1, null_mut(), 0, null()) };
    assert_eq!(ended, 0);
    touch(&path);
    assert_eq!(queue.change(&[note]), 0);
    hears(
        &queue,
        &[
            (&path, chmod, &[N_ATTRIB]),
            (&path, chmod, &[]),
            (&path, touch, &[N_ATTRIB]),
            (&path, append, &[N_WRITE | N_EXTEND]),
            (&path, chmod, &[]),
        ],
    );
}

/// The table has 4,096 places: whose place is taken hears a chmod too many, and nothing too few.
#[test]
fn a_note_that_is_not_remembered_any_more_loses_nothing() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (one, other) = (file(&real(&dir), "one"), file(&real(&dir), "other"));
    let mut queue = Program::with(library, &[]).queue();
    let first = queue.watch(&one, CLEAR);
    let Some(second) = far_away(&other, first.ident + 4096) else {
        return support::skip_optional("the limit of descriptors is below 4,200");
    };
    let ident = second.as_raw_fd() as u64;
    assert_eq!(queue.change(&[Kevent { ident, ..first }]), 0);
    hears(
        &queue,
        &[
            (&one, chmod, &[N_ATTRIB]),
            (&one, touch, &[N_ATTRIB]),
            (&one, append, &[N_WRITE | N_EXTEND]),
            (&other, chmod, &[]),
            (&other, touch, &[N_ATTRIB]),
        ],
    );
}

/// A file, what is done to it, and what is heard of that.
type Step<'a> = (&'a Path, fn(&Path), &'a [u32]);

fn hears(queue: &Queue, steps: &[Step<'_>]) {
    for (path, change, heard) in steps {
        change(path);
        assert_eq!(queue.heard(), *heard);
    }
}

/// `path`, open as this number.
fn far_away(path: &Path, number: u64) -> Option<OwnedFd> {
    // SAFETY: a limit may be zero, is filled in, and raised to what is allowed.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max.min(8192).max(limit.rlim_cur);
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        let file = std::fs::File::open(path).unwrap();
        let fd = libc::dup2(file.as_raw_fd(), number as i32);
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd))
    }
}
