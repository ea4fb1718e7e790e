//! Stale claims beside the state of a process: `claim-stale`.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::common::{Fixture, Stage, quiet};

use super::{knows_who_has_ended, nobody, verdict_once_closed, write};

#[test]
fn a_stale_claim_where_a_process_writes_is_a_finding_and_a_live_one_is_not() {
    if !knows_who_has_ended() {
        return;
    }
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
fn a_leftover_of_another_program_beside_a_log_or_redirected_output_is_ignored() {
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
    if !knows_who_has_ended() {
        return;
    }
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
fn a_stale_link_where_a_process_writes_is_a_finding() {
    if !knows_who_has_ended() {
        return;
    }
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
