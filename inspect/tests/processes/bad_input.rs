//! PIDs that name nothing useful: a clear message or a complete answer, never a panic.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{Fixture, Scan, Stage, fdscan, is_root, pid_exists, proc_number};

/// A PID no process can have: PIDs are below pid_max.
fn free_pid() -> String {
    proc_number("/proc/sys/kernel/pid_max").to_string()
}

/// The document's only error, which must be told on standard error, too.
fn only_error(scan: &Scan, pid: &str) -> Value {
    let doc = scan.json();
    let errors = doc["errors"].as_array().expect("a failed PID is listed");
    assert_eq!(errors.len(), 1, "{doc:#}");
    assert_eq!(errors[0]["pid"].to_string(), pid);
    assert!(
        scan.stderr.starts_with("fdscan: ") && scan.stderr.contains(pid),
        "{}",
        scan.stderr
    );
    errors[0].clone()
}

#[test]
fn a_pid_that_does_not_exist_is_3() {
    let stage = Stage::new();
    let pid = free_pid();
    let text = stage.scan(&[&pid]);
    assert_eq!(text.code(), 3);
    assert!(text.stderr.starts_with("fdscan: "), "{}", text.stderr);
    assert!(text.stdout.is_empty());

    let json = stage.scan(&[&pid, "--json"]);
    assert_eq!(json.code(), 3);
    only_error(&json, &pid);
    assert_eq!(json.json()["processes"], Value::Array(Vec::new()));
}

#[test]
fn pid_0_is_not_a_process() {
    let scan = Stage::new().scan(&["0"]);
    // Either "no number of a process" or "no such process".
    assert!([2, 3].contains(&scan.code()), "{}", scan.status);
    assert_ne!(scan.stderr, "");
}

#[test]
fn a_pid_that_has_ended_is_3() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    // The kernel gives numbers again only after all others.
    if pid_exists(pid) {
        return;
    }
    let scan = Stage::new().scan(&[&pid.to_string()]);
    assert_eq!(scan.code(), 3, "{}", scan.stderr);
}

#[test]
fn a_failing_pid_does_not_hide_the_others() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "2"]);
    let (good, bad) = (fixture.pid().to_string(), free_pid());
    for pids in [[&good, &bad], [&bad, &good]] {
        let scan = stage.scan(&[pids[0], pids[1], "--json"]);
        assert_eq!(scan.code(), 3);
        only_error(&scan, &bad);
        let doc = scan.json();
        assert_eq!(doc["processes"].as_array().unwrap().len(), 1);
        assert_eq!(doc["processes"][0]["pid"].to_string(), good);

        let text = stage.scan(&[pids[0], pids[1]]);
        assert_eq!(text.code(), 3);
        assert!(
            text.text().contains("watch-wakes-on-read"),
            "{}",
            text.text()
        );
    }
}

#[test]
fn another_users_process_is_4() {
    if !is_root() {
        return support::skip("only root can start another user's process");
    }
    let stage = Stage::as_user(60151);
    // Of the user who runs the tests: root.
    let fixture = Stage::new().mkfds(&["idle"]);
    let pid = fixture.pid().to_string();
    let text = stage.scan_as_user(&[&pid]);
    assert_eq!(text.code(), 4, "{}", text.stderr);
    assert!(text.stderr.starts_with("fdscan: "), "{}", text.stderr);

    let json = stage.scan_as_user(&[&pid, "--json"]);
    assert_eq!(json.code(), 4);
    only_error(&json, &pid);
}

#[test]
fn another_users_process_among_the_callers_own_does_not_hide_these() {
    if !is_root() {
        return support::skip("only root can start another user's process");
    }
    let stage = Stage::as_user(60152);
    let other = Stage::new().mkfds(&["idle"]);
    let own = stage.mkfds(&["idle"]);
    let pid = other.pid().to_string();
    let scan = stage.scan_as_user(&[&pid, &own.pid().to_string(), "--json"]);
    assert_eq!(scan.code(), 4);
    only_error(&scan, &pid);
    let doc = scan.json();
    assert!(
        doc["processes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|p| p["pid"] == own.pid() && p["fds"]["by_type"].is_object())
    );
}

#[test]
fn a_process_its_own_user_may_not_look_into_is_4() {
    let stage = Stage::unprivileged(60155);
    let fixture = stage.mkfds(&["undumpable"]);
    let pid = fixture.pid().to_string();
    let scan = stage.scan_as_user(&[&pid, "--json"]);
    assert_eq!(scan.code(), 4, "{}", scan.stderr);
    only_error(&scan, &pid);
    if is_root() {
        // Root may.
        stage.look(&fixture);
    }
}

/// Whether PID 2 is a kernel thread: in a container it may be anything.
fn kernel_thread() -> bool {
    // PF_KTHREAD, 0x00200000, in the flags of proc_pid_stat(5).
    std::fs::read_to_string("/proc/2/stat").is_ok_and(|stat| {
        let after_comm = stat.rsplit(')').next().unwrap_or("");
        let flags = after_comm.split_whitespace().nth(6);
        flags.is_some_and(|f| f.parse::<u64>().is_ok_and(|f| f & 0x0020_0000 != 0))
    })
}

#[test]
fn a_kernel_thread_is_a_complete_answer_for_root() {
    if !kernel_thread() {
        return support::skip_optional("PID 2 is not a kernel thread here");
    }
    if !is_root() {
        return support::skip("a kernel thread is root's process");
    }
    let stage = Stage::new();
    let json = stage.scan(&["2", "--json"]);
    assert_eq!(json.code(), 0, "{}", json.stderr);
    let doc = json.json();
    let process = &doc["processes"][0];
    assert_eq!(process["pid"], 2);
    assert_eq!(process["comm"], "kthreadd");
    assert_eq!(process["exe"], Value::Null);
    assert_eq!(process["linkage"], Value::Null);
    assert_eq!(process["findings"], Value::Array(Vec::new()));
    let text = stage.scan(&["2"]);
    assert_eq!(text.code(), 0);
    assert!(text.text().contains("kthreadd"));
}

#[test]
fn a_kernel_thread_is_another_users_process_for_anyone_else() {
    if !kernel_thread() {
        return support::skip_optional("PID 2 is not a kernel thread here");
    }
    let scan = Stage::unprivileged(60153).scan_as_user(&["2", "--json"]);
    assert_eq!(scan.code(), 4, "{}", scan.stderr);
    only_error(&scan, "2");
}

/// A zombie's parent and the zombie's PID.
fn zombie(stage: &Stage) -> (Fixture, String) {
    let parent = stage.mkfds(&["zombie"]);
    let pid = parent.fact("zombie").to_owned();
    (parent, pid)
}

fn is_said_to_be_a_zombie(scan: &Scan, pid: &str) {
    assert_eq!(scan.code(), 3, "{}", scan.stderr);
    let error = only_error(scan, pid).to_string();
    assert!(error.contains("(mkfds) is a zombie"), "{error}");
}

#[test]
fn a_zombie_is_said_to_be_one() {
    let stage = Stage::new();
    let (parent, pid) = zombie(&stage);
    is_said_to_be_a_zombie(&stage.scan(&[&pid, "--json"]), &pid);
    let text = stage.scan(&[&pid]);
    assert_eq!((text.code(), text.text()), (3, ""));
    assert!(text.stderr.contains("zombie"), "{}", text.stderr);
    // Beside another one it is as if it were not there.
    let parent = parent.pid().to_string();
    let both = stage.scan(&[&pid, &parent]);
    assert_eq!(both.code(), 3);
    assert!(both.text().contains(&format!("(PID {parent})")));
    assert!(
        !both.text().contains("in what could be seen"),
        "{}",
        both.text()
    );
}

#[test]
fn a_zombie_of_the_same_user_is_not_said_to_be_another_users() {
    let stage = Stage::unprivileged(60154);
    let (_parent, pid) = zombie(&stage);
    // The kernel refuses a zombie's fd directory to its own user: that is not a question of permission.
    is_said_to_be_a_zombie(&stage.scan_as_user(&[&pid, "--json"]), &pid);
}

#[test]
fn fdscan_can_look_at_itself() {
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" $$ --json"])
        .arg(env!("CARGO_BIN_EXE_fdscan"));
    let process = Scan::run(&mut command).process();
    assert_eq!(process.0["comm"], "fdscan");
    assert_eq!(process.0["inotify"], Value::Array(Vec::new()));
    assert!(process.codes().is_empty(), "{:?}", process.codes());
    // The standard descriptors and those that look.
    assert!(process.0["fds"]["open"].as_u64().unwrap() < 16);
}

#[test]
fn the_same_pid_twice_is_not_an_error() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["idle"]);
    let pid = fixture.pid().to_string();
    let scan = stage.scan(&[&pid, &pid, "--json"]);
    assert_eq!(scan.code(), 0, "{}", scan.stderr);
    scan.json();
}

#[test]
fn a_reader_that_goes_away_is_not_a_crash() {
    let stage = Stage::new();
    let dir = stage.make("tree");
    // More than a pipe holds.
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "2000"]);
    for args in [&["--json"][..], &["--all"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = fdscan()
            .arg(fixture.pid().to_string())
            .args(args)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // Ended by SIGPIPE, or by a status of its own: not by a panic.
        assert!(!said.contains("panicked"), "{said}");
        assert_ne!(output.status.code(), Some(101));
        use std::os::unix::process::ExitStatusExt;
        assert_ne!(output.status.signal(), Some(libc::SIGABRT));
    }
}

/// Command lines of fdscan about process `pid` whose answer is for standard output: each command, and its help.
fn answering(pid: u32) -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        "--json",
        "top",
        "claims /",
        "export",
        "check",
        "check --json -- true",
        "watch --for 0.1",
        "events --for 0.1",
        "report --for 0.1",
        "completions bash",
        "--version",
    ]
    .iter()
    .map(|line| match line.split(' ').next() {
        Some("" | "--json" | "check" | "watch" | "events" | "report")
            if !line.ends_with("true") =>
        {
            format!("{line} {pid}")
        }
        _ => (*line).to_owned(),
    })
    .collect();
    for command in [
        "",
        "top",
        "watch",
        "events",
        "wal",
        "claims",
        "check",
        "report",
        "export",
        "completions",
        "man",
    ] {
        all.extend([format!("{command} --help"), format!("{command} -h")]);
    }
    all
}

/// fdscan with the words of `line`, its standard output as a shell makes it of `to`.
fn with_output(line: &str, to: &str) -> Scan {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" {line} {to}")]);
    Scan::run(command.arg(env!("CARGO_BIN_EXE_fdscan")))
}

#[test]
fn an_answer_that_cannot_be_written_is_not_a_success_of_any_command() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["idle"]);
    for line in answering(fixture.pid()) {
        for (to, why) in [
            (">/dev/full", "No space left on device"),
            (">&-", "standard output is closed"),
        ] {
            let said = with_output(&line, to);
            assert_eq!(said.code(), 2, "fdscan {line} {to}: {}", said.stderr);
            let lines: Vec<_> = said.stderr.lines().collect();
            assert!(
                lines.iter().any(|line| line.contains(why)),
                "{line} {to}: {lines:?}"
            );
        }
    }
}

#[test]
fn what_is_written_elsewhere_needs_no_standard_output() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("metrics");
    for line in [
        "check -- true",
        &format!("export --output {}", file.display()),
    ] {
        for to in [">/dev/full", ">&-"] {
            let said = with_output(line, to);
            assert_eq!(said.code(), 0, "{line} {to}: {}", said.stderr);
        }
    }
}

#[test]
fn closed_standard_descriptors_are_not_a_crash() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["idle"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" \"$1\" --json <&- 2>&-"])
        .arg(env!("CARGO_BIN_EXE_fdscan"))
        .arg(fixture.pid().to_string());
    Scan::run(&mut command).process();
}
