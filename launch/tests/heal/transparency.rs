//! What a program that is healed between any two of its steps reads is what it reads by itself, where the rules
//! are about nothing it has, and where they are taken back before its next step.

use super::stage::{Run, ask, heal, heal_as, keeper, masks, needs_root, shared, watchfix};
use preload::transparency::Linked::{self, Dynamically, Statically};
use preload::transparency::{ABOUT_NOTHING, Engine, has_places_of_its_own};
use std::cell::Cell;
use std::rc::Rc;

/// Everything becomes silent, flags apart.
const ABOUT_EVERYTHING: [&str; 2] = ["--strip", "all_events"];

/// Plays the scenarios with `between` done between the steps.
fn assert_as_bare(linked: Linked, user: Option<u32>, between: impl Fn(u32) + 'static) {
    if !has_places_of_its_own() {
        return support::skip(
            "needs root, to mount a file system that is seen by one process alone",
        );
    }
    let engine = Engine {
        between: Some(Box::new(between)),
        user,
        ..Engine::default()
    };
    preload::transparency::assert_as_bare(&engine, linked);
}

/// A watch of which not enough is known (its file is deleted) may be left: then the status is 1, and said is
/// which. Nothing else goes wrong.
#[track_caller]
fn good_or_in_part(run: Run) -> String {
    assert!(
        run.code <= 1 && run.err.is_empty(),
        "{} {}",
        run.code,
        run.err
    );
    run.out
}

/// Heals by `rules` and takes that back. Says whether there was anything to heal.
fn there_and_back(heal: impl Fn(&[&str]) -> Run, rules: &[&str]) -> bool {
    if !good_or_in_part(heal(rules)).starts_with("healed ") {
        return false;
    }
    good_or_in_part(heal(&["--undo"]));
    true
}

/// Whether a changed watch can keep its flags.
fn flags_are_shown() -> bool {
    let mut victim = keeper(&["serve"]);
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 80000002 /"));
    masks(victim.pid()).contains_key(&0x8000_0002)
}

/// The whole play with every watch healed and restored at every step, by `heal` for the user.
fn assert_as_bare_there_and_back(
    linked: Linked,
    user: Option<u32>,
    rules: &'static [&'static str],
    heal: impl Fn(u32, &[&str]) -> Run + 'static,
) {
    if !flags_are_shown() {
        return support::skip("fdinfo shows IN_ONESHOT and IN_EXCL_UNLINK since Linux 5.19");
    }
    let healed = Rc::new(Cell::new(0));
    let count = healed.clone();
    assert_as_bare(linked, user, move |pid| {
        let there_was = there_and_back(|args| heal(pid, args), rules);
        count.set(count.get() + usize::from(there_was));
    });
    assert!(healed.get() > 100, "{healed:?}");
}

#[test]
fn a_program_cannot_tell_that_watchfix_is_there_but_off() {
    assert_as_bare(Dynamically, None, |pid| {
        let mut command = watchfix();
        command.env("WATCHFIX_OFF", "1");
        command.args(["heal", "--drop", "/", &pid.to_string()]);
        Run::of(command.output().unwrap()).good();
    });
}

#[test]
fn a_program_cannot_tell_that_it_is_healed_by_rules_about_nothing() {
    assert_as_bare(Dynamically, None, |pid| {
        good_or_in_part(heal(pid, &ABOUT_NOTHING));
    });
}

#[test]
fn a_static_program_cannot_tell_that_it_is_healed_by_rules_about_nothing() {
    assert_as_bare(Statically, None, |pid| {
        good_or_in_part(heal(pid, &ABOUT_NOTHING));
    });
}

#[test]
fn a_program_cannot_tell_that_it_was_healed_and_undone_between_two_steps() {
    assert_as_bare_there_and_back(Dynamically, None, &ABOUT_EVERYTHING, heal);
}

#[test]
fn a_static_program_cannot_tell_that_the_default_rules_were_applied_and_undone() {
    assert_as_bare_there_and_back(Statically, None, &[], heal);
}

/// A user who may not open file handles, so that heal must search for the watched inodes.
const USER: u32 = 60_991;

#[test]
fn a_program_cannot_tell_that_a_user_without_privileges_heals_it_by_rules_about_nothing() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    assert_as_bare(Dynamically, Some(USER), move |pid| {
        good_or_in_part(heal_as(USER, &path, pid, &ABOUT_NOTHING));
    });
}

#[test]
fn a_program_cannot_tell_that_a_user_without_privileges_healed_and_undid_it() {
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    let heal = move |pid, args: &[&str]| heal_as(USER, &path, pid, args);
    assert_as_bare_there_and_back(Dynamically, Some(USER), &ABOUT_EVERYTHING, heal);
}
