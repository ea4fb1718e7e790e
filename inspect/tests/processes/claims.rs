//! Claims: every verdict from a real process, a real socket or a real lock.

use std::fs::{File, FileTimes};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::common::{Fixture, Stage, holds_number, is_root, proc_number, quiet};

/// A PID no process can have: the kernel gives out those below pid_max.
fn nobody() -> u64 {
    proc_number("/proc/sys/kernel/pid_max")
}

/// Field 22 of /proc/PID/stat, of this process.
fn own_start() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(19).unwrap().parse().unwrap()
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn make_old(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(3600);
    let file = File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
}

fn claims(stage: &Stage, paths: &[&Path]) -> Vec<Value> {
    let mut args = vec!["claims", "--json"];
    args.extend(paths.iter().map(|path| path.to_str().unwrap()));
    let scan = stage.scan(&args);
    assert_eq!(scan.code(), 0, "{}", scan.stderr);
    scan.json()["claims"].as_array().unwrap().clone()
}

fn claim(stage: &Stage, path: &Path) -> Value {
    claims(stage, &[path]).remove(0)
}

#[track_caller]
fn verdict(stage: &Stage, path: &Path, wanted: &str) -> Value {
    let claim = claim(stage, path);
    assert_eq!(claim["verdict"], wanted, "{claim:#}");
    claim
}

/// What it is once nobody has the file or the socket any more that this test has just closed: what another test starts
/// has a copy of every descriptor until its exec.
#[track_caller]
fn verdict_once_closed(stage: &Stage, path: &Path, wanted: &str) -> Value {
    let mut last = claim(stage, path);
    let begun = Instant::now();
    while last["verdict"] != wanted {
        assert!(begun.elapsed() < support::DEADLINE, "{last:#}");
        last = claim(stage, path);
    }
    last
}

#[test]
fn a_pid_file_is_live_stale_or_reused() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let own = u64::from(std::process::id());
    let start = own_start();
    for text in [
        format!("{own}\n"),
        format!("{own}:{start}"),
        format!("{own}:"),
        format!("{{\"pid\": {own}, \"startTime\": {start}}}"),
    ] {
        let path = write(&dir, "serve.pid", &text);
        let claim = verdict(&stage, &path, "live");
        assert_eq!(claim["pid"], own);
        assert_eq!(claim["holders"][0]["pid"], own);
        assert!(claim["severity"].is_null() && claim["remedy"].is_null());
    }
    let path = write(&dir, "serve.pid", &format!("{own}:{}", start + 1));
    assert!(verdict(&stage, &path, "reused")["remedy"].is_null());
    let path = write(&dir, "dead one.pid", &format!("{}\n", nobody()));
    let remedy = format!("rm -- '{}'", path.to_str().unwrap());
    assert_eq!(verdict(&stage, &path, "stale")["remedy"], remedy.as_str());
    assert!(path.exists());
}

#[test]
fn a_bare_pid_older_than_the_process_that_has_it_is_reused() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let stranger = stage.mkfds_in(&stage.make("elsewhere"), &["server"]);
    let path = write(&dir, "serve.pid", stranger.fact("server"));
    verdict(&stage, &path, "live");
    make_old(&path);
    let claim = verdict(&stage, &path, "reused");
    assert!(holds_number(&claim["holders"], stranger.number("server")));
    assert!(claim["remedy"].is_null());
    // A clock that is set makes a file look old; who works beside it may be meant all the same.
    let owner = stage.mkfds_in(&dir, &["server", "--database"]);
    let path = write(&dir, "serve.pid", owner.fact("server"));
    make_old(&path);
    verdict(&stage, &path, "live");
    // So may who has its name.
    let path = write(&dir, "mkfds.pid", stranger.fact("server"));
    make_old(&path);
    verdict(&stage, &path, "live");
}

#[test]
fn a_zombie_is_behind_nothing() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds(&["zombie"]);
    let path = write(&dir, "serve.pid", fixture.fact("zombie"));
    assert!(verdict(&stage, &path, "stale")["remedy"].is_null());
}

#[test]
fn an_empty_pid_file_is_in_progress_while_it_is_new() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let path = write(&dir, "serve.pid", "");
    verdict(&stage, &path, "in_progress");
    make_old(&path);
    verdict(&stage, &path, "corrupt");
    verdict(&stage, &write(&dir, "serve.pid", "what?"), "corrupt");
}

#[test]
fn a_port_file_is_live_only_if_somebody_listens_and_it_says_who() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["server"]);
    let port = fixture.number("port");
    for text in [
        format!("127.0.0.1:{port}\n"),
        port.to_string(),
        format!("http://localhost:{port}/"),
    ] {
        let claim = verdict(&stage, &write(&dir, "serve.port", &text), "live");
        assert!(
            holds_number(&claim["holders"], fixture.number("server")),
            "{claim:#}"
        );
    }
    // While one address has the port, no other program can take it for all of them.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = taken.local_addr().unwrap();
    let path = write(&dir, "serve.port", &format!("127.9.9.9:{}", free.port()));
    assert!(verdict(&stage, &path, "stale")["remedy"].is_null());
}

#[test]
fn a_lock_file_is_held_by_whoever_has_it_locked() {
    let stage = Stage::new();
    for kind in ["flock", "posix", "ofd"] {
        let dir = stage.make(kind);
        let fixture = stage.mkfds_in(&dir, &["lock-file", "--kind", kind]);
        let path = fixture.path("path");
        let claim = verdict(&stage, &path, "held");
        assert_eq!(claim["holders"][0]["pid"], fixture.pid(), "{claim:#}");
        assert_eq!(claim["holders"][0]["lock"], kind);
        fixture.victim.finish();
        verdict(&stage, &path, "free");
    }
}

#[test]
fn a_lock_file_of_another_kind_is_free_whatever_stands_in_it() {
    let stage = Stage::new();
    let dir = stage.make("project");
    verdict(
        &stage,
        &write(&dir, "yarn.lock", "# yarn lockfile v1\n"),
        "free",
    );
}

#[test]
fn a_stop_file_holds_for_its_time() {
    let stage = Stage::new();
    let dir = stage.make("state");
    // What incident 3 calls its own; it names who stops.
    let path = write(&dir, "serve.stopping.lock", &std::process::id().to_string());
    assert_eq!(verdict(&stage, &path, "in_progress")["kind"], "sentinel");
    make_old(&path);
    verdict(&stage, &path, "expired");
    let path = write(&dir, "serve.stop", "");
    verdict(&stage, &path, "in_progress");
    make_old(&path);
    verdict(&stage, &path, "expired");
    let scan = stage.scan(&["claims", "--json", "--ttl", "7200", path.to_str().unwrap()]);
    assert_eq!(scan.json()["claims"][0]["verdict"], "in_progress");
}

#[test]
fn a_directory_stands_for_the_claims_in_it() {
    let stage = Stage::new();
    let dir = stage.make("state");
    write(&dir, "b.pid", &nobody().to_string());
    write(&dir, "a.lock", "");
    write(&dir, "notes.txt", "1");
    let list = claims(&stage, &[&dir]);
    let names: Vec<_> = list
        .iter()
        .map(|claim| claim["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["free", "stale"]);
}

#[test]
fn the_exit_status_tells_what_was_asked_for() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let stale = write(&dir, "b.pid", &nobody().to_string());
    let (stale, absent) = (stale.to_str().unwrap(), dir.join("none.pid"));
    let code = |args: &[&str]| stage.scan(&[&["claims"], args].concat()).code();
    assert_eq!(code(&[stale]), 0);
    assert_eq!(code(&[stale, "--fail-on", "warning"]), 1);
    assert_eq!(code(&[stale, "--fail-on", "critical"]), 0);
    assert_eq!(code(&[absent.to_str().unwrap(), "--fail-on", "info"]), 0);
    assert_eq!(code(&[]), 2);
    let text = stage.scan(&["claims", stale]);
    assert!(text.text().contains("stale") && text.text().contains("rm -- "));
}

#[test]
fn a_stale_claim_where_a_process_writes_is_a_finding_and_a_live_one_is_none() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["server", "--database"]);
    let look = || stage.scan(&[fixture.fact("server"), "--json"]).process();
    write(&dir, "serve.pid", fixture.fact("server"));
    write(&dir, "serve.port", fixture.fact("port"));
    write(&dir, "Cargo.lock", "version = 4");
    look().must_not_raise("claim-stale");
    let path = write(&dir, "serve.pid", &nobody().to_string());
    let process = look();
    let finding = process.finding("claim-stale", "warning");
    assert_eq!(finding["evidence"]["verdict"], "stale");
    assert_eq!(finding["evidence"]["path"], path.to_str().unwrap());
    assert!(finding["remedy"].as_str().unwrap().starts_with("rm -- "));
    assert!(path.exists());
}

#[test]
fn another_programs_leftover_beside_a_log_or_redirected_output_is_none_of_this_one() {
    let stage = Stage::new();
    let dir = stage.make("logs");
    write(&dir, "other.pid", &nobody().to_string());
    let log = dir.join("healthy.log");
    let script =
        "import sys; f = open(sys.argv[1], 'a'); print('READY', flush=True); sys.stdin.read()";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", script]).arg(&log).current_dir("/");
    let healthy = Fixture::start(&mut python);
    stage.look(&healthy).must_not_raise("claim-stale");

    let mut check = stage.scan_command();
    check.args(["check", "--", "sleep", "0.3"]).current_dir("/");
    check.stdout(File::create(dir.join("build.txt")).unwrap());
    let status = check.status().unwrap();
    assert!(status.success(), "{status}");
}

/// A program `tool` that works elsewhere and has nothing open, with these variables.
fn tool(dir: &Path, variables: &[(&str, &Path)]) -> Fixture {
    let text = "import sys; print('READY', flush=True); sys.stdin.read()";
    let script = write(dir, "tool.py", text);
    let mut python = Command::new("/usr/bin/python3");
    python.arg(script).current_dir("/").env_remove("TOOL_HOME");
    python.envs(variables.iter().copied());
    Fixture::start(&mut python)
}

#[test]
fn a_stale_claim_in_the_directory_named_after_the_program_is_a_finding() {
    let stage = Stage::new();
    let (home, other) = (stage.make("home"), stage.make("other"));
    let dir = stage.make("home/.tool");
    for (variables, dir) in [
        (&[("HOME", &*home)][..], &dir),
        (&[("HOME", &*home), ("TOOL_HOME", &*other)], &other),
    ] {
        let path = write(dir, "serve.pid", &nobody().to_string());
        let process = stage.look(&tool(&home, variables));
        let finding = process.finding("claim-stale", "warning");
        assert_eq!(finding["evidence"]["path"], path.to_str().unwrap());
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_stale_claim_beside_the_socket_it_listens_on_is_a_finding() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let path = write(&dir, "serve.port", "127.0.0.1:9");
    let script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); \
                  s.listen(); print('READY', flush=True); sys.stdin.read()";
    let mut python = Command::new("/usr/bin/python3");
    python
        .args(["-c", script])
        .arg(dir.join("control"))
        .current_dir("/");
    let process = stage.look(&Fixture::start(&mut python));
    let finding = process.finding("claim-stale", "warning");
    assert_eq!(finding["evidence"]["path"], path.to_str().unwrap());
}

#[test]
fn claims_in_a_directory_that_is_watched_for_reads_are_left_alone() {
    let _quiet = quiet();
    let stage = Stage::new();
    let dir = stage.make("state");
    write(&dir, "serve.pid", &nobody().to_string());
    let mut fixture = stage.mkfds_in(&dir, &["sqlite-self-watch", "--mask", "0x3ee"]);
    let process = stage.look(&fixture);
    process.must_not_raise("claim-stale");
    let gaps = process.0["incomplete"].to_string();
    assert!(
        gaps.contains(&format!("claims in {}", dir.to_str().unwrap())),
        "{gaps}"
    );
    fixture.victim.send("");
    assert_eq!(fixture.victim.line_with("queued="), "queued=0");
}

#[test]
fn a_socket_file_is_live_while_somebody_listens_on_it() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let path = dir.join("serve.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let claim = verdict(&stage, &path, "live");
    assert_eq!(claim["kind"], "socket");
    assert!(
        holds_number(&claim["holders"], std::process::id().into()),
        "{claim:#}"
    );
    drop(listener);
    let claim = verdict_once_closed(&stage, &path, "stale");
    // A command only where every network namespace could be looked through.
    if let Some(remedy) = claim["remedy"].as_str() {
        assert_eq!(remedy, format!("rm -- {}", path.to_str().unwrap()));
    } else {
        assert!(claim["why"].as_str().unwrap().contains("that may be seen"));
    }
    assert!(path.exists());
}

#[test]
fn a_socket_file_for_datagrams_is_live_while_it_is_bound() {
    let stage = Stage::new();
    let path = stage.make("state").join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    verdict(&stage, &path, "live");
    drop(socket);
    verdict_once_closed(&stage, &path, "stale");
}

#[test]
fn a_connection_that_outlives_its_listener_is_nobody_who_listens() {
    let stage = Stage::new();
    let path = stage.make("state").join("serve.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let (server, _) = listener.accept().unwrap();
    drop(listener);
    // The accepted socket still has the path in the kernel's table.
    verdict_once_closed(&stage, &path, "stale");
    drop((client, server));
}

#[test]
fn a_socket_bound_by_a_relative_path_is_found_by_who_has_it_open() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let script = "import os, socket, sys; os.chdir(sys.argv[1]); s = socket.socket(socket.AF_UNIX); \
                  s.bind('serve.sock'); s.listen(); print('READY', flush=True); sys.stdin.read()";
    let python = Fixture::start(
        Command::new("/usr/bin/python3")
            .args(["-c", script])
            .arg(&dir),
    );
    let claim = verdict(&stage, &dir.join("serve.sock"), "live");
    assert!(
        holds_number(&claim["holders"], python.pid().into()),
        "{claim:#}"
    );
    // The same name elsewhere is another socket.
    let other = stage.make("other").join("serve.sock");
    drop(UnixListener::bind(&other).unwrap());
    verdict_once_closed(&stage, &other, "stale");
}

#[test]
fn a_socket_of_another_network_namespace_is_live() {
    if !is_root() {
        return support::skip("only root can make a network namespace");
    }
    let stage = Stage::new();
    let path = stage.make("state").join("serve.sock");
    let script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); \
                  s.listen(); print('READY', flush=True); sys.stdin.read()";
    let mut command = Command::new("unshare");
    command
        .args(["--net", "/usr/bin/python3", "-c", script])
        .arg(&path);
    let python = Fixture::start(&mut command);
    let claim = verdict(&stage, &path, "live");
    assert!(
        holds_number(&claim["holders"], python.pid().into()),
        "{claim:#}"
    );
}

#[test]
fn a_stale_socket_where_a_process_writes_is_a_finding() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["server", "--database"]);
    let path = dir.join("control");
    let listener = UnixListener::bind(&path).unwrap();
    let look = || stage.scan(&[fixture.fact("server"), "--json"]).process();
    look().must_not_raise("claim-stale");
    drop(listener);
    verdict_once_closed(&stage, &path, "stale");
    let process = look();
    let evidence = &process.finding("claim-stale", "warning")["evidence"];
    assert_eq!(evidence["kind"], "socket");
}

#[test]
fn a_link_to_nothing_claims_what_its_text_says() {
    let stage = Stage::new();
    let dir = stage.make("profile");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let (host, own) = (host.trim(), std::process::id());
    let link = |name: &str, text: String| {
        let path = dir.join(name);
        let _ = std::fs::remove_file(&path);
        symlink(text, &path).unwrap();
        path
    };
    for (name, text) in [
        ("lock", format!("127.0.1.1:+{own}")),
        ("SingletonLock", format!("{host}-{own}")),
        (".#notes.txt", format!("ann@{host}.{own}:{}", u32::MAX)),
    ] {
        let path = link(name, text);
        assert_eq!(verdict(&stage, &path, "live")["pid"], own);
    }
    let path = link("lock", format!("127.0.1.1:+{}", nobody() - 1));
    let stale = verdict(&stage, &path, "stale");
    if stale["remedy"].is_string() {
        let remedy = format!("rm -- {}", path.to_str().unwrap());
        assert_eq!(stale["remedy"], remedy.as_str());
    }
    // A directory has its links as well.
    assert_eq!(claims(&stage, &[&dir]).len(), 3);
    // Made before the machine was started, whoever has the PID now.
    let path = link(".#old.txt", format!("ann@{host}.{own}:1000000000"));
    verdict(&stage, &path, "stale");
    let path = link("lock", format!("192.0.2.1:+{own}"));
    assert!(verdict(&stage, &path, "unknown")["pid"].is_null());
    verdict(&stage, &link("lock", "elsewhere".into()), "absent");
    std::fs::write(dir.join("target"), own.to_string()).unwrap();
    verdict(&stage, &link("serve.pid", "target".into()), "live");
}

#[test]
fn a_stale_link_where_a_process_writes_is_a_finding() {
    let stage = Stage::new();
    let dir = stage.make("profile");
    let fixture = stage.mkfds_in(&dir, &["server", "--database"]);
    let path = dir.join("lock");
    let look = || stage.scan(&[fixture.fact("server"), "--json"]).process();
    symlink(format!("127.0.0.1:+{}", fixture.fact("server")), &path).unwrap();
    look().must_not_raise("claim-stale");
    std::fs::remove_file(&path).unwrap();
    symlink(format!("127.0.0.1:+{}", nobody() - 1), &path).unwrap();
    let process = look();
    let evidence = &process.finding("claim-stale", "warning")["evidence"];
    assert_eq!(evidence["path"], path.to_str().unwrap());
}

#[test]
fn what_is_not_there_is_absent_and_nobody_is_blamed() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let claim = verdict(&stage, &dir.join("serve.pid"), "absent");
    assert!(claim["severity"].is_null() && claim["remedy"].is_null());
    assert_eq!(claim["holders"], serde_json::json!([]));
}

#[test]
fn what_cannot_be_judged_from_here_is_unknown_and_says_why() {
    let stage = Stage::new();
    let dir = stage.make("state");
    // Another machine's address, a FIFO, a text that names nothing.
    let there = verdict(
        &stage,
        &write(&dir, "serve.port", "192.0.2.1:80"),
        "unknown",
    );
    assert!(there["why"].as_str().unwrap().contains("another one's"));
    let fifo = dir.join("serve.pid");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    verdict(&stage, &fifo, "unknown");
    verdict(&stage, &write(&dir, "notes.txt", "hello"), "unknown");
}

#[test]
fn a_claim_one_may_not_read_is_unknown_and_not_permitted() {
    if !is_root() {
        return support::skip("only root can make a file of another user");
    }
    let stage = Stage::unprivileged(60_251);
    let path = write(&stage.make("state"), "serve.pid", "1");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let scan = stage.scan_as_user(&["claims", "--json", path.to_str().unwrap()]);
    assert_eq!(scan.code(), 4, "{}", scan.stderr);
    assert_eq!(scan.json()["claims"][0]["verdict"], "unknown");
}

#[test]
fn a_socket_that_was_renamed_or_linked_after_it_was_bound_is_live() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let (first, then, linked) = (
        dir.join("sv.sock.1"),
        dir.join("sv.sock"),
        dir.join("other"),
    );
    let listener = UnixListener::bind(&first).unwrap();
    std::fs::hard_link(&first, &linked).unwrap();
    std::fs::rename(&first, &then).unwrap();
    for path in [&then, &linked] {
        let claim = verdict(&stage, path, "live");
        assert!(holds_number(&claim["holders"], std::process::id().into()));
    }
    drop(listener);
    verdict_once_closed(&stage, &then, "stale");
}

#[test]
fn a_lock_of_git_s_is_held_by_being_there() {
    let stage = Stage::new();
    let dir = stage.make("work");
    std::fs::create_dir(dir.join(".git")).unwrap();
    let path = write(&dir.join(".git"), "index.lock", "");
    verdict_once_closed(&stage, &path, "in_progress");
    make_old(&path);
    assert!(verdict_once_closed(&stage, &path, "unknown")["severity"].is_null());
    let open = File::open(&path).unwrap();
    verdict(&stage, &path, "held");
    drop(open);
}

#[test]
fn a_port_by_its_number_says_who_listens() {
    let stage = Stage::new();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    for word in [port.to_string(), format!(":{port}")] {
        let claim = verdict(&stage, Path::new(&word), "live");
        assert_eq!(claim["kind"], "port");
        assert!(holds_number(&claim["holders"], std::process::id().into()));
    }
    drop(listener);
    verdict_once_closed(&stage, Path::new(&port.to_string()), "free");
}

#[test]
fn nothing_is_said_of_a_directory_that_is_not_there() {
    let stage = Stage::new();
    let home = stage.make("home");
    let text = "import ctypes, sys; l = ctypes.CDLL(None); f = l.inotify_init1(0); \
                l.inotify_add_watch(f, sys.argv[1].encode(), 0x3ee); print('READY', flush=True); sys.stdin.read()";
    let script = write(&home, "watch.py", text);
    let mut python = Command::new("/usr/bin/python3");
    let src = stage.make("src");
    python
        .arg(script)
        .arg(src)
        .current_dir("/")
        .env("HOME", &home);
    let process = stage.look(&Fixture::start(&mut python));
    let gaps = process.0["incomplete"].to_string();
    assert!(!gaps.contains(".watch"), "{gaps}");
}
