//! Watchers on node: libuv's masks have no CLOSE_WRITE, so that `touch` reaches them as ATTRIB alone.

use std::path::Path;
use std::process::Command;

use super::{OF_A_BUILD, READS, READS_AND_BELOW, SCRIPT, installed};
use crate::{
    EACH_FILE, Operation, Ready, Report, Stop, Tells, Tree, Watcher, command, report_of, script,
};

/// What a watcher of certain files misses.
const OF_THESE: &[Operation] = &[
    Operation::Create,
    Operation::Empty,
    Operation::Lock,
    Operation::Mkdir,
    Operation::Read,
    Operation::List,
    Operation::Sqlite,
];

/// What a build misses that looks at modification times first.
const BY_TIME: &[Operation] = &[
    Operation::Executed,
    Operation::Empty,
    Operation::Lock,
    Operation::Create,
    Operation::Mkdir,
    Operation::Chmod,
    Operation::Read,
    Operation::List,
    Operation::Sqlite,
];

pub(super) static ROWS: &[Watcher] = &[
    Watcher {
        name: "node-fs-watch",
        without_preload: true,
        command: |tree| {
            let mut command = command("node")?;
            command
                .arg(script("fs_watch.js"))
                .args([tree.dir(), &tree.target(Operation::List)]);
            Ok(command)
        },
        misses: READS_AND_BELOW,
        ..SCRIPT
    },
    // Each file by a watch on that file.
    Watcher {
        name: "node-fs-watch-files",
        command: |tree| {
            let mut command = command("node")?;
            command.arg(script("fs_watch.js")).args(tree.files());
            Ok(command)
        },
        misses: OF_THESE,
        ..SCRIPT
    },
    // Were the lock it takes a change, one edit would make it build for ever.
    Watcher {
        name: "node-build",
        command: |tree| {
            let mut command = command("node")?;
            command.arg(script("build.js")).arg(tree.dir());
            Ok(command)
        },
        tells: Tells::Rounds("BUILT"),
        chatter: &["BUILT"],
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "node-fs-watch-recursive",
        without_preload: true,
        command: |tree| {
            since_node_20()?;
            let mut command = command("node")?;
            command
                .arg(script("fs_watch.js"))
                .arg("--recursive")
                .arg(tree.dir());
            Ok(command)
        },
        misses: READS,
        exceptions: EACH_FILE,
        ..SCRIPT
    },
    Watcher {
        name: "node-watch",
        without_preload: true,
        extension: "js",
        command: |tree| {
            let mut command = command("node")?;
            command.arg("--watch").arg(required(tree)?);
            Ok(command)
        },
        ready: Ready::Line("running"),
        tells: Tells::Rounds("Restarting"),
        restarts: true,
        chatter: &[""],
        stop: Stop::Exits(libc::SIGTERM, 0),
        misses: OF_THESE,
        ..SCRIPT
    },
    Watcher {
        name: "chokidar-3",
        command: |tree| chokidar("chokidar3", tree),
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "chokidar-4",
        without_preload: true,
        command: |tree| chokidar("chokidar4", tree),
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "chokidar-4-files",
        command: |tree| {
            let mut command = command("watchfix-node")?;
            command
                .arg(script("chokidar.js"))
                .arg("chokidar4")
                .args(tree.files());
            Ok(command)
        },
        misses: OF_THESE,
        ..SCRIPT
    },
    Watcher {
        name: "chokidar-6",
        command: |tree| since_node_20().and_then(|()| chokidar("chokidar6", tree)),
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "nodemon",
        command: |tree| {
            let mut command = command("watchfix-node")?;
            command
                .arg(installed("node_modules/nodemon/bin/nodemon.js")?)
                .args([
                    "--verbose",
                    "--no-colours",
                    "--ext",
                    "txt,toml,sqlite,sqlite-wal",
                    "--exec",
                    "true",
                ])
                .arg("--watch")
                .arg(tree.dir())
                .current_dir(tree.dir());
            Ok(command)
        },
        ready: Ready::Line(" files"),
        tells: Tells::Paths(nodemon),
        chatter: &["[nodemon]", ""],
        stop: Stop::Exits(libc::SIGTERM, 128 + libc::SIGTERM),
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "vite-dev",
        extension: "js",
        command: |tree| since_node_20().and_then(|()| node_with("vite_dev.js", tree)),
        ready: Ready::WatchingFilesAnd(&["", "listed"]),
        stop: Stop::Exits(libc::SIGTERM, 128 + libc::SIGTERM),
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "vite-build-watch",
        extension: "js",
        command: |tree| since_node_20().and_then(|()| node_with("vite_build.js", tree)),
        restarts: true,
        misses: OF_A_BUILD,
        ..SCRIPT
    },
    Watcher {
        name: "webpack",
        extension: "js",
        command: |tree| node_with("webpack.js", tree),
        restarts: true,
        misses: BY_TIME,
        ..SCRIPT
    },
    Watcher {
        name: "tsc-5",
        extension: "ts",
        command: |tree| {
            let mut command = command("node")?;
            command
                .arg(installed("node_modules/typescript/bin/tsc")?)
                .args(["--watch", "--extendedDiagnostics", "--noEmit"])
                .args(["--module", "nodenext", "--preserveWatchOutput"])
                .args(["--lib", "es5"])
                .arg(tree.main())
                .current_dir(tree.dir());
            Ok(command)
        },
        ready: Ready::Line("Watching for file changes."),
        tells: Tells::Paths(tsc),
        chatter: &[""],
        stop: Stop::Killed,
        misses: OF_A_BUILD,
        ..SCRIPT
    },
    Watcher {
        name: "parcel-watcher",
        command: |tree| {
            let mut command = command("watchfix-node")?;
            command.arg(script("parcel.js")).arg(tree.dir());
            Ok(command)
        },
        misses: READS,
        ..SCRIPT
    },
];

fn chokidar(package: &str, tree: &Tree) -> Result<Command, String> {
    let mut command = command("watchfix-node")?;
    command
        .arg(script("chokidar.js"))
        .arg(package)
        .arg(tree.dir());
    Ok(command)
}

fn node_with(name: &str, tree: &Tree) -> Result<Command, String> {
    let mut command = command("watchfix-node")?;
    command.arg(script(name)).args([tree.dir(), tree.aside()]);
    Ok(command)
}

/// Debian 12 has node 18.
fn since_node_20() -> Result<(), String> {
    let version = command("node")?.arg("--version").output();
    let version = version.map_err(|e| e.to_string())?.stdout;
    let version = String::from_utf8_lossy(&version).into_owned();
    let major = version.trim_start_matches('v').split('.').next();
    match major.and_then(|m| m.parse::<u32>().ok()) {
        Some(major) if major < 20 => Err(format!("node is {}: it needs 20", version.trim())),
        _ => Ok(()),
    }
}

/// A program that requires every file, and does without those that are gone.
pub(super) fn required(tree: &Tree) -> Result<std::path::PathBuf, String> {
    let program = tree.dir().join("main.js");
    let requires = tree
        .files()
        .map(|file| format!("try {{ require({file:?}) }} catch {{}}\n"));
    let text = requires.collect::<String>() + "console.log('ROUND')\n";
    std::fs::write(&program, text).map_err(|e| e.to_string())?;
    Ok(program)
}

/// `[nodemon] files triggering change check: a.txt`, several joined by a comma and a blank.
fn nodemon(line: &str) -> Vec<Report> {
    let Some(files) = line.strip_prefix("[nodemon] files triggering change check: ") else {
        return Vec::new();
    };
    files.split(", ").map(|f| report_of("changed", f)).collect()
}

/// `FileWatcher:: Triggered with PATH 1:: WatchInfo: ...`
fn tsc(line: &str) -> Vec<Report> {
    let path = line
        .split_once("Watcher:: Triggered with ")
        .and_then(|(_, rest)| rest.split(' ').next());
    path.map(|p| report_of("triggered", Path::new(p)))
        .into_iter()
        .collect()
}
