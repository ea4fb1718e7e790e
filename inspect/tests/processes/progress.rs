//! The line that shows how far the search for paths is: on a real terminal, after half a second, and gone
//! at the end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{Fixture, Scan, Stage};

const LINE: &str = "fdscan: paths: 0 of 1";
/// So long the search goes on in vain: long enough to be looked at, also on a busy machine.
const SECONDS: &str = "5";

/// A process whose watch is searched for in vain, and a library that makes the search slow.
fn endless_search(stage: &Stage) -> Option<(Fixture, PathBuf)> {
    let dir = stage.make("tree");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/c/slow.c");
    let slow = support::compile_c("cc", &source, &dir, &["-shared", "-fPIC", "-ldl"]);
    let slow = match slow {
        Ok(slow) => slow,
        Err(why) => {
            support::skip(&format!("a C compiler is needed: {why}"));
            return None;
        }
    };
    // On a tmpfs there may be nothing else to list.
    for at in 0..500 {
        std::fs::create_dir(dir.join(at.to_string())).unwrap();
    }
    let args = ["deleted-directory", "--mask", "0x3ce"];
    Some((stage.mkfds_in(&dir, &args), slow))
}

/// fdscan as the process's user, slow, as one line of shell.
fn slow_scan(stage: &Stage, slow: &Path, fixture: &Fixture, options: &str) -> String {
    let scan = stage.scan_command();
    let words: Vec<_> = std::iter::once(scan.get_program())
        .chain(scan.get_args())
        .map(|word| word.to_str().unwrap())
        .collect();
    let (fdscan, before) = words.split_last().unwrap();
    format!(
        "{} env LD_PRELOAD={} {fdscan} --path-timeout {SECONDS} {} {options}",
        before.join(" "),
        slow.display(),
        fixture.pid()
    )
}

/// A terminal of its own. It ends with the test.
struct Terminal {
    tmux: PathBuf,
    name: String,
    raw: PathBuf,
}

impl Terminal {
    /// Runs a line of shell in it, once everything it writes is recorded.
    fn run(dir: &Path, line: &str) -> Option<Terminal> {
        let Some(tmux) = support::tool("tmux") else {
            support::skip("tmux is needed: scripts/install-test-tools");
            return None;
        };
        let name = format!(
            "fdscan-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        let name = name.replace(['(', ')'], "");
        let terminal = Terminal {
            tmux,
            name,
            raw: dir.join("raw"),
        };
        let tmux = terminal.tmux.display();
        let (name, raw) = (&terminal.name, terminal.raw.display());
        let script = format!(
            "{tmux} -L {name} pipe-pane 'cat >{raw}'; {line}; {tmux} -L {name} wait-for -S done; cat"
        );
        let session = [
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "100",
            "-y",
            "40",
        ];
        terminal.tmux(&[&session[..], &["sh", "-c", &script]].concat());
        Some(terminal)
    }

    fn tmux(&self, args: &[&str]) -> String {
        let run = Command::new(&self.tmux)
            .args(["-L", &self.name])
            .args(args)
            // The terminal the tests run in is not its parent.
            .env_remove("TMUX")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "tmux {args:?}: {error}");
        String::from_utf8_lossy(&run.stdout).into_owned()
    }

    /// What stands on it, with what has scrolled away.
    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-"])
    }

    /// Waits until the line of shell has ended. What it wrote, byte by byte.
    fn finish(&self) -> String {
        self.tmux(&["wait-for", "done"]);
        let written = std::fs::read(&self.raw).unwrap_or_default();
        String::from_utf8_lossy(&written).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may never have started.
        let _ = Command::new(&self.tmux)
            .args(["-L", &self.name, "kill-server"])
            .output();
    }
}

#[test]
fn a_long_search_is_shown_on_a_terminal_and_leaves_nothing_behind() {
    let stage = Stage::unprivileged(60321);
    let Some((fixture, slow)) = endless_search(&stage) else {
        return;
    };
    let dir = stage.make("terminal");
    let Some(terminal) = Terminal::run(&dir, &slow_scan(&stage, &slow, &fixture, "")) else {
        return;
    };
    let start = Instant::now();
    let shown = loop {
        let screen = terminal.screen();
        if screen.contains(LINE) {
            break screen;
        }
        assert!(start.elapsed() < support::DEADLINE, "never shown: {screen}");
        sleep(Duration::from_millis(20));
    };
    assert!(shown.contains("directories listed"), "{shown}");
    let written = terminal.finish();
    let end = terminal.screen();
    assert!(!end.contains("fdscan: paths:"), "{end}");
    assert!(end.contains("deleted-directory"), "no report: {end}");
    // Written over each time, and wiped at the end.
    let last = written.rsplit_once("fdscan: paths:").unwrap().1;
    assert!(last.contains("\r\x1b[K"), "{last:?}");
}

#[test]
fn a_program_that_reads_json_on_a_terminal_gets_no_progress() {
    let stage = Stage::unprivileged(60322);
    let Some((fixture, slow)) = endless_search(&stage) else {
        return;
    };
    let dir = stage.make("terminal");
    let line = slow_scan(&stage, &slow, &fixture, "--json >/dev/null");
    let Some(terminal) = Terminal::run(&dir, &line) else {
        return;
    };
    let written = terminal.finish();
    assert!(!written.contains("fdscan"), "{written:?}");
}

#[test]
fn a_pipe_gets_no_progress() {
    let stage = Stage::unprivileged(60323);
    let Some((fixture, slow)) = endless_search(&stage) else {
        return;
    };
    let line = slow_scan(&stage, &slow, &fixture, "");
    let start = Instant::now();
    let scan = Scan::run(Command::new("sh").args(["-c", &line]));
    assert!(
        start.elapsed() > Duration::from_secs(1),
        "the search was short"
    );
    assert_eq!(scan.stderr, "");
}
