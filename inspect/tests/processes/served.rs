//! Watches on a file system with a server that lives: their paths are found as on any other.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::Halting;

use crate::common::{Stage, fdscan_binary, is_root};

/// Watches itself, two directories and a file.
const HOLDER: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None)
os.makedirs("inner/deep")
open("inner/file", "w").close()
instance = libc.inotify_init1(0)
for path in [".", "inner", "inner/deep", "inner/file"]:
    assert libc.inotify_add_watch(instance, path.encode(), int(sys.argv[1], 16)) > 0
print("READY", flush=True)
sys.stdin.read()
"#;

fn holder(dir: &Path, mask: &str) -> Option<Halting> {
    if !is_root() || !Path::new("/usr/bin/python3").exists() {
        support::skip("it needs root, to mount, and python3");
        return None;
    }
    let mut command = Command::new("sh");
    let script = "cd \"$0\" && exec /usr/bin/python3 -c \"$1\" \"$2\"";
    command.args(["-c", script]).arg(dir).args([HOLDER, mask]);
    Halting::ready(dir, &command)
}

/// The paths, and the reasons where there is none.
fn told(mut command: Command, pid: u32) -> Vec<String> {
    let output = command.args(["--json", &pid.to_string()]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let watches = report["processes"][0]["inotify"][0]["watches"].as_array();
    let text = |watch: &Value| {
        let told = watch["path"].as_str().or(watch["unresolved"].as_str());
        told.unwrap_or_default().to_owned()
    };
    let mut told: Vec<_> = watches.unwrap().iter().map(text).collect();
    told.sort();
    told
}

/// Without the right to open file handles.
fn without_handles(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-dac_read_search", "--"]);
    command.arg(program);
    command
}

#[test]
fn paths_on_a_server_that_answers_are_found_by_handle_and_by_listing() {
    let stage = Stage::new();
    let dir = stage.make("served");
    let Some(mut halting) = holder(&dir, "0x3ce") else {
        return;
    };
    let pid = halting.victim.pid();
    let expected = ["", "/inner", "/inner/deep", "/inner/file"];
    let expected = expected.map(|name| format!("{}{name}", dir.display()));
    let fdscan = fdscan_binary();
    for command in [
        Command::new(fdscan),
        halting.beside(fdscan),
        without_handles(fdscan),
    ] {
        assert_eq!(told(command, pid), expected);
    }
    halting.halt();
    let told = told(Command::new(fdscan), pid);
    assert!(
        told.iter()
            .all(|told| told.contains("did not answer in time")),
        "{told:?}"
    );
}

#[test]
fn who_watches_opens_there_is_not_woken_by_a_listing() {
    let stage = Stage::new();
    let dir = stage.make("served");
    let Some(halting) = holder(&dir, "0x3ee") else {
        return;
    };
    let pid = halting.victim.pid();
    let told = told(without_handles(fdscan_binary()), pid);
    assert!(
        told.iter().any(|told| told.contains("--wake allows it")),
        "{told:?}"
    );
    assert_eq!(support::unread_bytes(pid).unwrap(), 0);
}
