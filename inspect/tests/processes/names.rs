//! Names with control characters, bidirectional characters and bytes that are no UTF-8.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;

use serde_json::Value;

use crate::common::{Fixture, Stage, inode, json_path};

const NOTE: &[u8] = b"note\n\x1b[2J\xff\xe2\x80\xae";

fn awful(stage: &Stage) -> Fixture {
    let dir = stage.make("names");
    stage.mkfds_with(&["names"], |c| {
        c.arg("--dir")
            .arg(dir)
            .arg("--note")
            .arg(OsStr::from_bytes(NOTE));
    })
}

/// Characters that move, hide or turn text around: C0 and C1 controls, separators, marks, overrides,
/// isolates.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[test]
fn json_has_every_name_whole() {
    let stage = Stage::new();
    let fixture = awful(&stage);
    let process = stage.look(&fixture);
    let watches = process.list("inotify")[0]["watches"].as_array().unwrap();
    let directories = fixture.paths("directory");
    assert_eq!(watches.len(), directories.len());
    for directory in &directories {
        let watch = watches
            .iter()
            .find(|w| w["inode"] == inode(directory))
            .unwrap();
        match &watch["path"] {
            Value::String(path) => assert_eq!(*path, json_path(directory)),
            // Only without root: a file is open in each directory, so even then it is a candidate.
            other => panic!("{} has the path {other}", directory.display()),
        }
    }
    let database = json_path(&fixture.path("database"));
    assert_eq!(process.list("sqlite")[0]["database"], database.as_str());
    let cmdline = process.list("cmdline");
    assert_eq!(
        cmdline.last().unwrap().as_str().unwrap(),
        json_path(std::path::Path::new(OsStr::from_bytes(NOTE)))
    );
}

#[test]
fn the_text_has_no_character_that_acts_on_a_terminal() {
    let stage = Stage::new();
    let fixture = awful(&stage);
    for args in [&[][..], &["--all"]] {
        let pid = fixture.pid().to_string();
        let mut all = vec![pid.as_str()];
        all.extend(args);
        let scan = stage.scan(&all);
        assert_eq!(scan.code(), 0, "{}", scan.stderr);
        let bad: Vec<String> = scan
            .text()
            .lines()
            .filter(|line| line.contains(is_dangerous))
            .map(|line| line.escape_debug().to_string())
            .collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }
}

#[test]
fn a_process_may_call_itself_anything() {
    let stage = Stage::new();
    let fixture = awful(&stage);
    // The name contains `)` and a line feed: /proc/PID/stat is read from its last parenthesis.
    let process = stage.look(&fixture);
    assert_eq!(process.0["ppid"], std::process::id());
    let comm = process.0["comm"].as_str().unwrap();
    assert!(comm.contains("\\xff"), "{comm:?}");
    assert!(comm.contains(')'), "{comm:?}");
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    assert_eq!(process.0["uid"], uid);
}

#[test]
fn an_executable_may_have_any_name() {
    let stage = Stage::new();
    let dir = stage.make("bin");
    let program = dir.join(OsStr::from_bytes(b"tool\n\xff\x1b[1m"));
    // A link, so that no one has it open for writing; across file systems it is copied.
    if std::fs::hard_link(stage.mkfds_binary(), &program).is_err() {
        let copied = std::process::Command::new("cp")
            .arg(stage.mkfds_binary())
            .arg(&program)
            .status()
            .unwrap();
        assert!(copied.success());
    }
    let fixture = Fixture::start(stage.command(&program).arg("idle"));
    let process = stage.look(&fixture);
    assert_eq!(process.0["exe"], json_path(&program));
    let text = stage.scan(&[&fixture.pid().to_string()]);
    assert!(!text.text().lines().any(|l| l.contains(is_dangerous)));
}

#[test]
fn an_empty_word_of_the_command_line_is_kept() {
    let stage = Stage::new();
    let mut command = stage.command(stage.mkfds_binary());
    let fixture = Fixture::start(command.arg0("").arg("idle"));
    assert_eq!(
        stage.look(&fixture).0["cmdline"],
        serde_json::json!(["", "idle"])
    );
}

#[test]
fn a_title_in_place_of_the_arguments_is_not_a_command_to_type() {
    let stage = Stage::new();
    let dir = stage.make("watched");
    let text = "import ctypes, os, sys\n\
        l = ctypes.CDLL(None); f = l.inotify_init1(0); l.inotify_add_watch(f, sys.argv[1].encode(), 0x22)\n\
        st = open('/proc/self/stat').read().rsplit(')', 1)[1].split(); start, end = int(st[45]), int(st[46])\n\
        ctypes.memmove(start, b'celery: w1 (-A proj worker)'.ljust(end - start, b'\\0'), end - start)\n\
        print('READY', flush=True); sys.stdin.read()\n";
    let script = dir.join("work.py");
    std::fs::write(&script, text).unwrap();
    let mut python = std::process::Command::new("/usr/bin/python3");
    python.arg(script).arg(&dir);
    let fixture = Fixture::start(&mut python);
    let process = stage.look(&fixture);
    assert_eq!(
        process.0["cmdline"],
        serde_json::json!(["celery: w1 (-A proj worker)"])
    );
    let finding = process.finding("watch-wakes-on-read", "info");
    assert!(finding["remedy"].is_null(), "{finding}");
    let live = finding["remedy_live"].as_str().unwrap();
    assert!(live.ends_with(&format!("heal {}", fixture.pid())), "{live}");
}
