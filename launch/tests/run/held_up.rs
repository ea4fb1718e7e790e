//! A path that leads to a file system that does not answer holds up the caller that follows it, and no other.

use super::given::{Dir, children, compiled, probe, without_rules};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use support::Victim;

/// `watchfix run FLAGS -- sh -c SCRIPT sh PROBE DIR`, where `DIR/dead` never answers.
struct Stage {
    victim: Victim,
    server: u32,
    dir: Dir,
}

impl Stage {
    /// `None` where there can be no such file system: the test is skipped.
    fn new(script: &str) -> Option<Stage> {
        let dir = Dir::new();
        let dead = dir.path("dead");
        std::fs::create_dir(&dead).unwrap();
        let silent = silent();
        let tried = without_rules(silent)
            .args([&dead, "true"])
            .output()
            .unwrap();
        if !tried.status.success() {
            let why = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
            support::skip(&format!("no file system can be made silent: {why}"));
            return None;
        }
        let mut command = without_rules(silent);
        command
            .args([&dead, env!("CARGO_BIN_EXE_watchfix")])
            .args([
                "run",
                "--log",
                &dir.path("log"),
                "--",
                "sh",
                "-c",
                script,
                "sh",
            ])
            .arg(probe())
            .arg(dir.path(""));
        let mut victim = Victim::spawn(&mut command);
        let line = victim.line_with("server ");
        let server = line.trim_start_matches("server ").parse().unwrap();
        Some(Stage {
            victim,
            server,
            dir,
        })
    }

    /// The first child of the launcher is the server, made before.
    fn supervisor(&self) -> u32 {
        children(self.victim.pid())[1]
    }

    /// Ends the file system.
    fn end(&self) {
        kill(self.server);
    }
}

fn silent() -> &'static Path {
    static SILENT: OnceLock<PathBuf> = OnceLock::new();
    SILENT.get_or_init(|| compiled("silent.c", "silent", "cc", &["-static"]).unwrap())
}

fn kill(pid: u32) {
    // SAFETY: kill has no memory effects; the process belongs to this test.
    assert_eq!(unsafe { libc::kill(pid as i32, libc::SIGKILL) }, 0);
}

#[test]
fn a_call_that_hangs_holds_up_neither_other_calls_nor_the_end() {
    let script = "\"$1\" add \"$2/dead/x\" 0x3ee & read go; \"$1\" add \"$2\" 0x3ee; read go; \
                  kill -9 $!; wait; exit 7";
    let Some(mut stage) = Stage::new(script) else {
        return;
    };
    stage.victim.line_with("asked x");
    let supervisor = stage.supervisor();
    stage.victim.send("");
    stage.victim.line_with("wd 1 mask 0x3ce");
    stage.victim.send("");
    // A process that waits for the answer to a request that was read cannot even be killed.
    let (status, _) = stage.victim.finish();
    assert_eq!(status.code(), Some(7));
    // A thread of its own writes it.
    let log = stage.dir.path("log");
    support::wait_until("the log says nothing of the call that hangs", || {
        let said = std::fs::read_to_string(&log).unwrap();
        said.contains("its path is still being resolved")
    });
    support::wait_until("the supervisor stays", || {
        !super::survival::exists(supervisor)
    });
}

#[test]
fn when_every_judge_hangs_calls_are_left_to_the_kernel_until_one_is_back() {
    let script = "for n in $(seq 20); do \"$1\" add \"$2/dead/x$n\" 0x3ee & done; read go; \
                  \"$1\" add \"$2\" 0x3ee; read go; wait; \"$1\" add \"$2\" 0x3ee";
    let Some(mut stage) = Stage::new(script) else {
        return;
    };
    for _ in 0..20 {
        stage.victim.line_with("asked x");
    }
    stage.victim.send("");
    stage.victim.line_with("wd 1 mask 0x3ee");
    // At once: while all of them hang, nobody comes who could say it later. Of twenty-one calls fifteen at most have a judge
    // that hangs.
    let log = stage.dir.path("log");
    let said = |text: &str| std::fs::read_to_string(&log).unwrap().matches(text).count();
    support::wait_until("the log says nothing of the calls that pass", || {
        said(" its call is left to the kernel: ") >= 6
    });
    support::wait_until("the log says nothing of the calls that hang", || {
        said(" its path is still being resolved; ") >= 1
    });
    stage.end();
    stage.victim.send("");
    let (status, lines) = stage.victim.finish();
    assert!(status.success(), "{status}");
    // ENOTCONN, or ECONNABORTED for a caller that hung in the kernel itself.
    let failed = |line: &&String| line.contains("/dead/x") && !line.contains(": wd ");
    assert_eq!(lines.iter().filter(failed).count(), 20, "{lines:#?}");
    assert!(lines.last().unwrap().ends_with("wd 1 mask 0x3ce"));
}

#[test]
fn a_supervisor_killed_while_a_call_hangs_loses_no_call() {
    let script =
        "\"$1\" add \"$2/dead/x\" 0x3ee & read go; \"$1\" add \"$2\" 0x3ee; wait; echo done";
    let Some(mut stage) = Stage::new(script) else {
        return;
    };
    stage.victim.line_with("asked x");
    kill(stage.supervisor());
    stage.victim.send("");
    // Only now can it die.
    stage.end();
    let (status, lines) = stage.victim.finish();
    assert!(status.success(), "{status}");
    for end in [
        "/dead/x: Transport endpoint is not connected",
        "wd 1 mask 0x3ee",
        "done",
    ] {
        assert!(lines.iter().any(|line| line.ends_with(end)), "{lines:#?}");
    }
}

#[test]
fn a_supervisor_asks_no_file_system_that_the_program_would_not_ask() {
    // To watch the directory it is mounted on takes no answer.
    let Some(stage) = Stage::new("\"$1\" add \"$2/dead\" 0x3ee") else {
        return;
    };
    let (status, lines) = stage.victim.finish();
    assert!(status.success(), "{status}");
    assert!(
        lines.last().unwrap().ends_with("wd 1 mask 0x3ce"),
        "{lines:#?}"
    );
}
