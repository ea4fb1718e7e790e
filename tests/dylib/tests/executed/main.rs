//! The library's contract on macOS, executed: each test calls its machine code as a program that dyld bound would.
//!
//! The same tests run for arm64 (`other_architecture`). That they can fail is shown by `faults`.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod children;
mod doubt;
mod exceptions;
mod faults;
mod file;
mod fsevents;
mod kqueue;
mod lists;
mod log;
#[cfg(target_arch = "x86_64")]
mod other_architecture;
mod reach;
mod redhook;
mod streams;
mod variables;
mod waits;

use std::path::{Path, PathBuf};

/// What starts a program of the architecture the tests were built for, if this machine does not by itself.
const EMULATOR: &str = "WATCHFIX_TEST_EMULATOR";

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Its path without symbolic links, as F_GETPATH gives it.
fn real(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().canonicalize().unwrap()
}

fn file(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "1").unwrap();
    path
}

/// A variable with a path.
fn variable(name: &str, value: &Path) -> String {
    format!("{name}={}", value.display())
}
