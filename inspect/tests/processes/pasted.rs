//! The commands fdscan prints are those that can run where it runs: by which name, as whom, and not at all where the
//! kernel or a container refuses what they need.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::common::{Fixture, Scan, Stage, fdscan, fdscan_binary, installed, is_root};

/// A process whose reads wake it.
fn noisy(stage: &Stage) -> Fixture {
    let dir = stage.make("tree");
    stage.mkfds_in(&dir, &["watches", "--count", "2", "--mask", "0x3ea"])
}

/// What a scan says about the one process: its document, and its finding `watch-wakes-on-read`.
fn looked(command: &mut Command) -> (Value, Value) {
    let process = Scan::run(command).process();
    // A note, or a warning where the machine's own doings wake it.
    let finding = process.all("watch-wakes-on-read")[0].clone();
    (process.0, finding)
}

fn notes(process: &Value) -> String {
    let notes = process["notes"].as_array().unwrap();
    let notes: Vec<_> = notes.iter().map(|note| note.as_str().unwrap()).collect();
    notes.join("\n")
}

/// A copy of a program in a directory of its own.
fn alone(stage: &Stage, program: &Path) -> PathBuf {
    let copy = stage.make("alone").join(program.file_name().unwrap());
    support::install(program, &copy);
    copy
}

#[test]
fn watchfix_is_named_by_its_path_unless_a_shell_would_find_that_very_file() {
    let stage = Stage::new();
    let fixture = noisy(&stage);
    let pid = fixture.pid();
    let watchfix = &installed()[0];
    let dir = watchfix.parent().unwrap().to_str().unwrap();
    let other = alone(&stage, watchfix);
    let path = watchfix.display().to_string();
    for (first, word) in [
        ("/nowhere", &path[..]),
        (dir, "watchfix"),
        // Another one of this name is not it.
        (other.parent().unwrap().to_str().unwrap(), &path),
    ] {
        let mut command = fdscan();
        command.args([&pid.to_string(), "--json"]);
        command.env("PATH", format!("{first}:/usr/bin:/bin"));
        let (_, finding) = looked(command.env_remove("SUDO_UID"));
        assert_eq!(finding["remedy_live"], format!("{word} heal {pid}"));
    }
}

#[test]
fn who_ran_sudo_is_told_to_run_it_again_where_root_is_needed() {
    if !is_root() {
        return support::skip("only root is who sudo makes one");
    }
    let stage = Stage::new();
    let fixture = noisy(&stage);
    let bin = stage.make("bin");
    let sudo = bin.join("sudo");
    std::fs::write(&sudo, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&sudo, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = fdscan();
    command.args([&fixture.pid().to_string(), "--json"]);
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let (process, finding) = looked(command.env("PATH", path).env("SUDO_UID", "60190"));
    let watchfix = installed()[0].display();
    assert_eq!(
        finding["remedy_live"],
        format!("sudo {watchfix} heal {}", fixture.pid())
    );
    // It is root's, and is to be root's again, where it was started.
    let cwd = std::env::current_dir().unwrap();
    let start = format!("sudo env -C {} LD_PRELOAD=", cwd.display());
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(remedy.starts_with(&start), "{remedy}");
    assert_eq!(notes(&process), "");
}

#[test]
fn what_is_not_there_is_said_in_words_and_not_in_a_command() {
    let places = ["/usr/bin", "/usr/local/bin", "/opt/watchfix/bin"];
    if places
        .iter()
        .any(|dir| Path::new(dir).join("watchfix").exists())
    {
        return support::skip("watchfix is installed here");
    }
    let stage = Stage::new();
    let fixture = noisy(&stage);
    let fdscan = alone(&stage, fdscan_binary());
    let pid = fixture.pid().to_string();
    let mut command = Command::new(&fdscan);
    command.args([&pid, "--json"]).env("PATH", "/usr/bin:/bin");
    let (process, finding) = looked(&mut command);
    assert_eq!(finding["remedy"], Value::Null, "{finding}");
    assert_eq!(finding["remedy_live"], Value::Null, "{finding}");
    assert!(notes(&process).contains("not installed here"), "{process}");
    let mut command = Command::new(&fdscan);
    let text = Scan::run(command.arg(&pid).env("PATH", "/usr/bin:/bin"));
    let words: Vec<_> = text.text().split_whitespace().collect();
    assert!(
        words.join(" ").contains("not installed here"),
        "{}",
        text.text()
    );
}

/// Runs a command under a filter that refuses pidfd_getfd(2) as Docker's default profile does: 438 on every
/// architecture (include/uapi/asm-generic/unistd.h).
const REFUSING: &str = r#"
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 438), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
program = b"".join(struct.pack("HBBI", *line) for line in code)
kept = ctypes.create_string_buffer(program)
filter = struct.pack("HxxxxxxP", len(code), ctypes.addressof(kept))
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0): sys.exit("no_new_privs")
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0): sys.exit("seccomp")
os.execv(sys.argv[1], sys.argv[1:])
"#;

fn refused(args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command
        .args(["-c", REFUSING])
        .arg(fdscan_binary())
        .args(args);
    command
}

#[test]
fn in_a_container_that_refuses_it_nothing_is_named_that_needs_it() {
    let stage = Stage::new();
    let fixture = noisy(&stage);
    let pid = fixture.pid().to_string();
    let (process, finding) = looked(&mut refused(&[&pid, "--json"]));
    assert_eq!(finding["remedy_live"], Value::Null, "{finding}");
    // A preload needs no permission.
    assert!(finding["remedy"].as_str().unwrap().contains("LD_PRELOAD="));
    assert!(notes(&process).contains("From the host, as root: watchfix heal"));

    let tree = stage.make("other");
    let source = support::root().join("tests/mkfds/static.c");
    let program = match support::compile_c("cc", &source, &stage.make("static"), &["-static"]) {
        Ok(program) => program,
        Err(why) => return support::skip(&format!("it cannot be compiled: {why}")),
    };
    let fixture = Fixture::start(Command::new(program).arg(&tree));
    let pid = fixture.pid().to_string();
    let (process, finding) = looked(&mut refused(&[&pid, "--json"]));
    assert_eq!(finding["remedy_live"], Value::Null, "{finding}");
    // `watchfix run` creates the instances itself there.
    let start = |finding: &Value| finding["remedy"].as_str().unwrap().contains(" run -- ");
    assert!(start(&finding), "{finding}");
    assert!(notes(&process).contains("From the host, as root: watchfix heal"));
    // Without the filter both are there.
    let (process, finding) = looked(fdscan().args([&pid, "--json"]));
    assert!(start(&finding), "{finding}");
    assert!(finding["remedy_live"].is_string(), "{finding}");
    assert_eq!(notes(&process), "");
}

#[test]
fn a_program_that_only_the_path_of_its_process_has_is_named_by_its_path() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let copy = alone(&stage, stage.mkfds_binary());
    let there = copy.parent().unwrap().to_str().unwrap();
    // As by the activated environment of an interpreter.
    let mut command = Command::new("mkfds");
    command
        .env("PATH", there)
        .arg("watches")
        .args(["--count", "2", "--mask", "0x3ea", "--dir"]);
    let fixture = Fixture::start(command.arg(&dir));
    for (path, program) in [
        ("/usr/bin:/bin".to_owned(), copy.to_str().unwrap()),
        (format!("{there}:/usr/bin:/bin"), "mkfds"),
    ] {
        let mut command = fdscan();
        command
            .args([&fixture.pid().to_string(), "--json"])
            .env("PATH", path);
        let (_, finding) = looked(command.env_remove("SUDO_UID"));
        let remedy = finding["remedy"].as_str().unwrap();
        assert!(remedy.contains(&format!(" {program} watches ")), "{remedy}");
    }
}

#[test]
fn rules_it_was_healed_with_are_those_of_the_next_start_as_well() {
    let stage = Stage::new();
    let dir = stage.make("logs");
    let fixture = stage.mkfds_in(&dir, &["self-watch", "--mask", "0x3ea"]);
    let pid = fixture.pid().to_string();
    let heal = |args: &[&str]| {
        let mut command = Command::new(&installed()[0]);
        command.arg("heal").args(args).arg(&pid);
        let output = command
            .env("WATCHFIX_DROP", "/nowhere/else")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    heal(&["--ignore", "+other.log"]);
    let remedies = || {
        let process = stage.look(&fixture);
        let finding = process.finding("self-watch", "warning");
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        [text("remedy"), text("remedy_live")]
    };
    let [start, live] = remedies();
    assert!(start.contains("WATCHFIX_IGNORE=+other.log:"), "{start}");
    assert!(start.contains("WATCHFIX_DROP=/nowhere/else "), "{start}");
    let flags = " heal --drop /nowhere/else --ignore +other.log --settle ";
    assert!(live.contains(flags), "{live}");
    // Given back, nothing of it is in force.
    heal(&["--undo"]);
    let [start, live] = remedies();
    assert!(
        !start.contains("other.log") && !live.contains("other.log"),
        "{start} {live}"
    );
}

#[test]
fn commands_about_the_database_of_another_user_ask_sudo() {
    if !is_root() {
        return support::skip("only root can start another user's process");
    }
    let owner = Stage::as_user(60_574);
    let dir = owner.make("state");
    let fixture = owner.mkfds_in(&dir, &["sqlite-pinned"]);
    let database = fixture.path("database");
    let stage = Stage::new();
    let bin = stage.make("bin");
    for name in ["sudo", "sqlite3"] {
        let program = bin.join(name);
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", bin.display());
    for (person, sudo) in [(60_575, true), (60_574, false)] {
        let mut command = fdscan();
        command.args(["wal", database.to_str().unwrap(), "--json"]);
        // Who ran sudo(8).
        command
            .env("PATH", &path)
            .env("SUDO_UID", person.to_string());
        let doc = Scan::run(&mut command).json();
        let finding = &doc["databases"][0]["findings"][0];
        let remedy = finding["remedy"].as_str().unwrap();
        assert_eq!(remedy.starts_with("sudo sh -c 'kill "), sudo, "{remedy}");
    }
}

#[test]
fn a_start_as_a_user_without_a_name_keeps_groups_and_home() {
    if !is_root() {
        return support::skip("only root starts programs as other users");
    }
    let stage = Stage::unprivileged(60951);
    let dir = stage.make("tree");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=60951", "--regid=60952", "--groups=60953,60954"]);
    command.args(["env", "HOME=/srv/a home"]);
    command.arg(stage.mkfds_binary());
    command.args(["watches", "--count", "2", "--mask", "0x3ea", "--dir"]);
    command.arg(&dir).current_dir("/");
    let fixture = Fixture::start(&mut command);
    let (_, finding) = looked(fdscan().args([&fixture.pid().to_string(), "--json"]));
    let remedy = finding["remedy"].as_str().unwrap();
    let owner = "setpriv --reuid=60951 --regid=60952 --groups=60953,60954 env HOME='/srv/a home'";
    assert!(remedy.contains(owner), "{remedy}");
}
