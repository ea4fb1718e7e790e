//! `scripts/lib/failed-tests`: what it makes of what cargo really prints.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The names it finds in `text`.
fn failed(text: &[u8]) -> Vec<String> {
    let mut script = Command::new(support::root().join("scripts/lib/failed-tests"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    script.stdin.take().unwrap().write_all(text).unwrap();
    let output = script.wait_with_output().unwrap();
    assert!(output.status.success());
    let names = String::from_utf8(output.stdout).unwrap();
    names.lines().map(str::to_owned).collect()
}

/// What `cargo test --no-fail-fast` prints of a package with these files below tests/, both streams in one.
fn cargo_test(tests: &[(&str, &str)]) -> Vec<u8> {
    let dir = TempDir::new().unwrap();
    let manifest = "[package]\nname = \"victim\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir_all(dir.path().join("tests")).unwrap();
    for (name, text) in tests {
        fs::write(dir.path().join("tests").join(name), text).unwrap();
    }
    let output = Command::new("sh")
        .args(["-c", "cargo test --no-fail-fast 2>&1"])
        .current_dir(dir.path())
        .env("CARGO_TARGET_DIR", dir.path().join("target"))
        .env_remove("RUST_TEST_THREADS")
        .output()
        .unwrap();
    assert!(!output.status.success());
    output.stdout
}

#[test]
fn a_failed_test_is_named_as_cargo_takes_it() {
    let mixed = r#"
        #[test] fn good() {}
        #[test] fn other_bad() { panic!("failures:\n    not_a_test\n") }
        mod inner { #[test] fn bad() { println!("    indented"); assert_eq!(1, 2); } }
    "#;
    let good = "#[test] fn good() {}";
    let crash = "#[test] fn ends_all() { std::process::abort() }";
    let said = cargo_test(&[("crash.rs", crash), ("good.rs", good), ("mixed.rs", mixed)]);
    assert_eq!(
        failed(&said),
        [
            "--test crash: it ended before its end",
            "--test mixed: inner::bad",
            "--test mixed: other_bad",
        ],
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
fn checks_of_smoke_and_rows_of_watchers_are_named() {
    let said = "ok      the library loads\nFAILED  a touch does: expected a, found b\n\
                chokidar-6\n  NOT AS EXPECTED: preload, touch: missed\n  NOT AS EXPECTED: run, touch: missed\n\
                entr\n  bare      1.0 ms in 5 s of idleness, +0 descriptors\n";
    assert_eq!(
        failed(said.as_bytes()),
        ["a touch does: expected a, found b", "chokidar-6"]
    );
    assert!(failed(b"test result: ok. 3 passed; 0 failed\n").is_empty());
}

#[test]
fn a_name_is_kept_when_cargo_itself_was_ended() {
    let said = "failures:\n\n---- a::b stdout ----\n    indented\n\nfailures:\n    a::b\n\n\
                test result: FAILED. 1 passed; 1 failed\n\nTerminated\n";
    assert_eq!(failed(said.as_bytes()), ["a::b"]);
}
