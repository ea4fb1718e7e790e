//! The rows of the table, by where the watchers come from.

mod go;
mod java;
mod native;
mod node;
mod python;
mod runtimes;
mod rust;

pub use go::static_program as static_go;

use std::path::PathBuf;
use std::time::Duration;

use crate::{Reach, Ready, Stop, Tells, Watcher, tabbed};

/// Every row, in the order of the table.
pub fn all() -> Vec<&'static Watcher> {
    [
        node::ROWS,
        runtimes::ROWS,
        python::ROWS,
        rust::ROWS,
        native::ROWS,
        java::ROWS,
        go::ROWS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What most of our scripts do. Only `name`, `command` and `misses` are always their own.
const SCRIPT: Watcher = Watcher {
    name: "",
    extension: "txt",
    command: |_| Err("no command".to_owned()),
    unsupported: || None,
    ready: Ready::Line("READY"),
    tells: Tells::Paths(tabbed),
    restarts: false,
    deaf: Duration::ZERO,
    chatter: &[],
    stop: Stop::Terminated,
    preload: Reach::Full,
    misses: &[],
    exceptions: &[],
    prints_records: false,
};

/// The directory scripts/install-test-tools installs into.
fn tools() -> PathBuf {
    support::root().join("target/tools")
}

/// A program of `target/tools`, or that it is missing.
fn installed(path: &str) -> Result<PathBuf, String> {
    let path = tools().join(path);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!(
            "no {}: scripts/install-test-tools says why",
            path.display()
        ))
    }
}
