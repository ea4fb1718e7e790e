//! Programs that watch files, while these are edited.

use std::path::Path;
use std::process::Command;

use healthy::{Program, Stage, must_be_healthy, script};

use crate::or_skip;

/// Adds a line to each of the files, again and again.
fn edits<'a>(stage: &'a Stage, files: &[&Path]) -> Program<'a> {
    let mut shell = stage.command(Path::new("/bin/sh"));
    let each = "while :; do for file; do echo '//' >>\"$file\"; sleep 0.05; done; done";
    stage.start(shell.args(["-c", each, "sh"]).args(files))
}

/// A small project with modules and what it depends on.
fn project(stage: &Stage) {
    stage.make("src");
    stage.make("node_modules");
    for i in 0..20 {
        stage.write(
            &format!("src/module{i}.js"),
            &format!("export const x{i} = {i}\n"),
        );
        stage.make(&format!("node_modules/package{i}"));
        stage.write(
            &format!("node_modules/package{i}/index.js"),
            "export default 1\n",
        );
    }
    stage.write(
        "index.html",
        "<script type=module src=/src/module0.js></script>\n",
    );
}

/// A script on node 20 at least: Debian 12 has node 18.
fn node(stage: &Stage, watcher: &str) -> Result<Command, String> {
    let version = stage.tool("node")?.arg("--version").output();
    let version = String::from_utf8(version.map_err(|e| e.to_string())?.stdout);
    let version = version.unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next();
    if major
        .and_then(|m| m.parse::<u32>().ok())
        .is_none_or(|m| m < 20)
    {
        return Err(format!("node is {}: it needs 20", version.trim()));
    }
    let mut node = stage.tool("watchfix-node")?;
    node.arg(script(&format!("../../watchers/scripts/{watcher}")));
    Ok(node)
}

#[test]
fn chokidar_on_a_project_that_is_edited() {
    let stage = Stage::new();
    project(&stage);
    for package in ["chokidar3", "chokidar4", "chokidar6"] {
        let mut chokidar = or_skip!(node(&stage, "chokidar.js"));
        let mut chokidar = stage.start(chokidar.arg(package).arg(stage.dir().join("src")));
        chokidar.victim.line_with("READY");
        let file = stage.dir().join("src/module1.js");
        let editing = edits(&stage, &[&file]);
        chokidar.victim.line_with("module1.js");
        must_be_healthy(&chokidar);
        assert!(editing.is_running());
    }
}

#[test]
fn vite_on_a_project_that_is_edited() {
    let stage = Stage::new();
    project(&stage);
    let cache = stage.make("cache");
    let mut vite = or_skip!(node(&stage, "vite_dev.js"));
    let mut vite = stage.start(vite.arg(stage.dir()).arg(cache));
    let file = stage.dir().join("src/module1.js");
    let editing = edits(&stage, &[&file]);
    vite.victim.line_with("module1.js");
    must_be_healthy(&vite);
    assert!(editing.is_running());
}
