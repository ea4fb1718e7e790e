//! Servers that write what they watch: the command that `fdscan events` prints is pasted into a shell, and from then
//! on one edit makes them reload once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::{Next, Victim};
use tempfile::TempDir;

/// A server that loops.
struct Server {
    /// A file of its project, which is edited.
    edited: PathBuf,
    /// In the line it prints when it is up.
    ready: &'static str,
    /// What it watches then.
    watched: PathBuf,
    /// In the line it prints at each reload.
    reloads: &'static str,
    /// So many of them are listened to.
    rounds: usize,
    /// What must be ignored.
    names: &'static [&'static str],
}

/// A project with these files.
fn project(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let dir = tempfile::Builder::new().prefix("app").tempdir().unwrap();
    let app = dir.path().canonicalize().unwrap().join("app");
    fs::create_dir(&app).unwrap();
    for (name, text) in files {
        fs::write(app.join(name), text).unwrap();
    }
    (dir, app)
}

/// The programs side by side, as they are installed: where `fdscan` finds the library, and `watchfix` is in PATH.
fn install() -> TempDir {
    let dir = TempDir::new().unwrap();
    let programs = [
        support::binary("fdscan", "fdscan"),
        support::watchfix().to_path_buf(),
        support::libwatchfix().to_path_buf(),
    ];
    for program in &programs {
        support::share(program, &dir.path().join(program.file_name().unwrap()));
    }
    dir
}

/// Of the process and its descendants the one that watches this.
fn watcher(root: u32, watched: &Path) -> Option<u32> {
    let inode = fs::metadata(watched).unwrap().ino();
    if support::watches(root).iter().any(|w| w.inode == inode) {
        return Some(root);
    }
    let children = fs::read_to_string(format!("/proc/{root}/task/{root}/children"));
    let children = children.unwrap_or_default();
    let mut children = children.split_whitespace().flat_map(str::parse);
    children.find_map(|child| watcher(child, watched))
}

/// `fdscan events`, listening.
fn listen(installed: &Path, pid: u32, seconds: &str) -> Victim {
    let mut fdscan = Command::new(installed.join("fdscan"));
    fdscan.args(["events", &pid.to_string(), "--for", seconds, "--json"]);
    let listener = Victim::spawn(&mut fdscan);
    // It asks for all it wants before it reads anything.
    support::wait_until("it does not listen", || {
        !support::watches(listener.pid()).is_empty()
    });
    listener
}

/// What it says when it has listened.
fn heard(listener: Victim) -> Value {
    let (status, lines) = listener.finish();
    assert!(status.success(), "{status}: {lines:#?}");
    serde_json::from_str(&lines.join("\n")).unwrap()
}

/// Asks the process, of this server or it itself, to end with what it has started.
fn end(server: Victim, pid: u32) -> Vec<String> {
    // SAFETY: kill has no memory effects; the process is below one that has not been waited for.
    unsafe { libc::kill(pid as i32, libc::SIGTERM) };
    server.finish().1
}

/// Starts it, and makes the first edit once it watches; gives who watches as well.
fn start(command: &mut Command, server: &Server) -> (Victim, u32) {
    let mut victim = Victim::spawn(command);
    victim.line_with(server.ready);
    let watcher = || watcher(victim.pid(), &server.watched);
    support::wait_until("it does not watch", || watcher().is_some());
    let pid = watcher().unwrap();
    support::append(&server.edited, "\n");
    victim.line_with(server.reloads);
    (victim, pid)
}

/// `bash` that reads a line as a person gives it, in the project.
fn pasted(line: &str, installed: &Path, app: &Path) -> Command {
    let path = std::env::var("PATH").unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", line]).current_dir(app);
    bash.env("PATH", format!("{}:{path}", installed.display()));
    bash
}

fn is_healed_by_what_is_printed(command: &mut Command, server: &Server) {
    let installed = install();
    let app = server.edited.parent().unwrap();
    let (mut looping, pid) = start(command.current_dir(app), server);
    let listener = listen(installed.path(), pid, "600");
    // What it has said until now is not of this time.
    while let Next::Line(_) = looping.next_within(Duration::ZERO) {}
    for _ in 0..server.rounds {
        looping.line_with(server.reloads);
    }
    listener.signal(libc::SIGINT);
    let doc = heard(listener);
    let remedy = doc["conclusion"]["remedy"].as_str();
    let remedy = remedy.unwrap_or_else(|| panic!("{doc:#}")).to_owned();
    for name in server.names {
        assert!(remedy.contains(name), "{remedy}: {doc:#}");
    }
    end(looping, pid);

    let (mut healed, pid) = start(&mut pasted(&remedy, installed.path(), app), server);
    // Whatever that reload was to cause, an edit after it comes later.
    let doc = heard(listen(installed.path(), pid, "4"));
    assert_eq!(doc["conclusion"]["remedy"], Value::Null, "{doc:#}");
    support::append(&server.edited, "\n");
    healed.line_with(server.reloads);
    let lines = end(healed, pid);
    let reloads = lines.iter().filter(|l| l.contains(server.reloads)).count();
    assert_eq!(reloads, 2, "{remedy}: {lines:#?}");
}

/// A tool of scripts/install-test-tools, or a skip.
fn tool(name: &str) -> Option<Command> {
    let found = support::tool(name);
    if found.is_none() {
        support::skip(&format!("no {name}: scripts/install-test-tools says why"));
    }
    found.map(Command::new)
}

/// A program of a node package.
fn node(program: &str) -> Option<Command> {
    let mut node = tool("watchfix-node")?;
    let modules = support::root().join("target/tools/node_modules");
    node.arg(modules.join(program));
    Some(node)
}

#[test]
fn uvicorn_whose_application_keeps_a_database_and_a_log_beside_it() {
    let Some(mut command) = tool("watchfix-python") else {
        return;
    };
    let main = r#"
import sqlite3

db = sqlite3.connect("data.db", isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE IF NOT EXISTS starts(n)")
log = open("server.out", "a")


async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    db.execute("INSERT INTO starts VALUES (1)")
    for _ in range(9):
        log.write("started\n")
        log.flush()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
"#;
    let (_dir, app) = project(&[("main.py", main)]);
    command.args(["-m", "uvicorn", "--reload", "--reload-include", "*"]);
    command.args(["--port", "0", "main:app"]);
    let server = Server {
        edited: app.join("main.py"),
        watched: app,
        ready: "Application startup complete",
        reloads: "WatchFiles detected changes",
        rounds: 4,
        names: &["data.db", "server.out"],
    };
    is_healed_by_what_is_printed(&mut command, &server);
}

#[test]
fn nodemon_whose_program_writes_a_log_and_its_state() {
    let Some(mut command) = node("nodemon/bin/nodemon.js") else {
        return;
    };
    let main = r#"
const fs = require('node:fs');
fs.writeFileSync('state.json', JSON.stringify({ at: Date.now() }));
const log = fs.openSync('app.log', 'a');
for (let i = 0; i < 9; i++) fs.writeSync(log, 'started\n');
console.log('UP');
setInterval(() => {}, 1000);
"#;
    let (_dir, app) = project(&[("app.js", main)]);
    command.args(["--no-colours", "--ext", "js,json,log", "app.js"]);
    let server = Server {
        edited: app.join("app.js"),
        watched: app.join("app.js"),
        ready: "UP",
        reloads: "restarting due to changes",
        // It says so for each file.
        rounds: 12,
        names: &["app.log", "state.json"],
    };
    is_healed_by_what_is_printed(&mut command, &server);
}

#[test]
fn vite_with_a_plugin_that_logs_each_change() {
    let Some(mut command) = node("vite/bin/vite.js") else {
        return;
    };
    let config = r#"
import fs from 'node:fs';

const log = fs.openSync('dev.log', 'a');
export default {
  cacheDir: '../cache',
  clearScreen: false,
  server: { port: 0, host: '127.0.0.1', ws: false },
  plugins: [{
    name: 'logs',
    configureServer(server) {
      server.watcher.on('all', (kind, path) => {
        console.log(`RELOAD ${path}`);
        server.ws.send({ type: 'full-reload' });
        setTimeout(() => fs.writeSync(log, `${kind} ${path}\n`), 100);
      });
    },
  }],
};
"#;
    let (_dir, app) = project(&[("vite.config.mjs", config), ("index.html", "<p>text</p>")]);
    command.arg("--strictPort");
    let server = Server {
        edited: app.join("index.html"),
        watched: app.join("index.html"),
        ready: "ready in",
        reloads: "RELOAD",
        rounds: 12,
        names: &["dev.log"],
    };
    is_healed_by_what_is_printed(&mut command, &server);
}
