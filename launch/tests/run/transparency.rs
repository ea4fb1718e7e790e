//! Where no rule is about anything, a program cannot tell that it is supervised.

use preload::transparency::{Engine, assert_as_bare};
use std::ffi::OsString;

fn under(flags: &[&str], variables: &[(&'static str, &str)]) -> Engine {
    let words = [env!("CARGO_BIN_EXE_watchfix"), "run", "--engine", "seccomp"];
    let words = words.iter().chain(flags).chain(&["--"]);
    let variables = variables.iter().map(|(name, text)| (*name, (*text).into()));
    Engine {
        prefix: words.map(OsString::from).collect(),
        variables: variables.collect(),
    }
}

#[test]
fn turned_off_it_cannot_be_told() {
    assert_as_bare(&under(&["--drop", "/"], &[("WATCHFIX_OFF", "1")]));
}

#[test]
fn with_rules_about_nothing_it_cannot_be_told() {
    let none = ["--strip", "none", "--ignore", "none", "--settle", "none"];
    assert_as_bare(&under(&none, &[]));
}

#[test]
fn with_rules_that_match_nothing_it_cannot_be_told_though_every_watch_is_judged() {
    let flags = [
        "--strip",
        "none",
        "--ignore",
        "no such file",
        "--drop",
        "/no/such/directory",
        "--settle",
        "+/no/such/directory",
        "--max-watches",
        "1000",
    ];
    assert_as_bare(&under(&flags, &[]));
}
