//! Claims: every verdict from a real process, a real socket or a real lock.

use std::fs::{File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::common::{Stage, holds_number, proc_number, quiet};

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
fn claims_in_a_directory_that_is_watched_for_reads_are_left_alone() {
    let _quiet = quiet();
    let stage = Stage::new();
    let dir = stage.make("state");
    write(&dir, "serve.pid", &nobody().to_string());
    let mut fixture = stage.mkfds_in(&dir, &["self-watch", "--mask", "0x3ee"]);
    let process = stage.look(&fixture);
    process.must_not_raise("claim-stale");
    let gaps = process.0["incomplete"].to_string();
    assert!(gaps.contains("claims in"), "{gaps}");
    fixture.victim.send("");
    assert_eq!(fixture.victim.line_with("queued="), "queued=0");
}
