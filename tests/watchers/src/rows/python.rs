//! Watchers in Python. Some find libc's own functions by a handle (`CDLL('libc.so.6')`), so that the kernel
//! keeps the whole mask and only the records they read can be filtered.

use std::process::Command;

use super::{READS, READS_AND_BELOW, SCRIPT, installed, tools};
use crate::{
    EACH_FILE, Operation, Reach, Ready, Report, Stop, Tells, Tree, Watcher, command, report_of,
    script,
};

pub(super) static ROWS: &[Watcher] = &[
    Watcher {
        name: "watchdog-7",
        command: |tree| python("watchdog_watch.py", tree),
        // Its own race when it is stopped right after an event, seen without the preload, too (2 of 120).
        chatter: &["InotifyEmitter.queue_events() called when the thread is inactive"],
        misses: &[Operation::List],
        ..SCRIPT
    },
    // Its thread dies of an unknown wd other than -1.
    Watcher {
        name: "watchdog-6",
        command: |tree| {
            let mut command = python("watchdog_watch.py", tree)?;
            command.env("PYTHONPATH", tools().join("watchdog6"));
            Ok(command)
        },
        misses: &[Operation::List],
        ..SCRIPT
    },
    Watcher {
        name: "watchdog-2",
        command: |tree| {
            let mut command = python("watchdog_watch.py", tree)?;
            command.env("PYTHONPATH", tools().join("watchdog2"));
            Ok(command)
        },
        misses: &[Operation::Read, Operation::List],
        ..SCRIPT
    },
    Watcher {
        name: "watchfiles",
        command: |tree| python("watchfiles_watch.py", tree),
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "uvicorn",
        command: |tree| {
            let mut command = command("watchfix-python")?;
            command
                .args([
                    "-m",
                    "uvicorn",
                    "--reload",
                    "--reload-include",
                    "*",
                    "--port",
                    "0",
                ])
                .arg("--app-dir")
                .arg(script(""))
                .arg("--reload-dir")
                .arg(tree.dir())
                .arg("asgi:app")
                .current_dir(tree.dir());
            Ok(command)
        },
        ready: Ready::Line("Application startup complete"),
        tells: Tells::Paths(uvicorn),
        restarts: true,
        chatter: &["INFO:"],
        stop: Stop::Exits(libc::SIGTERM, 0),
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "flask",
        extension: "py",
        command: |tree| {
            let mut command = python("flask_watch.py", tree)?;
            // With watchdog 7 werkzeug 3.1.9 notices nothing: its pattern `*.py` no longer matches a path.
            command.env("PYTHONPATH", tools().join("watchdog6"));
            Ok(command)
        },
        ready: Ready::Watching(&[""]),
        tells: Tells::Paths(flask),
        restarts: true,
        chatter: &[""],
        stop: Stop::Interrupted(0),
        misses: &[
            Operation::Read,
            Operation::List,
            Operation::Sqlite,
            Operation::Mkdir,
        ],
        ..SCRIPT
    },
    Watcher {
        name: "pyinotify",
        command: |tree| python("pyinotify_watch.py", tree),
        unsupported: since_python_312,
        // It warns of the filler of a read of which nothing is left.
        chatter: &[""],
        preload: Reach::Records,
        prints_records: true,
        ..SCRIPT
    },
    Watcher {
        name: "inotify-simple",
        command: |tree| {
            let mut command = python("inotify_simple_watch.py", tree)?;
            command.arg(tree.target(Operation::List));
            Ok(command)
        },
        // The filler of a read of which nothing is left.
        chatter: &["UNKNOWN WD -1 "],
        preload: Reach::Records,
        misses: &[Operation::Mkdir],
        prints_records: true,
        ..SCRIPT
    },
    Watcher {
        name: "py-inotify",
        command: |tree| python("py_inotify_watch.py", tree),
        chatter: &[""],
        preload: Reach::Records,
        prints_records: true,
        ..SCRIPT
    },
    Watcher {
        name: "qt-5",
        command: |tree| python("qt_watch.py", tree),
        misses: READS_AND_BELOW,
        exceptions: EACH_FILE,
        ..SCRIPT
    },
    Watcher {
        name: "watchman",
        command: |tree| {
            command("watchman")?;
            let mut command = python("watchman_watch.py", tree)?;
            command.arg(tree.aside());
            Ok(command)
        },
        misses: READS,
        ..SCRIPT
    },
    Watcher {
        name: "codex-app-server",
        command: |tree| {
            let codex = installed(CODEX)?;
            let mut command = command("watchfix-python")?;
            command
                .arg(script("codex_watch.py"))
                .arg(codex)
                .args([tree.dir(), tree.aside()]);
            Ok(command)
        },
        preload: Reach::Nothing,
        misses: READS_AND_BELOW,
        ..SCRIPT
    },
];

const CODEX: &str =
    "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex";

fn python(name: &str, tree: &Tree) -> Result<Command, String> {
    let mut command = command("watchfix-python")?;
    command.arg(script(name)).arg(tree.dir());
    Ok(command)
}

/// pyinotify 0.9.6, its last version, imports asyncore.
fn since_python_312() -> Option<&'static str> {
    let mut python = command("watchfix-python").ok()?;
    let found = python.args(["-c", "import asyncore"]).output().ok()?;
    let why = "it needs asyncore, which Python has no longer since 3.12";
    (!found.status.success()).then_some(why)
}

/// `WARNING:  WatchFiles detected changes in 'a.txt', 'b.txt'. Reloading...`
fn uvicorn(line: &str) -> Vec<Report> {
    let Some((_, files)) = line.split_once("WatchFiles detected changes in ") else {
        return Vec::new();
    };
    let names = files.split('\'').skip(1).step_by(2);
    names.map(|name| report_of("changed", name)).collect()
}

/// ` * Detected change in '/dir/a.py', reloading`. Of a renaming it names the old name, also where
/// the new one is what it looks for.
fn flask(line: &str) -> Vec<Report> {
    let path = line
        .split_once("Detected change in '")
        .and_then(|(_, rest)| rest.split('\'').next());
    let path = path.map(|p| {
        p.strip_suffix(".new")
            .map_or(p.to_owned(), |p| format!("{p}.py"))
    });
    path.map(|p| report_of("changed", p)).into_iter().collect()
}
