//! Processes by name, by port, by user and in lists: whichever way one asks, the same is found.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use crate::common::{Fixture, Scan, Stage, fdscan, is_root};

/// A program of this name that waits.
fn called(stage: &Stage, name: &str) -> Fixture {
    stage.mkfds_called(name, &["idle"])
}

fn pids(scan: &Scan) -> Vec<u64> {
    let doc = scan.json();
    let list = doc["processes"].as_array().unwrap();
    list.iter().map(|p| p["pid"].as_u64().unwrap()).collect()
}

/// A name no other test's process has.
fn unique(stem: &str) -> String {
    format!("{stem}{}", std::process::id())
}

#[test]
fn a_process_is_found_by_the_name_of_its_program_and_by_its_path() {
    let stage = Stage::new();
    // Longer than the kernel's own name of a process (TASK_COMM_LEN).
    let name = unique("fdscan-named-program-");
    let fixture = called(&stage, &name);
    let path = std::fs::read_link(format!("/proc/{}/exe", fixture.pid())).unwrap();
    for asked in [name.as_str(), path.to_str().unwrap(), &name[..15]] {
        let scan = stage.scan(&[asked, "--no-paths", "--json"]);
        assert_eq!((scan.code(), scan.stderr.as_str()), (0, ""), "{asked}");
        assert!(pids(&scan).contains(&fixture.pid().into()), "{asked}");
    }
    let scan = stage.scan(&[&name, "--no-paths"]);
    assert_eq!(
        scan.stderr,
        format!("fdscan: {name} is process {}\n", fixture.pid())
    );
    assert!(
        scan.text()
            .starts_with(&format!("{} (PID {})", &name[..15], fixture.pid()))
    );
}

#[test]
fn a_script_is_found_by_its_own_name_though_its_program_is_another() {
    let stage = Stage::new();
    let name = unique("webui");
    let script = stage.make("srv").join(format!("{name}.py"));
    std::fs::write(
        &script,
        "import sys; print('READY', flush=True); sys.stdin.read()",
    )
    .unwrap();
    let fixture = Fixture::start(Command::new("/usr/bin/python3").arg("-u").arg(&script));
    for asked in [
        name.clone(),
        format!("{name}.py"),
        script.display().to_string(),
    ] {
        let scan = stage.scan(&[&asked, "--no-paths", "--json"]);
        assert_eq!(pids(&scan), [u64::from(fixture.pid())], "{asked}");
        let scan = stage.scan(&["top", "--name", &asked, "--json"]);
        assert_eq!(
            pids(&scan),
            [u64::from(fixture.pid())],
            "top --name {asked}"
        );
        let scan = stage.scan(&["export", "--name", &asked]);
        assert_eq!(scan.code(), 0, "export --name {asked}: {}", scan.stderr);
    }
}

#[test]
fn a_title_is_found_by_its_program_and_code_is_not_a_name() {
    let stage = Stage::new();
    let name = unique("gunner");
    let text = format!(
        "import sys\n\
        st = open('/proc/self/stat').read().rsplit(')', 1)[1].split(); start, end = int(st[45]), int(st[46])\n\
        import ctypes; ctypes.memmove(start, b'{name}: master [app]'.ljust(end - start, b'\\0'), end - start)\n\
        print('READY', flush=True); sys.stdin.read()\n"
    );
    let script = stage
        .make("srv")
        .join("some-script-with-room-for-a-title.py");
    std::fs::write(&script, text).unwrap();
    let fixture = Fixture::start(Command::new("/usr/bin/python3").arg("-u").arg(&script));
    // It speaks of the name, and is not called so.
    let other = format!("echo READY; read {name}");
    let _other = Fixture::start(Command::new("sh").args(["-c", &other]));
    for asked in [name.clone(), format!("{name}: master [app]")] {
        for command in [&[&asked, "--no-paths"][..], &["top", "--name", &asked]] {
            let scan = stage.scan(&[command, &["--json"]].concat());
            assert_eq!(pids(&scan), [u64::from(fixture.pid())], "{command:?}");
        }
    }
}

#[test]
fn all_processes_of_a_name_are_looked_at_and_a_command_for_one_lists_them() {
    let stage = Stage::new();
    let name = unique("twins");
    let other = Stage::new();
    let (first, second) = (called(&stage, &name), called(&other, &name));
    let mut both = [first.pid(), second.pid()];
    both.sort_unstable();
    let scan = stage.scan(&[&name, "--no-paths"]);
    assert_eq!(scan.code(), 0);
    let [a, b] = both;
    let said =
        format!("fdscan: 2 processes are called {name}: {name} (PID {a}), {name} (PID {b})\n");
    assert_eq!(scan.stderr, said);
    let scan = stage.scan(&[&name, "--no-paths", "--json"]);
    assert_eq!(pids(&scan), both.map(u64::from));

    for command in ["events", "watch", "report"] {
        let scan = stage.scan(&[command, &name]);
        assert_eq!(scan.code(), 2, "{command}");
        let lines: Vec<&str> = scan.stderr.lines().collect();
        assert_eq!(
            lines[0],
            format!("fdscan: fdscan {command} takes one process, and these are 2:")
        );
        for (line, pid) in lines[1..].iter().zip(both) {
            assert!(line.trim_start().starts_with(&pid.to_string()), "{line}");
            assert!(line.contains(&name), "{line}");
        }
        assert_eq!(lines.len(), 3, "{lines:?}");
    }
}

/// A program that listens on a port of its own. This test's process would have companions: what another test starts has
/// a copy of every socket until its exec.
fn listening(family: &str, kind: &str, address: &str) -> Fixture {
    let script = "import socket, sys; s = socket.socket(getattr(socket, sys.argv[1]), getattr(socket, sys.argv[2])); \
                  s.bind((sys.argv[3], 0)); sys.argv[2] == 'SOCK_STREAM' and s.listen(); \
                  print('port=%d\\nREADY' % s.getsockname()[1], flush=True); sys.stdin.read()";
    let mut python = Command::new("/usr/bin/python3");
    Fixture::start(python.args(["-c", script, family, kind, address]))
}

#[test]
fn who_listens_on_a_port_is_found_for_tcp_and_udp_and_either_address() {
    let stage = Stage::new();
    let check = |fixture: Fixture, protocol: &str| {
        let (own, port) = (fixture.pid(), fixture.number("port"));
        let asked = format!(":{port}");
        let scan = stage.scan(&[&asked, "--no-paths", "--path-timeout", "0"]);
        assert!(
            scan.stderr
                .starts_with(&format!("fdscan: port {port} is listened on ({protocol} ")),
            "{}",
            scan.stderr
        );
        assert!(
            scan.stderr.contains(&format!("(PID {own})")),
            "{}",
            scan.stderr
        );
        let scan = stage.scan(&[&asked, "--no-paths", "--json"]);
        assert_eq!(pids(&scan), [u64::from(own)]);
        let claim = stage.scan(&["claims", &asked, "--json"]).json();
        assert_eq!(claim["claims"][0]["verdict"], "live", "{claim}");
        assert_eq!(claim["claims"][0]["holders"][0]["pid"], own);
        let why = claim["claims"][0]["why"].as_str().unwrap();
        assert!(why.contains(&format!("({protocol} ")), "{why}");
    };
    check(listening("AF_INET", "SOCK_STREAM", "127.0.0.1"), "tcp");
    check(listening("AF_INET", "SOCK_DGRAM", "127.0.0.1"), "udp");
    if TcpListener::bind(("::1", 0)).is_err() {
        return support::skip_optional("there is no IPv6 here");
    }
    check(listening("AF_INET6", "SOCK_STREAM", "::1"), "tcp6");
    check(listening("AF_INET6", "SOCK_DGRAM", "::1"), "udp6");
}

#[test]
fn a_port_nobody_listens_on_is_not_a_process() {
    let stage = Stage::new();
    // Bound and not listening: nobody else can take it.
    let script = "import socket, sys; s = socket.socket(); s.bind(('127.0.0.1', 0)); \
                  print('port=%d\\nREADY' % s.getsockname()[1], flush=True); sys.stdin.read()";
    let fixture = Fixture::start(Command::new("/usr/bin/python3").args(["-c", script]));
    let asked = format!(":{}", fixture.fact("port"));
    let scan = stage.scan(&[&asked]);
    assert_eq!((scan.code(), scan.text()), (3, ""));
    assert!(
        scan.stderr.starts_with("fdscan: nobody listens on port "),
        "{}",
        scan.stderr
    );
    let claim = stage.scan(&["claims", &asked, "--json"]).json();
    assert_eq!(claim["claims"][0]["verdict"], "free");
}

#[test]
fn a_port_of_a_process_that_may_not_be_read_is_said_to_be_taken_and_by_whose() {
    if !is_root() {
        return support::skip("needs root, to be another user");
    }
    let stage = Stage::as_user(60_811);
    // root's own: another user sees that it is there, and not whose descriptor it is.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let scan = stage.scan_as_user(&[&format!(":{port}"), "--json"]);
    assert_eq!(scan.code(), 4);
    let why = format!(
        "port {port} is listened on (tcp 127.0.0.1) by a process of user 0 that this user may not look into; root may \
         (the same command as root)"
    );
    assert_eq!(scan.stderr, format!("fdscan: {why}\n"));
    let doc = scan.json();
    assert_eq!(
        doc["errors"],
        serde_json::json!([{ "pid": null, "why": why }])
    );
}

#[test]
fn a_port_in_another_network_namespace_is_found_as_well() {
    let mut unshare = Command::new("unshare");
    let script = "import socket, sys, fcntl, struct; s = socket.socket(); s.bind(('0.0.0.0', 0)); s.listen(); \
                  print('port=%d\\nREADY' % s.getsockname()[1], flush=True); sys.stdin.read()";
    unshare.args(["--net", "/usr/bin/python3", "-c", script]);
    if !is_root() {
        return support::skip("only root can make a network namespace");
    }
    let stage = Stage::new();
    let fixture = Fixture::start(&mut unshare);
    let scan = stage.scan(&[&format!(":{}", fixture.fact("port")), "--no-paths"]);
    assert_eq!(scan.code(), 0, "{}", scan.stderr);
    assert!(
        scan.stderr.contains("in another network namespace by "),
        "{}",
        scan.stderr
    );
    assert!(
        scan.stderr.contains(&format!("(PID {})", fixture.pid())),
        "{}",
        scan.stderr
    );
}

#[test]
fn pids_come_in_lists_and_behind_p_each_once() {
    let stage = Stage::new();
    let pair = [(); 2].map(|()| stage.mkfds(&["idle"]).pid_kept());
    let [a, b] = [pair[0].1.to_string(), pair[1].1.to_string()];
    let list = format!("{a},{b}");
    for args in [
        &[&*list][..],
        &[&a, &b],
        &["-p", &list],
        &["--pid", &a, "-p", &b],
        &[&format!("-p{list}")],
        &[&a, &b, &list, &a],
    ] {
        let scan = stage.scan(&[args, &["--json", "--no-paths"]].concat());
        assert_eq!(
            pids(&scan),
            [pair[0].1, pair[1].1].map(u64::from),
            "{args:?}"
        );
        assert_eq!(scan.code(), 0);
    }
}

trait Kept {
    fn pid_kept(self) -> (Fixture, u32);
}

impl Kept for Fixture {
    fn pid_kept(self) -> (Fixture, u32) {
        let pid = self.pid();
        (self, pid)
    }
}

#[test]
fn a_user_has_all_of_their_processes_and_a_name_of_theirs_only_those() {
    if !is_root() {
        return support::skip("needs root, to be other users");
    }
    const USER: u32 = 60_812;
    let stage = Stage::as_user(USER);
    let name = unique("mine");
    let (mine, other) = (called(&stage, &name), stage.mkfds(&["idle"]));
    let theirs = Stage::new();
    let foreign = called(&theirs, &name);
    let uid = USER.to_string();
    let scan = stage.scan(&["--user", &uid, "--json", "--no-paths"]);
    let mut all = [mine.pid(), other.pid()].map(u64::from);
    all.sort_unstable();
    assert_eq!(pids(&scan), all);
    let scan = stage.scan(&[&name, "--user", &uid, "--json", "--no-paths"]);
    assert_eq!(pids(&scan), [u64::from(mine.pid())]);
    let scan = stage.scan(&[&foreign.pid().to_string(), "--user", &uid]);
    assert_eq!(scan.code(), 3);
    assert_eq!(
        scan.stderr,
        format!("fdscan: none of these processes is of user {uid}\n")
    );
    let scan = stage.scan(&["--user", "no-such-user"]);
    assert_eq!(scan.code(), 2);
    assert!(
        scan.stderr.contains("no user 'no-such-user'"),
        "{}",
        scan.stderr
    );
}

#[test]
fn a_word_that_names_no_process_may_be_a_command_and_the_message_says_so() {
    let stage = Stage::new();
    for (word, meant) in [("tpo", "top"), ("wacth", "watch"), ("claim", "claims")] {
        let scan = stage.scan(&[word]);
        assert_eq!((scan.code(), scan.text()), (3, ""), "{word}");
        let said =
            format!("fdscan: no process is called '{word}'; did you mean `fdscan {meant}`?\n");
        assert_eq!(scan.stderr, said);
    }
    let own = stage.mkfds(&["idle"]);
    let scan = stage.scan(&[
        "no-such-process-here",
        &own.pid().to_string(),
        "--json",
        "--no-paths",
    ]);
    assert_eq!((scan.code(), pids(&scan)), (3, vec![own.pid().into()]));
    assert_eq!(
        scan.json()["errors"][0]["why"],
        "no process is called 'no-such-process-here'"
    );
}

#[test]
fn a_name_of_others_that_contains_the_word_is_offered() {
    let stage = Stage::new();
    let name = unique("Zorro");
    let _other = called(&stage, &name);
    let scan = stage.scan(&[&name[1..].to_lowercase()]);
    assert_eq!(scan.code(), 3);
    assert!(
        scan.stderr.ends_with(&format!("; there is {name}\n")),
        "{}",
        scan.stderr
    );
}

#[test]
fn a_process_with_the_name_of_a_command_is_found_behind_p() {
    let stage = Stage::new();
    let fixture = called(&stage, "claims");
    let scan = stage.scan(&["-p", "claims", "--json", "--no-paths"]);
    assert!(pids(&scan).contains(&fixture.pid().into()));
    assert_eq!(stage.scan(&["claims"]).code(), 2, "that is the command");
}

#[test]
fn names_and_ports_are_targets_of_every_command_that_takes_a_process() {
    let stage = Stage::new();
    let name = unique("everywhere");
    let fixture = called(&stage, &name);
    let pid = u64::from(fixture.pid());
    let scan = stage.scan(&["events", &name, "--for", "0", "--json"]);
    assert_eq!(
        (scan.code(), scan.json()["pid"].as_u64()),
        (0, Some(pid)),
        "{}",
        scan.stderr
    );
    let mut watch = fdscan();
    watch.args([
        "watch",
        &name,
        "--json",
        "--interval",
        "0.1",
        "--for",
        "0.1",
    ]);
    let output = watch.output().unwrap();
    let first = String::from_utf8(output.stdout).unwrap();
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(first["pid"], pid);
    let scan = stage.scan(&["check", "-p", &name, "--json"]);
    assert_eq!(
        (scan.code(), scan.json()["passed"].as_bool()),
        (0, Some(true))
    );
    let scan = stage.scan(&["export", &name]);
    assert!(
        scan.text()
            .contains(&format!("fdscan_process_open_fds{{pid=\"{pid}\"")),
        "{}",
        scan.text()
    );
    let scan = stage.scan(&["report", &name, "--for", "0", "--path-timeout", "0"]);
    assert!(
        scan.text().contains(&format!("PID {pid}")),
        "{}",
        scan.text()
    );
    let listener = listening("AF_INET", "SOCK_STREAM", "127.0.0.1");
    let port = format!(":{}", listener.fact("port"));
    let scan = stage.scan(&[
        "check",
        &port,
        "--max-fds",
        "100000",
        "--fail-on",
        "never",
        "--json",
    ]);
    assert_eq!(
        scan.json()["processes"][0]["pid"],
        listener.pid(),
        "{}",
        scan.stderr
    );
}

#[test]
fn a_name_may_be_any_bytes_and_cannot_steer_a_terminal() {
    use std::os::unix::ffi::OsStrExt;
    let stage = Stage::new();
    let name = std::ffi::OsStr::from_bytes(b"evil\x1b[2J\n::error::\xff");
    let mut command = stage.scan_command();
    let scan = Scan::run(command.arg(name).env("GITHUB_ACTIONS", "true"));
    assert_eq!(scan.code(), 3);
    assert_eq!(scan.stderr.lines().count(), 1, "{:?}", scan.stderr);
    assert!(!scan.stderr.contains('\x1b'), "{:?}", scan.stderr);

    let path: PathBuf = stage
        .make("odd")
        .join(std::ffi::OsStr::from_bytes(b"odd\xff"));
    support::install(stage.mkfds_binary(), &path);
    let fixture = Fixture::start(
        Command::new("sh")
            .args(["-c", "exec \"$0\" idle"])
            .arg(&path),
    );
    let mut command = stage.scan_command();
    let scan = Scan::run(
        command
            .arg(path.file_name().unwrap())
            .args(["--json", "--no-paths"]),
    );
    assert_eq!(pids(&scan), [u64::from(fixture.pid())]);
}

#[test]
fn nothing_is_answered_by_the_short_help_and_h_is_shorter_than_help() {
    let stage = Stage::new();
    let (bare, short, long) = (
        stage.scan(&[]),
        stage.scan(&["-h"]),
        stage.scan(&["--help"]),
    );
    assert_eq!((bare.code(), short.code(), long.code()), (2, 0, 0));
    assert_eq!(bare.stderr, short.text());
    assert!(
        short.text().lines().count() < long.text().lines().count() / 2,
        "{}",
        short.text()
    );
    assert!(long.text().contains("3 no such process"));
    for command in ["events", "watch", "report", "check"] {
        let scan = stage.scan(&[command]);
        assert_eq!(scan.code(), 2, "{command}");
        let lines: Vec<&str> = scan.stderr.lines().collect();
        assert_eq!(lines[0], format!("fdscan {command}: which process?"));
        assert!(
            lines[1].starts_with(&format!("Type: fdscan {command} PID")),
            "{lines:?}"
        );
    }
}
