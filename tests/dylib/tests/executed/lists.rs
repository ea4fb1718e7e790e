//! Lists of changes, pointers that lead nowhere, errors, other filters, and kevent64.

use std::ffi::c_int;
use std::os::fd::AsRawFd;
use std::ptr::{null, null_mut, without_provenance_mut};

use dylib::library;
use dylib::program::{Program, append, chmod, touch};
use dylib::system::calls::probes;
use dylib::system::kqueue::*;

use super::kqueue::KINDS;
use super::{dir, file, real};

const NOW: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

fn errno() -> Option<i32> {
    std::io::Error::last_os_error().raw_os_error()
}

#[test]
fn as_many_changes_as_there_are_are_judged_and_the_programs_list_is_not_written_to() {
    let Some(library) = library() else { return };
    let dir = dir();
    for n in [1, 63, 64, 65, 200] {
        let program = Program::with(library, &[]);
        let mut queue = program.queue();
        let name = |i: usize| format!("{n}/{i}.sqlite-wal");
        let notes: Vec<Kevent> = (0..n)
            .map(|i| queue.note(&file(&real(&dir), &name(i)), CLEAR))
            .collect();
        let before = notes.clone();
        assert_eq!(queue.change(&notes), 0);
        assert_eq!(notes, before);
        (0..n).for_each(|i| append(&real(&dir).join(name(i))));
        assert_eq!(queue.heard(), [0; 0], "{n}");
        let plain = queue.watch(&file(&real(&dir), "plain"), CLEAR);
        append(&real(&dir).join("plain"));
        assert_eq!(queue.events()[0].ident, plain.ident);
    }
}

#[test]
fn a_list_of_other_filters_is_handed_on_as_it_is() {
    let Some(library) = library() else { return };
    for program in [Program::bare(), Program::with(library, &[])] {
        let queue = program.queue();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let read = Kevent {
            ident: reader.as_raw_fd() as u64,
            filter: READ,
            flags: ADD,
            udata: 5,
            ..Kevent::default()
        };
        assert_eq!(queue.change(&[read]), 0);
        assert_eq!(queue.events(), []);
        std::io::Write::write_all(&mut writer, b"x").unwrap();
        assert_eq!(queue.events(), [read]);
    }
}

#[test]
fn receipts_and_errors_are_the_systems_own() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "state.sqlite-wal");
    for program in [Program::bare(), Program::with(library, &[])] {
        let mut queue = program.queue();
        let good = queue.note(&path, CLEAR | RECEIPT);
        let bad = Kevent {
            ident: 99_999,
            ..good
        };
        let mut events = [Kevent::default(); 4];
        let changes = [good, bad];
        // SAFETY: two changes, room for four events.
        let got = unsafe {
            (program.kevent)(
                queue.number(),
                changes.as_ptr(),
                2,
                events.as_mut_ptr(),
                4,
                &NOW,
            )
        };
        assert_eq!(got, 2);
        assert_eq!((events[0].flags & ERROR, events[0].data), (ERROR, 0));
        assert_eq!(
            (events[1].flags & ERROR, events[1].data),
            (ERROR, i64::from(libc::EBADF))
        );
        let alone = Kevent { flags: ADD, ..bad };
        assert_eq!((queue.change(&[alone]), errno()), (-1, Some(libc::EBADF)));
        let unknown = good.removal();
        assert_eq!(queue.change(&[unknown]), 0);
        assert_eq!(
            (queue.change(&[unknown]), errno()),
            (-1, Some(libc::ENOENT))
        );
    }
}

/// A page that can be read, and the address behind it, where nothing is.
fn edge() -> *mut u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let all = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, of which half is given back. It lies at a multiple of 64 KiB, which is more than any page.
    unsafe {
        let size = 1 << 16;
        let at = libc::mmap(null_mut(), 3 * size, all, flags, -1, 0);
        let middle = (at as usize).next_multiple_of(size) + size;
        libc::munmap(middle as *mut _, size);
        middle as *mut u8
    }
}

#[test]
fn a_list_that_cannot_be_read_is_the_systems_to_refuse() {
    let Some(library) = library() else { return };
    let program = Program::with(library, &[]);
    let queue = program.queue();
    let nowhere = [
        without_provenance_mut(8),
        without_provenance_mut(usize::MAX - 7),
        edge().wrapping_sub(size_of::<Kevent>()).cast(),
    ];
    for list in nowhere {
        let call = |n: c_int| {
            // SAFETY: the system is to refuse it.
            unsafe { (program.kevent)(queue.number(), list, n, null_mut(), 0, null()) }
        };
        assert_eq!((call(2), errno()), (-1, Some(libc::EFAULT)), "{list:?}");
        assert_eq!((call(-1), call(0)), (0, 0));
    }
    // SAFETY: as above.
    let timeout = unsafe {
        let nowhere = without_provenance_mut::<libc::timespec>(16);
        (program.kevent)(queue.number(), null(), 0, null_mut(), 0, nowhere)
    };
    assert_eq!((timeout, errno()), (-1, Some(libc::EFAULT)));
}

#[test]
fn a_list_at_the_end_of_what_can_be_read_is_judged() {
    let Some(library) = library() else { return };
    let dir = dir();
    let program = Program::with(library, &[]);
    let mut queue = program.queue();
    let note = queue.note(&file(&real(&dir), "state.sqlite-wal"), CLEAR);
    let at: *mut Kevent = edge().wrapping_sub(size_of::<Kevent>()).cast();
    // SAFETY: room for one.
    let placed = unsafe {
        at.write(note);
        (program.kevent)(queue.number(), at, 1, null_mut(), 0, null())
    };
    assert_eq!(placed, 0);
    append(&real(&dir).join("state.sqlite-wal"));
    assert_eq!(queue.heard(), [0; 0]);
}

#[test]
fn memory_is_tried_once() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let mut queue = Program::with(library, &[]).queue();
    let note = queue.watch(&path, CLEAR);
    let before = probes();
    assert!(before > 0);
    let notes = [note];
    (0..10).for_each(|_| assert_eq!(queue.change(&notes), 0));
    assert!(probes() <= before + 2, "{} looks", probes() - before);
}

#[test]
fn errno_stays_where_a_call_succeeds() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let program = Program::with(library, &[]);
    let mut queue = program.queue();
    let note = queue.note(&path, CLEAR);
    // SAFETY: errno's place.
    unsafe { *libc::__errno_location() = 77 };
    let placed = queue.change(&[note]);
    assert_eq!((placed, errno()), (0, Some(77)));
    chmod(&path);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = 78 };
    let heard = queue.heard();
    assert_eq!((heard.len(), errno()), (0, Some(78)));
}

/// A kqueue is used by kevent or by kevent64, and refuses the other.
#[test]
fn kevent64_has_the_same_rules() {
    let Some(library) = library() else { return };
    let dir = dir();
    let chmod_heard = |program: &Program| usize::from(!program.with_library);
    for program in [Program::bare(), Program::with(library, &[])] {
        for (kind, flags) in KINDS {
            // One of its own: of numbers that are used again a chmod may be heard (`doubt`).
            let path = file(&real(&dir), kind);
            let mut queue = program.queue();
            let base = queue.note(&path, flags);
            let note = Kevent64 { base, ext: [0; 2] };
            let number = queue.number();
            let mut events = [Kevent64::default(); 4];
            let mut look = |change: &[Kevent64]| {
                let (list, n) = (change.as_ptr(), change.len() as c_int);
                let (to, room) = (events.as_mut_ptr(), if n > 0 { 0 } else { 4 });
                // SAFETY: a list of changes, room for four events.
                let got =
                    unsafe { (program.kevent64)(number, list, n, to, room, IMMEDIATE, null()) };
                events[..usize::try_from(got).unwrap()]
                    .iter()
                    .map(|e| e.base.fflags)
                    .collect::<Vec<_>>()
            };
            assert_eq!(look(&[note]), [0; 0]);
            chmod(&path);
            assert_eq!(look(&[]).len(), chmod_heard(&program));
            if program.with_library || flags == CLEAR {
                touch(&path);
                assert_eq!(look(&[]), [N_ATTRIB]);
            }
            if flags == CLEAR {
                append(&path);
                assert_eq!(look(&[]), [N_WRITE | N_EXTEND]);
            }
        }
    }
}
