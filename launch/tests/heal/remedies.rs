//! What fdscan names as the remedy is a command watchfix takes.

use super::stage::{directory, heal, mkfds, ready};
use serde_json::Value;
use std::process::{Command, Stdio};
use support::Victim;

/// Every command of `watchfix` that fdscan gives for a process.
fn remedies(pid: u32) -> Vec<String> {
    let fdscan = support::binary("inspect", "fdscan");
    let run = Command::new(fdscan)
        .args([&pid.to_string(), "--json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    let findings = report["processes"][0]["findings"].as_array().unwrap();
    let commands = findings
        .iter()
        .flat_map(|f| [&f["remedy"], &f["remedy_live"]]);
    let texts = commands.filter_map(|command| command.as_str());
    let of_watchfix = texts.filter(|text| text.starts_with("watchfix "));
    of_watchfix.map(str::to_owned).collect()
}

/// Has a shell read the command as a person would, with the real program, which only says what it would do.
#[track_caller]
fn try_out(remedy: &str) -> String {
    let harmless = remedy
        .replacen("watchfix heal ", "\"$WATCHFIX\" heal --dry-run ", 1)
        .replacen("watchfix run ", "\"$WATCHFIX\" run --explain ", 1);
    assert_ne!(harmless, remedy);
    let run = Command::new("bash")
        .args(["-c", &harmless])
        .env("WATCHFIX", env!("CARGO_BIN_EXE_watchfix"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{remedy}: {}: {error}", run.status);
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn every_remedy_for_a_process_in_hand_is_a_command_that_finds_what_it_speaks_of() {
    let states: [(&[&str], &str); 3] = [
        (
            &["watches", "--count", "3", "--mask", "0xfff"],
            "0xfff -> 0xfc",
        ),
        (&["sqlite-self-watch", "--mask", "0xfee"], ", settled"),
        (&["self-watch", "--mask", "0x3ca"], ", settled"),
    ];
    for (state, wanted) in states {
        let (_dir, path) = directory();
        // A name that means something to a shell and to a pattern.
        let odd = path.join("it's: a *dir\\ +");
        std::fs::create_dir(&odd).unwrap();
        let victim = mkfds(&odd, state);
        let given = remedies(victim.pid());
        assert!(!given.is_empty(), "{state:?}");
        for remedy in given {
            assert!(
                remedy.starts_with("watchfix heal "),
                "it is dynamic: {remedy}"
            );
            let said = try_out(&remedy);
            assert!(said.contains(wanted), "{remedy}: {said}");
        }
    }
}

#[test]
fn a_static_program_is_started_again_by_watchfix_run_and_a_dynamic_one_with_the_library() {
    let (_dir, path) = directory();
    let source = support::root().join("tests/mkfds/static.c");
    for (args, by_run) in [(&["-static"][..], true), (&[], false)] {
        let program = match support::compile_c("cc", &source, &path, args) {
            Ok(program) => program,
            Err(why) => return support::skip(&format!("it cannot be compiled: {why}")),
        };
        let victim = ready(Command::new(program).arg(&path));
        let given = remedies(victim.pid());
        assert!(!given.is_empty());
        let run = given
            .iter()
            .any(|remedy| remedy.starts_with("watchfix run "));
        assert_eq!(run, by_run, "{given:?}");
        for remedy in given {
            try_out(&remedy);
        }
    }
}

#[test]
fn who_starts_it_again_is_named_and_who_merely_started_it_is_not() {
    let (_dir, path) = directory();
    let shell = std::fs::canonicalize("/bin/sh").unwrap();
    for (name, restarts) in [("nodemon", true), ("terminal", false)] {
        let parent = path.join(name);
        // Another process copies it: one that another test's thread forks would keep it open for writing.
        let copied = Command::new("cp").arg(&shell).arg(&parent).status();
        assert!(copied.unwrap().success());
        let mut command = Command::new(&parent);
        // A shell that has more to do stays the parent.
        command
            .args(["-c", "\"$0\" dup --mask 0x3ee --dir \"$1\"; true"])
            .arg(support::binary("mkfds", "mkfds"))
            .arg(&path);
        let mut victim = Victim::spawn(&mut command);
        let line = victim.line_with("PID ");
        let pid = line.strip_prefix("PID ").unwrap().parse().unwrap();
        victim.line_with("READY");
        let said = heal(pid, &[]).good();
        let told = format!("{name} (PID {}) starts process {pid} again", victim.pid());
        assert_eq!(said.contains(&told), restarts, "{said}");
        assert_eq!(said.contains("watchfix run"), restarts, "{said}");
    }
}
