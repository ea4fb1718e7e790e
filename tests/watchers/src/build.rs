//! Watchers that are compiled here, each once in a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The path `name` below the target directory, after the command that makes it has been run.
///
/// # Errors
/// What the command printed, or that there is none.
pub(crate) fn built(
    name: &'static str,
    command: impl FnOnce(&Path) -> Result<Command, String>,
) -> Result<PathBuf, String> {
    static BUILT: Mutex<BTreeMap<&str, Result<PathBuf, String>>> = Mutex::new(BTreeMap::new());
    let mut all = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(name)
        .or_insert_with(|| build(name, command))
        .clone()
}

fn build(
    name: &str,
    command: impl FnOnce(&Path) -> Result<Command, String>,
) -> Result<PathBuf, String> {
    let into = support::target_dir().join("test-watchers");
    std::fs::create_dir_all(&into).map_err(|e| e.to_string())?;
    let made = into.join(name);
    let mut command = command(&made)?;
    let run = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if run.status.success() {
        Ok(made)
    } else {
        Err(format!(
            "{command:?}: {}{}",
            String::from_utf8_lossy(&run.stdout),
            String::from_utf8_lossy(&run.stderr)
        ))
    }
}
