//! Streams: what the system is asked for, and who holds whose context.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::{null, null_mut, without_provenance, without_provenance_mut};

use dylib::library;
use dylib::program::Program;
use dylib::system::calls::allocated;
use dylib::system::fsevents::{Context, Form, refuse, release_all, report, streams};

use super::fsevents::{FILE, FILES, MODIFIED, XATTR, calls, stream, strings};

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
    static INFO: RefCell<Vec<usize>> = const { RefCell::new(vec![]) };
}

/// A reference of the program's: the pointer changes, as a retain may say.
unsafe extern "C" fn retain(info: *const c_void) -> *const c_void {
    HELD.set(HELD.get() + 1);
    info.wrapping_byte_add(1)
}

unsafe extern "C" fn release(_: *const c_void) {
    HELD.set(HELD.get() - 1);
}

unsafe extern "C" fn describe(info: *const c_void) -> *const c_void {
    info.wrapping_byte_add(0x100)
}

unsafe extern "C-unwind" fn info(
    _: *const c_void,
    info: *mut c_void,
    _: usize,
    _: *mut c_void,
    _: *const u32,
    _: *const u64,
) {
    INFO.with_borrow_mut(|all| all.push(info as usize));
}

fn context() -> Context {
    Context {
        version: 0,
        info: without_provenance_mut(0x7000),
        retain: Some(retain),
        release: Some(release),
        describe: Some(describe),
    }
}

#[test]
fn the_system_is_asked_for_what_the_program_asks_for() {
    let Some(library) = library() else { return };
    for program in [Program::bare(), Program::with(library, &[])] {
        // SAFETY: pointers that are handed on.
        unsafe {
            let paths = without_provenance(0x55);
            (program.create)(null(), Some(strings), null(), paths, u64::MAX, 0.25, FILES);
            (program.create_relative)(null(), Some(strings), null(), 42, paths, 7, 0.5, FILES);
        }
        let made: Vec<_> = streams()
            .iter()
            .map(|s| (s.paths, s.since, s.latency, s.flags, s.device))
            .collect();
        let wanted = [
            (0x55, u64::MAX, 0.25, FILES, None),
            (0x55, 7, 0.5, FILES, Some(42)),
        ];
        assert_eq!(made, wanted);
        release_all();
    }
}

#[test]
fn a_stream_relative_to_a_device_is_judged_by_name() {
    let Some(library) = library() else { return };
    let program = Program::with(library, &[]);
    // SAFETY: pointers that are handed on.
    unsafe { (program.create_relative)(null(), Some(strings), null(), 42, null(), 7, 0.1, FILES) };
    let stream = streams()[0];
    let events = [
        ("p/logs.sqlite-wal", MODIFIED | FILE),
        ("p/a.rs", MODIFIED | FILE),
    ];
    let heard = calls(&stream, &events);
    assert_eq!(heard, [[("p/a.rs".to_owned(), MODIFIED | FILE, 1001)]]);
}

#[test]
fn the_callback_gets_the_programs_own_info() {
    let Some(library) = library() else { return };
    // A context without a retain, and one at an odd address, as FSEvents.h allows.
    let plain = Context {
        retain: None,
        release: None,
        ..context()
    };
    let mut bytes = [0u8; size_of::<Context>() + 2];
    let odd: *mut Context = bytes
        .as_mut_ptr()
        .wrapping_add(2 - bytes.as_ptr() as usize % 2 - 1)
        .cast();
    // SAFETY: the bytes have room for it, wherever it begins.
    unsafe { odd.write_unaligned(context()) };
    for program in [Program::bare(), Program::with(library, &[])] {
        for (given, wanted) in [
            (&raw const plain, 0x7000),
            (odd.cast_const(), 0x7001),
            (null(), 0),
        ] {
            // SAFETY: each is null or a context.
            let stream = unsafe { program.stream_with(info, given, FILES) };
            // Whole, shortened, and not at all.
            report(&stream, &[("/p/a", MODIFIED | FILE)]);
            report(
                &stream,
                &[("/p/a", MODIFIED | FILE), ("/p/b", XATTR | FILE)],
            );
            report(&stream, &[("/p/b", XATTR | FILE)]);
            let calls = if program.with_library { 2 } else { 3 };
            assert_eq!(INFO.take(), vec![wanted; calls]);
        }
        release_all();
    }
}

#[test]
fn what_is_retained_is_released() {
    let Some(library) = library() else { return };
    let before = allocated();
    for program in [Program::bare(), Program::with(library, &[])] {
        for form in Form::ALL {
            let stream = program.stream(info, Some(context()), FILES);
            assert_eq!(HELD.get(), 1);
            // A second holder, as CoreFoundation's own streams have.
            // SAFETY: the context's own functions.
            unsafe {
                let (retain, release) = (
                    stream.context.retain.unwrap(),
                    stream.context.release.unwrap(),
                );
                let info = retain(stream.context.info);
                assert_eq!(HELD.get(), 2);
                release(info);
            }
            let other = super::fsevents::stream(&program, form, FILES);
            calls(&other, &[("/p/a", MODIFIED | FILE), ("/p/b", XATTR | FILE)]);
            assert_eq!(HELD.get(), 1);
            release_all();
            assert_eq!((HELD.get(), allocated()), (0, before));
        }
    }
}

#[test]
fn the_description_is_the_programs_own() {
    let Some(library) = library() else { return };
    let program = Program::with(library, &[]);
    let stream = program.stream(info, Some(context()), FILES);
    let describe = stream.context.describe.unwrap();
    // SAFETY: the context's own function.
    let text = unsafe { describe(stream.context.info) };
    assert_eq!(text as usize, 0x7101);
    let none = Context {
        describe: None,
        ..context()
    };
    let given = program.stream(info, Some(none), FILES).context.describe;
    assert!(given.is_none());
    release_all();
}

#[test]
fn a_stream_that_is_not_made_leaves_nothing_behind() {
    let Some(library) = library() else { return };
    let program = Program::with(library, &[]);
    let before = allocated();
    refuse(true);
    // SAFETY: a context of the test's.
    let made = unsafe { (program.create)(null(), Some(info), &context(), null(), 0, 0.0, FILES) };
    assert_eq!((made, allocated(), HELD.get()), (null_mut(), before, 0));
}

/// The callback's frame is a program's way out: what it is handed stays while it runs, and it may hand it on.
#[test]
fn a_callback_may_make_streams_and_let_them_go() {
    let Some(library) = library() else { return };
    thread_local!(static PROGRAM: RefCell<Option<Program>> = const { RefCell::new(None) });
    unsafe extern "C-unwind" fn inner(
        _: *const c_void,
        _: *mut c_void,
        n: usize,
        _: *mut c_void,
        _: *const u32,
        _: *const u64,
    ) {
        let program = PROGRAM.with_borrow(Clone::clone).unwrap();
        let other = stream(&program, Form::Array, FILES);
        let heard = calls(&other, &[("/p/a", MODIFIED | FILE), ("/p/b", XATTR | FILE)]);
        assert_eq!((n, heard.len()), (1, 1));
        INFO.with_borrow_mut(|all| all.push(n));
    }
    let program = Program::with(library, &[]);
    PROGRAM.set(Some(program.clone()));
    let outer = program.stream(inner, None, FILES);
    report(&outer, &[("/p/b", XATTR | FILE), ("/p/a", MODIFIED | FILE)]);
    assert_eq!(INFO.take(), [1]);
}
