//! FSEvents: which events of a stream are handed over, and with which flags.

use std::cell::RefCell;
use std::ffi::{CStr, c_void};
use std::ptr::null;

use dylib::library;
use dylib::program::Program;
use dylib::system::core_foundation::{self as cf, Value};
use dylib::system::fsevents::{Form, Stream, path, report};

// kFSEventStreamEventFlag...
pub const CREATED: u32 = 0x100;
pub const REMOVED: u32 = 0x200;
pub const META: u32 = 0x400;
pub const RENAMED: u32 = 0x800;
pub const MODIFIED: u32 = 0x1000;
pub const FINDER: u32 = 0x2000;
pub const OWNER: u32 = 0x4000;
pub const XATTR: u32 = 0x8000;
pub const FILE: u32 = 0x1_0000;
pub const DIRECTORY: u32 = 0x2_0000;

/// kFSEventStreamCreateFlagFileEvents, and NoDefer.
pub const FILES: u32 = 0x12;

/// Path, flags and id of an event.
pub type Event = (String, u32, u64);

thread_local! {
    static HEARD: RefCell<Vec<Vec<Event>>> = const { RefCell::new(vec![]) };
}

unsafe fn note(n: usize, flags: *const u32, ids: *const u64, path: impl Fn(usize) -> String) {
    // SAFETY: as many flags and ids as there are events.
    let event = |i| unsafe { (path(i), *flags.add(i), *ids.add(i)) };
    let events = (0..n).map(event).collect();
    HEARD.with_borrow_mut(|all| all.push(events));
}

/// The callback of a stream whose paths are C strings.
pub unsafe extern "C-unwind" fn strings(
    _: *const c_void,
    _: *mut c_void,
    n: usize,
    paths: *mut c_void,
    flags: *const u32,
    ids: *const u64,
) {
    // SAFETY: an array of strings.
    unsafe {
        note(n, flags, ids, |i| {
            let text = *paths.cast::<*const std::ffi::c_char>().add(i);
            CStr::from_ptr(text).to_string_lossy().into_owned()
        });
    }
}

/// That of one whose paths are an array.
pub unsafe extern "C-unwind" fn array(
    _: *const c_void,
    _: *mut c_void,
    n: usize,
    paths: *mut c_void,
    flags: *const u32,
    ids: *const u64,
) {
    // SAFETY: an array of objects.
    unsafe {
        let Value::Array(values) = cf::value(paths) else {
            panic!("not an array");
        };
        assert_eq!(values.len(), n);
        note(n, flags, ids, |i| path(values[i]));
    }
}

/// What the calls of the callback were handed while `events` were reported.
pub fn calls(stream: &Stream, events: &[(&str, u32)]) -> Vec<Vec<Event>> {
    HEARD.take();
    let before = cf::live();
    report(stream, events);
    assert_eq!(cf::live(), before, "every object is released");
    HEARD.take()
}

pub fn stream(program: &Program, form: Form, flags: u32) -> Stream {
    let callback = match form {
        Form::Strings => strings,
        Form::Array | Form::Dictionaries => array,
    };
    program.stream(callback, None, flags | form.flags())
}

/// What is left of one event.
fn left(program: &Program, flags: u32, path: &str, event: u32) -> Option<u32> {
    let stream = stream(program, Form::Strings, flags);
    match &calls(&stream, &[(path, event)])[..] {
        [] => None,
        [one] => Some(one[0].1),
        more => panic!("{more:?}"),
    }
}

/// What is left of each event of a stream of files, under the default rules and `WATCHFIX_DROP=~/.codex`.
const EVENTS: [(&str, u32, Option<u32>); 18] = [
    ("/p/written.rs", MODIFIED | FILE, Some(MODIFIED | FILE)),
    ("/p/new.rs", CREATED | FILE, Some(CREATED | FILE)),
    ("/p/gone.rs", REMOVED | FILE, Some(REMOVED | FILE)),
    ("/p/renamed.rs", RENAMED | FILE, Some(RENAMED | FILE)),
    ("/p/touched.rs", META | FILE, Some(META | FILE)),
    // chmod, chown; quarantine, provenance, last used; the Finder.
    ("/p/chmod.rs", OWNER | FILE, None),
    ("/p/xattr.rs", XATTR | FILE, None),
    ("/p/finder.rs", FINDER | OWNER | XATTR | FILE, None),
    ("/p/both.rs", MODIFIED | XATTR | FILE, Some(MODIFIED | FILE)),
    ("/p/directory", OWNER | DIRECTORY, None),
    ("/p/logs_2.sqlite-wal", MODIFIED | FILE, None),
    ("/p/logs_2.sqlite", CREATED | MODIFIED | FILE, None),
    (
        "/p/x.sqlite",
        CREATED | DIRECTORY,
        Some(CREATED | DIRECTORY),
    ),
    ("/Users/u/.codex/log", CREATED | MODIFIED | FILE, None),
    (
        "/Users/u/.codexes/a",
        MODIFIED | FILE,
        Some(MODIFIED | FILE),
    ),
    // Must scan: events were lost. The root has changed.
    ("/Users/u/.codex", 0x3 | DIRECTORY, Some(0x3 | DIRECTORY)),
    ("/p", 0x20, Some(0x20)),
    // One that says nothing of a change.
    ("/p/unknown", 0x80_0000 | FILE, Some(0x80_0000 | FILE)),
];

#[test]
fn what_is_left_of_events_is_the_same_in_every_form() {
    let Some(library) = library() else { return };
    let events = EVENTS.map(|(path, flags, _)| (path, flags));
    let with = Program::with(library, &["HOME=/Users/u", "WATCHFIX_DROP=~/.codex"]);
    for form in Form::ALL {
        let all: Vec<Event> = (1000..)
            .zip(events)
            .map(|(id, (path, flags))| (path.to_owned(), flags, id))
            .collect();
        assert_eq!(
            calls(&stream(&Program::bare(), form, FILES), &events),
            [all]
        );
        let wanted: Vec<Event> = (1000..)
            .zip(EVENTS)
            .filter_map(|(id, (path, _, left))| Some((path.to_owned(), left?, id)))
            .collect();
        let heard = calls(&stream(&with, form, FILES), &events);
        assert_eq!(heard, [wanted], "{form:?}");
    }
}

#[test]
fn each_event_alone_is_judged_alike() {
    let Some(library) = library() else { return };
    let with = Program::with(library, &["HOME=/Users/u", "WATCHFIX_DROP=~/.codex"]);
    for (path, flags, wanted) in EVENTS {
        assert_eq!(left(&with, FILES, path, flags), wanted, "{path}");
    }
}

#[test]
fn what_is_handed_over_whole_is_the_systems_own_memory() {
    let Some(library) = library() else { return };
    thread_local!(static AT: RefCell<Vec<usize>> = const { RefCell::new(vec![]) });
    unsafe extern "C-unwind" fn addresses(
        _: *const c_void,
        _: *mut c_void,
        _: usize,
        paths: *mut c_void,
        flags: *const u32,
        ids: *const u64,
    ) {
        AT.set(vec![paths as usize, flags as usize, ids as usize]);
    }
    let program = Program::with(library, &[]);
    let stream = program.stream(addresses, None, FILES);
    let (paths, flags, ids) = ([c"/p/a.rs".as_ptr()], [MODIFIED | FILE], [7u64]);
    let at = [
        paths.as_ptr() as usize,
        flags.as_ptr() as usize,
        ids.as_ptr() as usize,
    ];
    // SAFETY: one path, flags and id.
    unsafe {
        let (info, paths) = (stream.context.info, paths.as_ptr().cast_mut().cast());
        (stream.callback)(null(), info, 1, paths, flags.as_ptr(), ids.as_ptr());
    }
    assert_eq!(AT.take(), at);
}

#[test]
fn of_many_events_those_that_are_left_come_in_one_call_and_in_their_order() {
    let Some(library) = library() else { return };
    let program = Program::with(library, &[]);
    for n in [1, 2, 64, 65, 500] {
        let one = |i| ("/p/a.rs", if i % 3 == 0 { XATTR } else { MODIFIED } | FILE);
        let many: Vec<(&str, u32)> = (0..n).map(one).collect();
        for form in Form::ALL {
            let heard = calls(&stream(&program, form, FILES), &many);
            let ids: Vec<u64> = heard.iter().flatten().map(|event| event.2).collect();
            let wanted: Vec<u64> = (0..n).filter(|i| i % 3 != 0).map(|i| 1000 + i).collect();
            assert_eq!(ids, wanted, "{n} {form:?}");
            assert_eq!(heard.len(), usize::from(!wanted.is_empty()), "{n} {form:?}");
        }
    }
}

/// Such a stream says of a directory that something in it changed, and never what.
#[test]
fn a_stream_of_directories_is_dropped_and_not_judged_otherwise() {
    let Some(library) = library() else { return };
    let program = Program::with(library, &["WATCHFIX_DROP=/p/state"]);
    for (path, wanted) in [
        ("/p/", Some(0)),
        ("/p/x.sqlite/", Some(0)),
        ("/p/state/", None),
        ("/p/state/deep/", None),
    ] {
        assert_eq!(left(&program, 0x2, path, 0), wanted, "{path}");
    }
}

#[test]
fn stripped_events_are_taken_out_of_the_flags() {
    let Some(library) = library() else { return };
    let all = CREATED | REMOVED | META | RENAMED | MODIFIED | FINDER | OWNER | XATTR | FILE;
    let attributes = FINDER | OWNER | XATTR;
    for (strip, gone) in [
        ("none", 0),
        ("open", 0),
        ("chmod", attributes),
        ("attrib", attributes | META),
        ("modify", MODIFIED),
        ("create", CREATED),
        ("delete", REMOVED),
        ("moved_from", 0),
        ("move", RENAMED),
        ("+modify", attributes | MODIFIED),
    ] {
        let rule = format!("WATCHFIX_STRIP={strip}");
        let program = Program::with(library, &[&rule]);
        assert_eq!(
            left(&program, FILES, "/p/a", all),
            Some(all & !gone),
            "{strip}"
        );
    }
}

#[test]
fn a_path_that_cannot_be_told_is_handed_over() {
    let Some(library) = library() else { return };
    let program = Program::with(library, &["WATCHFIX_DROP=/p", "WATCHFIX_IGNORE=*"]);
    let long = format!("/p/{}", "x".repeat(1100));
    for form in [Form::Array, Form::Dictionaries] {
        let heard = calls(
            &stream(&program, form, FILES),
            &[(&long, MODIFIED | XATTR | FILE)],
        );
        assert_eq!(heard[0][0].1, MODIFIED | FILE, "{form:?}");
    }
    // A C string is read where it lies, however long it is.
    assert_eq!(left(&program, FILES, &long, MODIFIED | FILE), None);
}
