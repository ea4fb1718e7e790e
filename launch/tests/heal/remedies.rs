//! A remedy that fdscan prints does what it promises when it is pasted into a shell, in any directory.

use super::stage::{
    Run, as_user, ask, directory, heal, heal_as, masks, mkfds, needs_root, ready, records_of,
    shared,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use support::Victim;

/// fdscan with `watchfix` beside it and the library where cargo builds it.
pub fn fdscan() -> PathBuf {
    support::libwatchfix();
    let fdscan = support::binary("fdscan", "fdscan");
    let beside = fdscan.with_file_name("watchfix");
    assert_eq!(beside, Path::new(env!("CARGO_BIN_EXE_watchfix")));
    fdscan
}

/// What fdscan says about a process.
pub fn report(pid: u32) -> Value {
    let mut command = Command::new(fdscan());
    // If sudo(8) runs the tests, fdscan would print commands with sudo.
    command.env_remove("SUDO_UID");
    let run = command.args([&pid.to_string(), "--json"]).output().unwrap();
    let mut report: Value = serde_json::from_slice(&run.stdout).unwrap();
    report["processes"][0].take()
}

/// Every command that fdscan gives for a process: for it as it runs, and for its next start.
fn remedies(pid: u32) -> (Vec<String>, Vec<String>) {
    let report = report(pid);
    let findings = report["findings"].as_array().unwrap();
    let given = |key: &str| {
        let commands = findings.iter().filter_map(|f| f[key].as_str());
        commands.map(str::to_owned).collect()
    };
    (given("remedy_live"), given("remedy"))
}

/// A shell that a command is pasted into: somewhere else, and with a PATH that has no `watchfix`.
fn shell(command: &str) -> Command {
    let mut shell = Command::new("bash");
    shell
        .args(["-c", command])
        .current_dir("/")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    shell
}

#[track_caller]
fn paste(command: &str) -> String {
    let output: Output = shell(command).output().unwrap();
    let run = Run::of(output);
    assert_eq!(run.code, 0, "{command}: {}{}", run.out, run.err);
    run.out
}

#[test]
fn every_remedy_for_a_process_in_hand_changes_what_it_speaks_of_and_is_taken_back_by_the_command_fdscan_gives()
 {
    let states: [(&[&str], u32, u32); 4] = [
        (&["watches", "--count", "3", "--mask", "0xfff"], 0xfff, 0x31),
        (&["watches", "--count", "3", "--mask", "0x3ce"], 0x3ce, 0x4),
        (&["sqlite-self-watch", "--mask", "0xfca"], 0xfca, 0x2),
        (&["self-watch", "--mask", "0x3ca"], 0x3ca, 0x2),
    ];
    for (state, asked, gone) in states {
        let (_dir, path) = directory();
        // A name that means something to a shell and to a pattern.
        let odd = path.join("it's: a *dir\\ +");
        std::fs::create_dir(&odd).unwrap();
        let victim = mkfds(&odd, state);
        let before = masks(victim.pid());
        assert!(before.contains_key(&asked), "{before:?}");
        let (now, _) = remedies(victim.pid());
        assert!(!now.is_empty(), "{state:?}");
        assert_eq!(report(victim.pid())["healed"], Value::Null);
        for command in &now {
            let said = paste(command);
            assert!(said.starts_with("healed "), "{command}: {said}");
        }
        let after = masks(victim.pid());
        let healed = |mask: &u32| mask & gone == 0;
        assert!(after.keys().all(healed), "{after:x?}");

        let healed = report(victim.pid())["healed"].clone();
        assert_eq!(healed["uid"], inspect::effective_user());
        assert!(healed["watches"].as_u64().unwrap() >= 1, "{healed}");
        let said = paste(healed["undo"].as_str().unwrap());
        assert!(said.starts_with("restored "), "{said}");
        assert_eq!(masks(victim.pid()), before);
        assert_eq!(report(victim.pid())["healed"], Value::Null);
    }
}

#[test]
fn a_healed_process_says_when_and_by_whom() {
    let (_dir, path) = directory();
    let victim = mkfds(&path, &["watches", "--count", "2", "--mask", "0x3ee"]);
    let (now, _) = remedies(victim.pid());
    paste(&now[0]);
    let run = Command::new(fdscan())
        .arg(victim.pid().to_string())
        .output();
    let text = String::from_utf8(run.unwrap().stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("Healed at "));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    let uid = inspect::effective_user();
    let rest = format!(" by UID {uid}: 2 watches. This restores the masks:");
    let (at, _) = line["Healed at ".len()..].split_once(&rest).unwrap();
    // As a clock has it; with the day where midnight has passed since.
    let clock = at.rsplit(' ').next().unwrap();
    assert!(clock.len() == 5 && clock.as_bytes()[2] == b':', "{line}");
    let undo = format!(" heal --undo {}\n", victim.pid());
    assert!(text.contains(&undo), "{text}");
}

#[test]
fn what_another_user_healed_is_seen_by_root() {
    const USER: u32 = 60_611;
    if !needs_root() {
        return;
    }
    let (_dir, path) = shared();
    let runtime = records_of(USER);
    let mut victim = ready(as_user(USER, &path.join("keeper")).arg("serve"));
    let fd = ask(&mut victim, "new");
    ask(&mut victim, &format!("add {fd} 3ee {}", path.display()));
    heal_as(USER, &path, victim.pid(), &[]).good();
    let healed = report(victim.pid())["healed"].clone();
    let undo = heal(victim.pid(), &["--undo"]);
    let _ = std::fs::remove_dir_all(runtime);
    assert_eq!(healed["uid"], USER, "{healed}");
    // Root has no record, and is told who has.
    assert_eq!(undo.code, 1);
    let command = healed["undo"].as_str().unwrap();
    let wanted = format!("user {USER} healed process {}", victim.pid());
    assert!(
        undo.err.contains(&wanted) && undo.err.contains(command),
        "{}",
        undo.err
    );
}

/// Starts what a command starts, as pasted; it ends when its input does.
pub fn started(command: &str) -> Victim {
    let mut shell = shell(command);
    ready(&mut shell)
}

/// The process the shell started; the shell itself where it took its place.
fn child(shell: &Victim) -> u32 {
    let path = format!("/proc/{0}/task/{0}/children", shell.pid());
    let children = std::fs::read_to_string(path).unwrap();
    let first = children.split_whitespace().next();
    first.map_or(shell.pid(), |pid| pid.parse().unwrap())
}

/// Whether a process has the library in it.
fn is_preloaded(pid: u32) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    maps.contains("libwatchfix.so")
}

#[test]
fn a_static_program_is_started_again_by_watchfix_run_and_a_dynamic_one_with_the_library() {
    let (_dir, path) = directory();
    let source = support::root().join("tests/mkfds/static.c");
    // Its working directory matters: all its arguments are relative.
    let tree = path.join("a tree");
    std::fs::create_dir(&tree).unwrap();
    for (args, by_run) in [(&["-static"][..], true), (&[], false)] {
        if let Err(why) = support::compile_c("cc", &source, &path, args) {
            return support::skip(&format!("it cannot be compiled: {why}"));
        }
        let mut program = Command::new("./static");
        let victim = ready(program.arg("a tree").current_dir(&path));
        let (now, next) = remedies(victim.pid());
        assert!(!next.is_empty() && !now.is_empty());
        drop(victim);
        for command in next {
            assert_eq!(command.contains("/watchfix run "), by_run, "{command}");
            let again = started(&command);
            if !by_run {
                assert!(is_preloaded(child(&again)), "{command}");
            }
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
