//! Calls that wait. The answers of the kernel, and its clock, are written down beforehand.

use dylib::library;
use dylib::program::{Program, Queue, append};
use dylib::system::calls::set_clock;
use dylib::system::kqueue::*;
use dylib::system::scripted::{Answer, Asked, answer, asked};

use super::{dir, file, real};

const MS: u64 = 1_000_000;

/// A program that watches a file, and the event of a chmod of it.
fn watching(library: &[u8], path: &std::path::Path, flags: u16) -> (Queue, Kevent) {
    let mut queue = Program::with(library, &[]).queue();
    let note = queue.watch(path, CLEAR | flags);
    set_clock(5_000 * MS);
    let chmod = Kevent {
        fflags: N_ATTRIB,
        ..note
    };
    (queue, chmod)
}

fn waited(timeout: Option<u64>) -> Asked {
    Asked {
        changes: vec![],
        timeout,
    }
}

#[test]
fn removed_events_do_not_start_a_timeout_anew() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (queue, chmod) = watching(library, &file(&real(&dir), "f"), 0);
    answer(vec![
        Answer::after(40 * MS, &[chmod]),
        Answer::after(100 * MS, &[chmod]),
        Answer::after(160 * MS, &[]),
    ]);
    assert_eq!(queue.wait(Some(300)), Ok(vec![]));
    let waits = [300, 260, 160].map(|ms| waited(Some(ms * MS)));
    assert_eq!(asked(), waits);
}

#[test]
fn a_timeout_that_is_over_is_not_waited_for_again() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (queue, chmod) = watching(library, &file(&real(&dir), "f"), 0);
    answer(vec![Answer::after(301 * MS, &[chmod])]);
    assert_eq!(queue.wait(Some(300)), Ok(vec![]));
    assert_eq!(asked(), [waited(Some(300 * MS))]);
}

/// libuv ends where kevent answers 0 although it set no timeout.
#[test]
fn without_a_timeout_there_is_no_answer_without_an_event() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (queue, chmod) = watching(library, &file(&real(&dir), "f"), 0);
    let write = Kevent {
        fflags: N_WRITE,
        ..chmod
    };
    answer(vec![
        Answer::after(MS, &[chmod]),
        Answer::after(MS, &[chmod, chmod]),
        Answer::after(MS, &[chmod, write, chmod]),
    ]);
    assert_eq!(queue.wait(None), Ok(vec![write]));
    assert_eq!(asked(), [waited(None), waited(None), waited(None)]);
}

#[test]
fn a_look_that_does_not_wait_comes_back_at_once() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (queue, chmod) = watching(library, &file(&real(&dir), "f"), 0);
    answer(vec![Answer::after(MS, &[chmod])]);
    assert_eq!(queue.wait(Some(0)), Ok(vec![]));
    assert_eq!(asked(), [waited(Some(0))]);
}

/// Others may lie behind a full list.
#[test]
fn a_full_list_that_is_removed_is_followed_by_the_next() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (queue, chmod) = watching(library, &file(&real(&dir), "f"), 0);
    let write = Kevent {
        fflags: N_WRITE,
        ..chmod
    };
    answer(vec![
        Answer::after(MS, &[chmod; 8]),
        Answer::after(MS, &[write]),
    ]);
    assert_eq!(queue.wait(Some(0)), Ok(vec![write]));
    assert_eq!(asked(), [waited(Some(0)), waited(Some(0))]);
}

#[test]
fn an_interrupted_wait_is_interrupted() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (queue, chmod) = watching(library, &file(&real(&dir), "f"), 0);
    let interrupted = Answer {
        events: Err(libc::EINTR),
        ..Answer::after(MS, &[])
    };
    answer(vec![Answer::after(MS, &[chmod]), interrupted]);
    assert_eq!(queue.wait(None), Err(libc::EINTR));
    asked();
}

/// It is used up when it is handed over, so it is placed again: as it was, and by the same call.
#[test]
fn a_one_shot_note_is_placed_again_with_its_own_mask() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "f");
    let mut queue = Program::with(library, &["WATCHFIX_STRIP=+move_self"]).queue();
    let note = queue.watch(&path, ONESHOT);
    let chmod = Kevent {
        fflags: N_ATTRIB,
        ..note
    };
    answer(vec![
        Answer::after(MS, &[chmod]),
        Answer::after(0, &[]),
        Answer::after(MS, &[]),
    ]);
    set_clock(0);
    assert_eq!(queue.wait(Some(10)), Ok(vec![]));
    let [_, again, _] = asked().try_into().unwrap();
    let fflags = note.fflags & !N_RENAME;
    assert_eq!(again.changes, [Kevent { fflags, ..note }]);
}

#[test]
fn what_happens_before_a_one_shot_note_is_placed_again_is_not_lost() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "f");
    let (queue, chmod) = watching(library, &path, ONESHOT);
    let edit = Answer {
        also: Box::new(move || append(&path)),
        ..Answer::after(0, &[])
    };
    // The second is the call that places it again, the third takes it away: a one-shot note has one event.
    answer(vec![
        Answer::after(MS, &[chmod]),
        edit,
        Answer::after(0, &[]),
    ]);
    assert_eq!(queue.wait(None), Ok(vec![chmod]));
    let [_, again, gone] = asked().try_into().unwrap();
    assert_eq!(again.changes[0].flags & ADD, ADD);
    assert_eq!(gone.changes[0].flags, DELETE);
}

#[test]
fn a_one_shot_note_that_cannot_be_placed_again_is_handed_over() {
    let Some(library) = library() else { return };
    let dir = dir();
    let (queue, chmod) = watching(library, &file(&real(&dir), "f"), ONESHOT);
    let refused = Answer {
        events: Err(libc::ENOMEM),
        ..Answer::after(0, &[])
    };
    answer(vec![Answer::after(MS, &[chmod]), refused]);
    assert_eq!(queue.wait(None), Ok(vec![chmod]));
    asked();
}
