//! Where no rule is about anything, a program cannot tell that the library is there.

use preload::transparency::{Engine, Linked, assert_as_bare};

fn assert_it_cannot_be_told(rules: &[(&'static str, &str)]) {
    assert_as_bare(&Engine::preload(rules), Linked::Dynamically);
}

#[test]
fn a_program_cannot_tell_that_watchfix_is_there_but_off() {
    assert_it_cannot_be_told(&[
        ("WATCHFIX_OFF", "1"),
        ("WATCHFIX_DROP", "/"),
        ("WATCHFIX_SETTLE", "/"),
        ("WATCHFIX_MAX_WATCHES", "0"),
    ]);
}

#[test]
fn a_program_cannot_tell_rules_that_strip_and_ignore_nothing() {
    assert_it_cannot_be_told(&[("WATCHFIX_STRIP", "none"), ("WATCHFIX_IGNORE", "none")]);
}

#[test]
fn a_program_cannot_tell_rules_that_match_nothing() {
    assert_it_cannot_be_told(&[
        ("WATCHFIX_STRIP", "none"),
        ("WATCHFIX_IGNORE", "no such file"),
        ("WATCHFIX_DROP", "/no/such/directory"),
        ("WATCHFIX_SETTLE", "/no/such/directory"),
        ("WATCHFIX_MAX_WATCHES", "1000"),
        ("WATCHFIX_RUN", "1"),
    ]);
}
