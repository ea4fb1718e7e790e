//! bun, which makes its system calls itself (by libc's `syscall()`), and deno, on the notify crate.

use std::process::Command;

use super::node::required;
use super::{OF_A_BUILD, READS_AND_BELOW, SCRIPT, installed};
use crate::{Operation, Ready, Stop, Tells, Watcher, script};

pub(super) static ROWS: &[Watcher] = &[
    Watcher {
        name: "bun-fs-watch",
        command: |tree| {
            let mut command = Command::new(installed(BUN)?);
            command.arg(script("fs_watch.js")).arg(tree.dir());
            Ok(command)
        },
        misses: READS_AND_BELOW,
        ..SCRIPT
    },
    Watcher {
        name: "bun-watch",
        extension: "js",
        command: |tree| {
            let mut command = Command::new(installed(BUN)?);
            command
                .args(["--watch", "--no-clear-screen"])
                .arg(required(tree)?);
            Ok(command)
        },
        // It executes itself anew, and watches each file as it loads it.
        ready: Ready::Line("ROUND"),
        tells: Tells::Rounds("ROUND"),
        chatter: &[""],
        stop: Stop::Killed,
        misses: &[
            Operation::Replace,
            Operation::LateClose,
            Operation::Held,
            Operation::Linked,
            Operation::Executed,
            Operation::Touch,
            Operation::Utime,
            Operation::TouchC,
            Operation::BusyboxTouch,
            Operation::Create,
            Operation::Empty,
            Operation::Lock,
            Operation::Mkdir,
            Operation::Chmod,
            Operation::Read,
            Operation::List,
            Operation::Sqlite,
            Operation::Delete,
        ],
        ..SCRIPT
    },
    Watcher {
        name: "deno-watchfs",
        without_preload: true,
        command: |tree| {
            let mut command = Command::new(installed(DENO)?);
            command
                .args(["run", "--quiet", "--allow-all"])
                .arg(script("deno_watch.js"))
                .arg(tree.dir())
                .env("DENO_DIR", tree.aside());
            Ok(command)
        },
        misses: &[Operation::Read, Operation::List],
        ..SCRIPT
    },
    Watcher {
        name: "deno-watch",
        without_preload: true,
        extension: "js",
        command: |tree| {
            let mut command = Command::new(installed(DENO)?);
            command
                .args(["run", "--watch", "--no-clear-screen"])
                .arg(tree.main())
                .env("DENO_DIR", tree.aside())
                .env("NO_COLOR", "1");
            Ok(command)
        },
        ready: Ready::Line("Restarting on file change"),
        tells: Tells::Rounds("Watcher Restarting!"),
        restarts: true,
        chatter: &[""],
        stop: Stop::Killed,
        misses: OF_A_BUILD,
        ..SCRIPT
    },
];

const BUN: &str = "node_modules/@oven/bun-linux-x64/bin/bun";
const DENO: &str = "node_modules/@deno/linux-x64-glibc/deno";
