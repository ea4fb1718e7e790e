//! What is checked, in this order.

mod diagnosis;
mod heal;
mod pause;
mod run;
mod shared;
mod smoke;

use crate::machine::Machine;
use crate::watcher::{KINDS, Kind};

const PATHS: &str = "fdscan names no wrong path and counts descriptors";

/// A check: it fails by panicking.
pub type Check = Box<dyn Fn(&Machine)>;

/// Those for a row of scripts/test-kernels, by name.
pub fn of(label: &str) -> Vec<(String, Check)> {
    match label.starts_with("9p-") || label.starts_with("virtiofs-") {
        true => on_a_share(),
        false => all(),
    }
}

fn on_a_share() -> Vec<(String, Check)> {
    let check = |name: &str, check: fn(&Machine)| (name.to_owned(), Box::new(check) as Check);
    vec![
        check(PATHS, diagnosis::paths),
        check(
            "heal: what can be reached, and no trace elsewhere",
            shared::heal,
        ),
    ]
}

fn all() -> Vec<(String, Check)> {
    let mut all: Vec<(String, Check)> = Vec::new();
    let mut add = |name: &str, check: fn(&Machine)| all.push((name.to_owned(), Box::new(check)));
    add("smoke", smoke::works);
    add(PATHS, diagnosis::paths);
    add("fdscan top, check, report, export", diagnosis::others);
    add("fdscan events", diagnosis::events);
    add("fdscan wal", diagnosis::wal);
    let mut each = |name: &str, check: fn(&Machine, Kind)| {
        for kind in KINDS {
            let check = move |machine: &Machine| check(machine, kind);
            all.push((format!("{name}, {}", kind.name()), Box::new(check) as Check));
        }
    };
    each("heal: dry run, heal, undo", heal::and_undo);
    each("heal --follow", heal::follow);
    each("run --engine auto", run::auto);
    each("run --engine seccomp", run::seccomp);
    each("pause", pause::quiet_then_once);
    let mut add = |name: &str, check: fn(&Machine)| all.push((name.to_owned(), Box::new(check)));
    add("run: exit status and signal", run::status);
    add("run --explain", run::explain);
    add(
        "run: a call interrupted by signals places one watch",
        run::signals,
    );
    add("run: supervisor killed", run::supervisor_killed);
    add("run: supervisor and launcher killed", run::both_killed);
    add("pause: guardian killed", pause::guardian_killed);
    all
}
