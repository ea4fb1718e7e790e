//! Watchers in managed languages: Java, and C# on mono.

use super::{READS_AND_BELOW, SCRIPT};
use crate::build::built;
use crate::{Operation, Stop, Watcher, command, script};

pub(super) static ROWS: &[Watcher] = &[
    Watcher {
        name: "java-watchservice",
        command: |tree| {
            let classes = built("java", |into| {
                let mut javac = command("javac")?;
                javac.arg("-d").arg(into).arg(script("Watch.java"));
                Ok(javac)
            })?;
            let mut command = command("java")?;
            command.arg("-cp").arg(classes).arg("Watch").arg(tree.dir());
            Ok(command)
        },
        // Its status after SIGTERM is the signal's, whatever its hooks did.
        stop: Stop::Exits(libc::SIGTERM, 128 + libc::SIGTERM),
        misses: READS_AND_BELOW,
        ..SCRIPT
    },
    Watcher {
        name: "mono",
        command: |tree| {
            let program = built("watch.exe", |into| {
                let mut mcs = command("mcs")?;
                mcs.arg(format!("-out:{}", into.display()))
                    .arg(script("watch.cs"));
                Ok(mcs)
            })?;
            let mut command = command("mono")?;
            command.arg(program).arg(tree.dir());
            Ok(command)
        },
        stop: Stop::InputClosed,
        misses: &[Operation::Lock],
        ..SCRIPT
    },
];
