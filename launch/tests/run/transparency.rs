//! Where no rule is about anything, a program cannot tell that it is supervised.

use super::given::{Dir, NOBODY};
use preload::transparency::Linked::{Dynamically, Statically};
use preload::transparency::{ABOUT_NOTHING, Engine, assert_as_bare, has_places_of_its_own};
use std::ffi::OsString;
use std::path::Path;

const NOTHING: [&str; 6] = ["--strip", "none", "--ignore", "none", "--settle", "none"];

fn under(watchfix: &Path, engine: &str, rules: &[&str]) -> Engine {
    let mut prefix: Vec<OsString> = vec![watchfix.into()];
    prefix.extend(["run", "--engine", engine].map(OsString::from));
    prefix.extend(rules.iter().map(OsString::from));
    prefix.push("--".into());
    Engine {
        prefix,
        // Where reads are judged, which is not where the library makes the instance.
        chooses_numbers: engine == "seccomp",
        ..Engine::default()
    }
}

fn supervised(rules: &[&str]) -> Engine {
    under(Path::new(env!("CARGO_BIN_EXE_watchfix")), "seccomp", rules)
}

#[test]
fn a_program_cannot_tell_that_watchfix_is_there_but_off() {
    let mut engine = supervised(&["--drop", "/"]);
    engine.variables.push(("WATCHFIX_OFF", "1".into()));
    assert_as_bare(&engine, Dynamically);
}

#[test]
fn a_program_cannot_tell_rules_about_nothing() {
    assert_as_bare(&supervised(&NOTHING), Dynamically);
}

#[test]
fn a_program_cannot_tell_that_every_watch_is_judged_by_rules_that_match_nothing() {
    assert_as_bare(&supervised(&ABOUT_NOTHING), Dynamically);
}

#[test]
fn a_static_program_cannot_tell_that_it_is_supervised() {
    assert_as_bare(&supervised(&ABOUT_NOTHING), Statically);
}

#[test]
fn a_program_cannot_tell_that_it_has_the_library_and_a_supervisor() {
    // The library lies beside it.
    let watchfix = support::watchfix();
    assert_as_bare(&under(watchfix, "auto", &ABOUT_NOTHING), Dynamically);
}

#[test]
fn a_user_without_privileges_cannot_tell_that_a_program_is_supervised() {
    if !has_places_of_its_own() {
        return support::skip("needs root, to be another user with a file system of its own");
    }
    let dir = Dir::new();
    let watchfix = dir.install(Path::new(env!("CARGO_BIN_EXE_watchfix")));
    let mut engine = under(&watchfix, "seccomp", &ABOUT_NOTHING);
    engine.user = Some(NOBODY);
    assert_as_bare(&engine, Dynamically);
}
