//! A Go program that is linked with libc loads the library, and makes its system calls past it: that is said, and what
//! helps instead.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::ffi::OsStr;
use std::process::Command;

use serde_json::Value;
use support::Victim;
use tempfile::TempDir;
use watchers::rows::dynamic_go;

fn said(program: &str, args: &[&OsStr]) -> String {
    let output = Command::new(support::binary(program, program))
        .args(args)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_library_is_said_to_have_no_effect_and_run_is_named() {
    let program = match dynamic_go() {
        Ok(program) => program,
        Err(why) => return support::skip(&why),
    };
    let reach = said("fdscan", &["reach".as_ref(), program.as_ref()]);
    assert!(reach.contains("not reached"), "{reach}");
    assert!(reach.contains("Go program"), "{reach}");

    let dir = TempDir::new().unwrap();
    let mut command = Command::new(&program);
    support::without_rules(&mut command)
        .arg(dir.path())
        .env("LD_PRELOAD", support::libwatchfix());
    let mut victim = Victim::spawn_group(&mut command);
    victim.line_with("READY");
    let pid = victim.pid().to_string();
    let json = said("fdscan", &[pid.as_ref(), "--json".as_ref()]);
    let document: Value = serde_json::from_str(&json).unwrap();
    let process = &document["processes"][0];
    assert_eq!(process["preload"]["mapped"], true);
    let instances = process["inotify"].as_array().unwrap();
    assert!(!instances.is_empty());
    for instance in instances {
        assert_eq!(instance["covered_by"], Value::Null, "{instance}");
    }
    let findings = process["findings"].as_array().unwrap();
    let finding = |code: &str| findings.iter().find(|one| one["code"] == code);
    let ineffective = finding("preload-ineffective").unwrap();
    assert_eq!(ineffective["evidence"]["reason"], "go");
    let remedy = ineffective["remedy"].as_str().unwrap();
    assert!(remedy.contains("watchfix run -- "), "{remedy}");
    // What it hears of a chmod is not taken for removed.
    assert!(finding("watch-wakes-on-attrib").is_some());
}
