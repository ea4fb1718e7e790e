//! On a runner of GitHub Actions no name becomes a command, whatever is asked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Fixture, Scan, Stage};

/// Words of each name. Behind some length of what stands before them, one of them begins a wrapped line.
const COMMANDS: &str = " ::error title=x::pwned ::add-mask::root ::stop-commands::x ##[group]y";

/// Everything with a name that a process can have.
const HOLDER: &str = r#"
import ctypes, os, socket, sqlite3, sys
libc = ctypes.CDLL(None)
instance = libc.inotify_init1(0)
held = []
for place in sys.argv[1:]:
    assert libc.inotify_add_watch(instance, os.fsencode(place), 0xfff) > 0
    name = os.path.basename(place)
    held += [open(f"{place}/{name}.{n}.jsonl", "w") for n in range(30)]
    held.append(open(f"{place}/{name}.pid", "w"))
    held[-1].write("4194303")
    held[-1].flush()
    os.symlink("::stop-commands::x-4194303", f"{place}/SingletonLock")
    base = sqlite3.connect(f"{place}/{name}.db", check_same_thread=False)
    base.execute("pragma journal_mode=wal")
    base.execute("create table t(x)")
    held.append(base)
held.append(open(f"{place}/gone ::error::x", "w"))
held[-1].write("x" * 100000)
os.unlink(held[-1].name)
print("READY", flush=True)
sys.stdin.read()
"#;

/// What a runner would obey, of all lines it reads (`ActionCommand` of actions/runner): a line that begins with `::`
/// once blanks are gone, and one with `##[` anywhere.
fn obeyed(output: &str) -> Vec<&str> {
    let lines = output.split(['\n', '\r']);
    lines
        .filter(|line| line.trim().starts_with("::") || line.contains("##["))
        .collect()
}

fn hostile(stage: &Stage) -> (Vec<PathBuf>, Fixture) {
    let home = stage.make("home");
    let mut places = Vec::new();
    for length in (1..60).step_by(7) {
        let place = home.join("a".repeat(length) + COMMANDS);
        std::fs::create_dir(&place).unwrap();
        places.push(place);
    }
    let mut python = Command::new("/usr/bin/python3");
    python
        .args(["-c", HOLDER])
        .args(&places)
        .current_dir(&places[0]);
    (places, Fixture::start(&mut python))
}

#[test]
fn a_name_never_becomes_a_command() {
    if !Path::new("/usr/bin/python3").exists() {
        return support::skip("it needs python3");
    }
    let stage = Stage::new();
    let (places, fixture) = hostile(&stage);
    let pid = fixture.pid().to_string();
    let in_place = |name: &str| {
        let place = places.iter().map(|place| place.to_str().unwrap());
        place
            .map(|place| format!("{place}{name}"))
            .collect::<Vec<_>>()
    };
    let databases: Vec<String> = in_place("")
        .iter()
        .map(|place| {
            format!(
                "{place}/{}.db",
                Path::new(place).file_name().unwrap().display()
            )
        })
        .collect();
    let places = in_place("");
    let missing = in_place("/none");
    let words = |first: &[&str], more: &[String]| {
        let first = first.iter().map(|word| (*word).to_owned());
        first.chain(more.iter().cloned()).collect::<Vec<String>>()
    };
    let mut shown = String::new();
    for args in [
        words(&[&pid], &[]),
        words(&[&pid, "--all"], &[]),
        words(&[&pid, "--json"], &[]),
        words(&["claims"], &places),
        words(&["claims", "--json"], &places),
        words(&["claims"], &missing),
        words(&["wal"], &databases),
        words(&["wal"], &missing),
        words(&["report", &pid, "--for", "0.1"], &[]),
        words(&["report", &pid, "--for", "0.1", "--format", "html"], &[]),
        words(&["events", &pid, "--for", "0.3"], &[]),
        words(&["top", "--name", "python3"], &[]),
        words(&["export", &pid], &[]),
        words(&["watch", &pid, "--for", "0.1"], &[]),
        words(&["watch", &pid, "--until", "fds>1", "--samples", "1"], &[]),
        words(&[COMMANDS], &[]),
        words(&["top", "--user", COMMANDS], &[]),
        words(&["check", "--", COMMANDS], &[]),
    ] {
        let mut command = stage.scan_command();
        let scan = Scan::run(command.args(&args).env("GITHUB_ACTIONS", "true"));
        for text in [scan.text(), &scan.stderr] {
            assert_eq!(obeyed(text), [""; 0], "{args:?}");
            shown += text;
        }
    }
    assert!(shown.matches("stop-commands").count() > 100, "{shown}");
    // What fdscan itself tells the runner is one line for a rule, or a finding.
    let mut command = stage.scan_command();
    let scan = Scan::run(command.args(["check", &pid]).env("GITHUB_ACTIONS", "true"));
    let commands = obeyed(scan.text());
    assert!(!commands.is_empty());
    for line in commands {
        assert!(line.starts_with("::error title=fdscan%3A "), "{line}");
        assert!(!line.contains("##["), "{line}");
    }
    // Nobody obeys a terminal or a pipe.
    let plain = stage.scan(&["claims", &places[0]]);
    assert!(plain.text().contains("##[group]y"), "{}", plain.text());
}
