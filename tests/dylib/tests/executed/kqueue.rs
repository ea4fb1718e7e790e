//! kqueue: which changes of a watched file are handed over.

use std::path::Path;

use dylib::library;
use dylib::program::{Program, append, chmod, touch};
use dylib::system::kqueue::*;

use super::{dir, file, real, variable};

/// What a program hears of a change, with and without the library.
pub fn heard(program: &Program, flags: u16, path: &Path, change: fn(&Path)) -> Vec<u32> {
    let mut queue = program.queue();
    queue.watch(path, flags);
    change(path);
    queue.heard()
}

/// A note of each kind that ends, or is emptied, when it is read: those whose chmod can be taken out.
pub const KINDS: [(&str, u16); 3] = [
    ("clear", CLEAR),
    ("one-shot", ONESHOT),
    ("dispatch", DISPATCH | CLEAR),
];

#[test]
fn a_chmod_is_silent_and_a_touch_and_a_write_are_heard() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let written = vec![N_WRITE | N_EXTEND];
    for (kind, flags) in KINDS {
        let bare = Program::bare();
        assert_eq!(heard(&bare, flags, &path, chmod), [N_ATTRIB], "{kind}");
        let with = Program::with(library, &[]);
        assert_eq!(heard(&with, flags, &path, chmod), [0; 0], "{kind}");
        for program in [bare, with] {
            assert_eq!(heard(&program, flags, &path, touch), [N_ATTRIB], "{kind}");
            assert_eq!(heard(&program, flags, &path, append), written, "{kind}");
        }
    }
}

#[test]
fn an_extended_attribute_is_silent() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let set = |path: &Path| {
        let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let name = c"user.com.apple.lastuseddate";
        // SAFETY: two strings, and one byte.
        unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), c"x".as_ptr().cast(), 1, 0) };
    };
    let bare = heard(&Program::bare(), CLEAR, &path, set);
    if bare.is_empty() {
        return support::skip_optional("this file system has no extended attributes");
    }
    assert_eq!(bare, [N_ATTRIB]);
    assert_eq!(
        heard(&Program::with(library, &[]), CLEAR, &path, set),
        [0; 0]
    );
}

#[test]
fn after_a_silent_chmod_everything_is_heard_as_before() {
    let Some(library) = library() else { return };
    let dir = dir();
    for (kind, flags) in KINDS {
        let path = file(&real(&dir), kind);
        let program = Program::with(library, &[]);
        let mut queue = program.queue();
        let note = queue.watch(&path, flags);
        for _ in 0..3 {
            chmod(&path);
            assert_eq!(queue.heard(), [0; 0], "{kind}");
        }
        append(&path);
        let event = queue.events();
        let fflags = N_WRITE | N_EXTEND;
        assert_eq!(event, [Kevent { fflags, ..event[0] }], "{kind}");
        assert_eq!((event[0].ident, event[0].udata), (note.ident, note.udata));
        assert_eq!(event[0].flags & !ADD & !ENABLE, flags, "{kind}");
    }
}

#[test]
fn a_chmod_beside_a_write_costs_the_write_nothing() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let both = |path: &Path| {
        append(path);
        chmod(path);
    };
    let heard = heard(&Program::with(library, &[]), CLEAR, &path, both);
    // Both changed the modification time, as far as one can see: the attribute is kept.
    assert_eq!(heard, [N_WRITE | N_EXTEND | N_ATTRIB]);
}

#[test]
fn a_chmod_after_a_write_was_heard_is_silent_and_a_touch_is_not() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let mut queue = Program::with(library, &[]).queue();
    queue.watch(&path, CLEAR);
    for _ in 0..3 {
        append(&path);
        assert_eq!(queue.heard(), [N_WRITE | N_EXTEND]);
        chmod(&path);
        assert_eq!(queue.heard(), [0; 0]);
        touch(&path);
        assert_eq!(queue.heard(), [N_ATTRIB]);
    }
}

#[test]
fn a_touch_that_was_not_read_yet_is_not_hidden_by_setting_the_note_anew() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let mut queue = Program::with(library, &[]).queue();
    let note = queue.watch(&path, CLEAR);
    touch(&path);
    assert_eq!(queue.change(&[note]), 0);
    assert_eq!(queue.heard(), [N_ATTRIB]);
}

#[test]
fn a_note_that_was_removed_is_forgotten() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let mut queue = Program::with(library, &[]).queue();
    let note = queue.watch(&path, CLEAR);
    assert_eq!(queue.change(&[note.removal()]), 0);
    touch(&path);
    assert_eq!(queue.change(&[note]), 0);
    // Its time is that of the second note: nothing was touched since.
    chmod(&path);
    assert_eq!(queue.heard(), [0; 0]);
}

#[test]
fn the_end_of_a_file_is_heard() {
    let Some(library) = library() else { return };
    let dir = dir();
    for program in [Program::bare(), Program::with(library, &[])] {
        let path = file(&real(&dir), "config.toml");
        let mut queue = program.queue();
        queue.watch(&path, CLEAR);
        std::fs::rename(&path, path.with_extension("old")).unwrap();
        assert_eq!(queue.heard(), [N_RENAME]);
        std::fs::remove_file(path.with_extension("old")).unwrap();
        assert_eq!(queue.heard(), [N_DELETE | N_LINK]);
    }
}

/// What is silent, by drop or by ignore, and what is not.
#[test]
fn dropped_and_ignored_files_are_silent_and_their_end_is_heard() {
    let Some(library) = library() else { return };
    let dir = dir();
    let root = real(&dir);
    let dropped = variable("WATCHFIX_DROP", &root.join("state"));
    let program = Program::with(library, &[&dropped]);
    for (name, silent) in [
        ("state/deep/config.toml", true),
        ("state", true),
        ("other/logs_2.sqlite-wal", true),
        ("other/logs_2.sqlite", true),
        ("other/config.toml", false),
        ("states/config.toml", false),
    ] {
        let path = match name {
            "state" => root.join(name),
            _ => file(&root, name),
        };
        let mut queue = program.queue();
        queue.watch(&path, CLEAR);
        let change = |path: &Path| match path.is_dir() {
            true => drop(file(path, "new")),
            false => (append(path), touch(path)).1,
        };
        change(&path);
        assert_eq!(queue.heard().is_empty(), silent, "{name}");
        std::fs::rename(&path, root.join("gone")).unwrap();
        assert_eq!(queue.heard(), [N_RENAME], "{name}");
        std::fs::rename(root.join("gone"), &path).unwrap();
    }
}

#[test]
fn a_directory_is_heard_by_whatever_name_it_has() {
    let Some(library) = library() else { return };
    let dir = dir();
    let directory = real(&dir).join("state.sqlite");
    std::fs::create_dir(&directory).unwrap();
    let mut queue = Program::with(library, &[]).queue();
    queue.watch(&directory, CLEAR);
    // No name is given: a log cannot be told from a source file.
    for name in ["main.rs", "logs.sqlite-wal"] {
        file(&directory, name);
        assert_eq!(queue.heard(), [N_WRITE]);
    }
}

#[test]
fn a_home_that_is_a_link_is_followed() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "real/.codex/config.toml");
    std::os::unix::fs::symlink(real(&dir).join("real"), dir.path().join("home")).unwrap();
    let home = variable("HOME", &dir.path().join("home"));
    let program = Program::with(library, &[&home, "WATCHFIX_DROP=~/.codex"]);
    assert_eq!(heard(&program, CLEAR, &path, append), [0; 0]);
}

/// The rules that take whole events out.
#[test]
fn stripped_events_are_not_asked_for() {
    let Some(library) = library() else { return };
    let dir = dir();
    let root = real(&dir);
    let path = file(&root, "config.toml");
    let rename = |path: &Path| {
        std::fs::rename(path, path.with_extension("new")).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    };
    let new = |path: &Path| drop(file(path, "new"));
    type Row<'a> = (&'a str, &'a Path, fn(&Path), bool);
    let rows: [Row<'_>; 7] = [
        ("+attrib", &path, touch, true),
        ("modify", &path, append, true),
        ("modify", &path, chmod, false),
        ("move_self", &path, rename, true),
        ("create,delete,move", &root, new, true),
        ("create", &root, new, false),
        ("none", &path, chmod, false),
    ];
    for (strip, path, change, silent) in rows {
        let rule = format!("WATCHFIX_STRIP={strip}");
        let heard = heard(&Program::with(library, &[&rule]), CLEAR, path, change);
        assert_eq!(heard.is_empty(), silent, "{strip}: {heard:x?}");
    }
}

#[test]
fn settle_changes_nothing() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "config.toml");
    let settle = variable("WATCHFIX_SETTLE", &real(&dir));
    let heard = heard(&Program::with(library, &[&settle]), CLEAR, &path, append);
    assert_eq!(heard, [N_WRITE | N_EXTEND]);
}
