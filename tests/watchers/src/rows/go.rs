//! fsnotify: Go makes its system calls itself, also where it is linked with libc.

use std::process::Command;

use super::{SCRIPT, tools};
use crate::build::built;
use crate::{Operation, Reach, Tree, Watcher, command, script};

pub(super) static ROWS: &[Watcher] = &[
    Watcher {
        name: "go-fsnotify-static",
        command: |tree| fsnotify(tree, "go-static", "0"),
        ..FSNOTIFY
    },
    Watcher {
        name: "go-fsnotify-cgo",
        command: |tree| fsnotify(tree, "go-cgo", "1"),
        ..FSNOTIFY
    },
];

const FSNOTIFY: Watcher = Watcher {
    preload: Reach::Nothing,
    misses: &[Operation::Mkdir, Operation::Read, Operation::List],
    ..SCRIPT
};

fn fsnotify(tree: &Tree, name: &'static str, cgo: &str) -> Result<Command, String> {
    let program = built(name, |into| {
        let mut go = command("go")?;
        go.args(["build", "-o"]).arg(into).arg(script("watch.go"));
        // With Debian's packages as GOPATH: nothing is fetched.
        go.envs([("CGO_ENABLED", cgo), ("GO111MODULE", "off")])
            .env("GOPATH", "/usr/share/gocode")
            .env("GOCACHE", tools().join("go-cache"));
        Ok(go)
    })?;
    let mut command = Command::new(program);
    command.arg(tree.dir());
    Ok(command)
}
