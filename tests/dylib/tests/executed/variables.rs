//! The variables: read once, by whom, and what is wrong with them.

use dylib::library;
use dylib::program::{Program, append, chmod};
use dylib::system::calls::set_privileged;
use dylib::system::fsevents::Form;
use dylib::system::kqueue::*;

use super::fsevents::{FILE, FILES, XATTR, calls, stream};
use super::{dir, file, real};

/// What a program hears of a chmod and of a write to a log.
fn heard(program: &Program) -> (Vec<u32>, Vec<u32>, usize) {
    let dir = dir();
    let (plain, log) = (
        file(&real(&dir), "plain"),
        file(&real(&dir), "state.sqlite-wal"),
    );
    let mut queue = program.queue();
    queue.watch(&plain, CLEAR);
    chmod(&plain);
    let one = queue.heard();
    let mut queue = program.queue();
    queue.watch(&log, CLEAR);
    append(&log);
    let other = queue.heard();
    let events = calls(
        &stream(program, Form::Strings, FILES),
        &[("/p/a", XATTR | FILE)],
    );
    (one, other, events.len())
}

const FIXED: (Vec<u32>, Vec<u32>, usize) = (vec![], vec![], 0);

fn bare() -> (Vec<u32>, Vec<u32>, usize) {
    (vec![N_ATTRIB], vec![N_WRITE | N_EXTEND], 1)
}

#[test]
fn off_changes_nothing() {
    let Some(library) = library() else { return };
    assert_eq!(heard(&Program::bare()), bare());
    assert_eq!(heard(&Program::with(library, &[])), FIXED);
    assert_eq!(heard(&Program::with(library, &["WATCHFIX_OFF=1"])), bare());
    assert_eq!(heard(&Program::with(library, &["WATCHFIX_OFF=0"])), FIXED);
}

#[test]
fn each_part_of_the_rules_is_its_variables() {
    let Some(library) = library() else { return };
    let with = |variables: &[&str]| heard(&Program::with(library, variables));
    let (attrib, written) = (vec![N_ATTRIB], vec![N_WRITE | N_EXTEND]);
    assert_eq!(with(&["WATCHFIX_STRIP=none"]), (attrib, vec![], 1));
    assert_eq!(with(&["WATCHFIX_IGNORE=none"]), (vec![], written, 0));
    // The first of two counts; an empty one counts as not set.
    assert_eq!(with(&["WATCHFIX_OFF=1", "WATCHFIX_OFF=0"]), bare());
    assert_eq!(with(&["WATCHFIX_OFF="]), FIXED);
    assert_eq!(with(&["WATCHFIX_OFFS=1"]), FIXED);
}

/// A program with rights that its user has not is not ruled by that user's variables.
#[test]
fn a_privileged_program_has_the_defaults() {
    let Some(library) = library() else { return };
    set_privileged(true);
    assert_eq!(heard(&Program::with(library, &["WATCHFIX_OFF=1"])), FIXED);
}

#[test]
fn a_rule_that_cannot_be_read_stays_at_its_default() {
    let Some(library) = library() else { return };
    let wrong = [
        "WATCHFIX_STRIP=opne",
        "WATCHFIX_IGNORE=a/b",
        "WATCHFIX_DROP=x",
    ];
    assert_eq!(heard(&Program::with(library, &wrong)), FIXED);
}

/// It is what the program was started with: later changes of the environment are the program's own.
#[test]
fn the_texts_are_copied() {
    let Some(library) = library() else { return };
    let dir = dir();
    let path = file(&real(&dir), "state/a");
    let drop = super::variable("WATCHFIX_DROP", &real(&dir).join("state"));
    let program = Program::with(library, &[&drop]);
    dylib::system::calls::overwrite_environment();
    let mut queue = program.queue();
    queue.watch(&path, CLEAR);
    append(&path);
    assert_eq!(queue.heard(), [0; 0]);
}
