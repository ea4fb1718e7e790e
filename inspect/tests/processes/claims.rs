//! Claims: every verdict from a real process, a real socket or a real lock.

mod files;
mod reported;
mod sockets;

use std::fs::{File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::common::{Fixture, Stage, holds_number, proc_number};

/// Whether a PID that no process has here is nobody's. If not, says that the test is skipped.
fn knows_who_has_ended() -> bool {
    if !support::sees_all_pids() {
        support::skip_optional(
            "in a PID namespace that is not the first one, nobody is known to have ended",
        );
    }
    support::sees_all_pids()
}

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
fn a_directory_stands_for_the_claims_in_it() {
    if !knows_who_has_ended() {
        return;
    }
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
    if !knows_who_has_ended() {
        return;
    }
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
fn a_link_to_nothing_claims_what_its_text_says() {
    if !knows_who_has_ended() {
        return;
    }
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
    assert!(
        there["why"]
            .as_str()
            .unwrap()
            .contains("that of another one")
    );
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

/// A program `watch.py` that watches `src` for reads, with `home` as its HOME and `cwd` to work in.
fn watcher(stage: &Stage, home: &Path, cwd: &Path) -> Fixture {
    let text = "import ctypes, sys; l = ctypes.CDLL(None); f = l.inotify_init1(0); \
                l.inotify_add_watch(f, sys.argv[1].encode(), 0x3ee); print('READY', flush=True); sys.stdin.read()";
    let script = write(&stage.make("bin"), "watch.py", text);
    let mut python = stage.command(Path::new("/usr/bin/python3"));
    python.arg(script).arg(stage.make("src"));
    Fixture::start(python.current_dir(cwd).env("HOME", home))
}

#[test]
fn nothing_is_said_of_a_directory_that_is_not_there() {
    let stage = Stage::new();
    let fixture = watcher(&stage, &stage.make("home"), Path::new("/"));
    let gaps = stage.look(&fixture).0["incomplete"].to_string();
    assert!(!gaps.contains(".watch"), "{gaps}");
}

/// As under `sudo -u` without -H, or in a service with root's environment.
#[test]
fn of_a_home_that_may_not_be_entered_nobody_says_that_it_is_watched() {
    let stage = Stage::unprivileged(60731);
    let (home, state) = (stage.make("home"), stage.make("state"));
    let fixture = watcher(&stage, &home, &state);
    let may_enter = |mode| {
        for dir in [&home, &state] {
            std::fs::set_permissions(dir, Permissions::from_mode(mode)).unwrap();
        }
    };
    may_enter(0o000);
    let process = stage.look_as_user(&fixture);
    may_enter(0o700);
    let gaps = process.0["incomplete"].as_array().unwrap();
    let claims = gaps.iter().map(|gap| (&gap["what"], &gap["why"]));
    let mut claims = claims.filter(|(what, _)| what.as_str().unwrap().starts_with("the claims"));
    // Where it works there may be claims. That it has state in its home is only a guess.
    let in_state = format!("the claims in {}", state.display());
    let expected = (&in_state.into(), &"permission denied".into());
    assert_eq!(claims.next(), Some(expected));
    assert_eq!(claims.next(), None);
}
