//! fsnotify: Go makes its system calls itself, also where it is linked with libc.

use std::path::PathBuf;
use std::process::Command;

use super::{READS_AND_BELOW, SCRIPT, tools};
use crate::build::built;
use crate::{Reach, Tree, Watcher, command, script};

pub(super) static ROWS: &[Watcher] = &[
    Watcher {
        name: "go-fsnotify-static",
        command: |tree| static_program().map(|program| on(program, tree)),
        ..FSNOTIFY
    },
    Watcher {
        name: "go-fsnotify-cgo",
        command: |tree| dynamic_program().map(|program| on(program, tree)),
        ..FSNOTIFY
    },
];

/// All directories that are there, and those that come: what its users build.
pub(super) static RECURSIVE: Watcher = Watcher {
    name: "go-fsnotify-recursive",
    command: |tree| {
        let mut command = Command::new(static_program()?);
        command.arg("-recursive").arg(tree.dir());
        Ok(command)
    },
    ..FSNOTIFY
};

const FSNOTIFY: Watcher = Watcher {
    preload: Reach::Nothing,
    misses: READS_AND_BELOW,
    ..SCRIPT
};

fn on(program: PathBuf, tree: &Tree) -> Command {
    let mut command = Command::new(program);
    command.arg(tree.dir());
    command
}

/// fsnotify on the directories that are its arguments, with nothing to be loaded.
///
/// # Errors
/// Why it cannot be built here.
pub fn static_program() -> Result<PathBuf, String> {
    program("go-static", "0")
}

/// The same, linked with libc.
///
/// # Errors
/// Why it cannot be built here.
pub fn dynamic_program() -> Result<PathBuf, String> {
    program("go-cgo", "1")
}

fn program(name: &'static str, cgo: &str) -> Result<PathBuf, String> {
    built(name, |into| {
        let mut go = command("go")?;
        go.args(["build", "-o"]).arg(into).arg(script("watch.go"));
        // With Debian's packages as GOPATH: nothing is fetched.
        go.envs([("CGO_ENABLED", cgo), ("GO111MODULE", "off")])
            .env("GOPATH", "/usr/share/gocode")
            .env("GOCACHE", tools().join("go-cache"));
        Ok(go)
    })
}
