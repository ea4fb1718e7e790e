//! The rows of the table, by where the watchers come from.

mod deploys;
mod go;
mod java;
mod native;
mod node;
mod python;
mod runtimes;
mod rust;

pub use deploys::deploys;
pub use go::{dynamic_program as dynamic_go, static_program as static_go};

use std::path::PathBuf;
use std::time::Duration;

use crate::{Operation, Reach, Ready, Stop, Tells, Watcher, tabbed};

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
    without_preload: false,
    misses: &[],
    exceptions: &[],
    prints_records: false,
};

/// What a watcher of names misses: reading, and a lock that is taken on a file.
const READS: &[Operation] = &[Operation::Lock, Operation::Read, Operation::List];

/// What a watcher of one directory misses besides: what is made below it.
const READS_AND_BELOW: &[Operation] = &[
    Operation::Lock,
    Operation::Mkdir,
    Operation::Read,
    Operation::List,
];

/// What a watcher of the files of a build or of a program misses: every other file, and what does not change theirs.
const OF_A_BUILD: &[Operation] = &[
    Operation::Executed,
    Operation::Empty,
    Operation::Lock,
    Operation::Create,
    Operation::Mkdir,
    Operation::Read,
    Operation::List,
    Operation::Sqlite,
];

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
