//! The library under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names another library than the one that is built here: a test in a process of another architecture, or one with a fault.
pub const GIVEN: &str = "WATCHFIX_DYLIB";

/// `libwatchfix.dylib` as users get it; `None`, after the calling test was named as skipped, if it cannot be built here.
pub fn library() -> Option<&'static [u8]> {
    static LIBRARY: OnceLock<Result<(PathBuf, Vec<u8>), String>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let path = match std::env::var_os(GIVEN) {
            Some(path) => PathBuf::from(path),
            None => build(&support::target_dir(), &[])?,
        };
        let bytes = std::fs::read(&path).unwrap();
        Ok((path, bytes))
    });
    match library {
        Ok((_, bytes)) => Some(bytes),
        Err(reason) => {
            support::skip_optional(reason);
            None
        }
    }
}

/// Builds it into `target` by scripts/build-macos.
///
/// # Errors
/// rustup cannot have the targets.
pub fn build(target: &Path, variables: &[(&str, &str)]) -> Result<PathBuf, String> {
    let run = Command::new(support::root().join("scripts/build-macos"))
        .env("CARGO_TARGET_DIR", target)
        .envs(variables.iter().copied())
        .output()
        .map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    match run.status.code() {
        Some(0) => Ok(PathBuf::from(String::from_utf8_lossy(&run.stdout).trim())),
        Some(3) => Err(said),
        _ => panic!("scripts/build-macos failed: {said}"),
    }
}
