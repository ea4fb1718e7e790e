//! Edits made by a process of their own.
//!
//! A test that opens a file itself does not decide when it is closed: while another test of the same
//! process starts a child, that child holds a copy of the descriptor until its exec, and CLOSE_WRITE
//! comes only then.

use std::path::Path;
use std::process::Command;

/// Adds `text` to an existing file: open, one write, close.
pub fn append(path: &Path, text: &str) {
    shell("printf '%s' \"$1\" >>\"$2\"", text, path);
}

/// Adds `text` to an existing file so many times, each with an open and a close of its own.
pub fn append_times(path: &Path, text: &str, times: u32) {
    let script =
        format!("i=0; while [ $i -lt {times} ]; do printf '%s' \"$1\" >>\"$2\"; i=$((i+1)); done");
    shell(&script, text, path);
}

/// Makes a file that holds `text`, or puts `text` in the place of what it held.
pub fn overwrite(path: &Path, text: &str) {
    shell("printf '%s' \"$1\" >\"$2\"", text, path);
}

fn shell(script: &str, text: &str, path: &Path) {
    let status = Command::new("sh")
        .args(["-c", script, "sh", text])
        .arg(path)
        .env_remove("LD_PRELOAD")
        .status()
        .expect("sh starts");
    assert!(status.success(), "writing {}: {status}", path.display());
}
