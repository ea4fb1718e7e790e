//! `fdscan` on every process of a program.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::stage::Program;

/// An exit status of fdscan (docs/exit-statuses.md): one of the processes has ended meanwhile.
const NO_SUCH_PROCESS: i32 = 3;

/// Looks at every process of a program at work, at once and for two seconds, as whoever runs the tests and as
/// its user. Fails if anything is found that is more than a note.
#[track_caller]
pub fn must_be_healthy(program: &Program<'_>) {
    let fdscan = support::binary("fdscan", "fdscan");
    for window in [&[][..], &["--for", "2"]] {
        look(program, Command::new(&fdscan).args(window));
    }
    if support::is_root() {
        // The repository may lie where only root may look.
        let copy = program.stage.dir().join("fdscan");
        support::share(&fdscan, &copy);
        look(program, &mut program.stage.command(&copy));
    }
    assert!(program.is_running(), "it has ended");
}

#[track_caller]
fn look(program: &Program<'_>, fdscan: &mut Command) {
    let pids = program.processes();
    fdscan
        .arg("--json")
        .args(pids.iter().map(u32::to_string))
        .stdin(Stdio::null());
    let done = fdscan.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let code = done.status.code();
    assert!(
        code == Some(0) || code == Some(NO_SUCH_PROCESS),
        "{fdscan:?}: {}: {said}",
        done.status
    );
    let document: Value = serde_json::from_slice(&done.stdout).expect("fdscan prints JSON");
    let seen = document["processes"].as_array().unwrap();
    let first = program.victim.pid();
    assert!(seen.iter().any(|process| process["pid"] == first), "{said}");
    let alarms: Vec<_> = seen.iter().flat_map(|p| alarms(program, p)).collect();
    assert!(alarms.is_empty(), "{fdscan:?}:\n{}", alarms.join("\n"));
}

/// What is more than a note, as text.
fn alarms(program: &Program<'_>, process: &Value) -> Vec<String> {
    let findings = process["findings"].as_array().unwrap().iter();
    let alarms = findings.filter(|finding| finding["severity"] != "info");
    let alarms = alarms.filter(|finding| {
        // What else a user runs is not this program's.
        let of_user = ["watch-limit-near", "instance-limit-near"];
        program.stage.has_own_user() || !of_user.iter().any(|code| finding["code"] == *code)
    });
    let text =
        alarms.map(|finding| format!("{} {}: {finding:#}", process["pid"], process["cmdline"]));
    text.collect()
}
