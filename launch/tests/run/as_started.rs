//! A program under `watchfix run` finds itself as if it had been started directly.

use super::given::{Dir, output, run, run_as_nobody, watchfix, without_rules};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use support::Victim;

fn status(command: &[&str]) -> std::process::ExitStatus {
    run(&[])
        .args(command)
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

#[test]
fn the_exit_status_is_the_commands() {
    assert_eq!(status(&["true"]).code(), Some(0));
    assert_eq!(status(&["sh", "-c", "exit 255"]).code(), Some(255));
}

#[test]
fn a_command_needs_no_dashes_before_it_and_its_options_are_its_own() {
    for (line, wanted) in [
        (
            &["run", "printf", "%s.", "-x", "--log", "--", "y"][..],
            "-x.--log.--.y.",
        ),
        (
            &["run", "--strip", "open", "printf", "%s.", "--strip"],
            "--strip.",
        ),
        (
            &["run", "--engine=seccomp", "--", "printf", "%s.", "--", "-h"],
            "--.-h.",
        ),
    ] {
        let ended = watchfix().args(line).output().unwrap();
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "", "{line:?}");
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), wanted, "{line:?}");
    }
    // An option of ours behind the command is not ours; an unknown one before it is nobody's.
    let ended = watchfix()
        .args(["run", "--no-such-option", "true"])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(
        said,
        "watchfix run: there is no option --no-such-option\nType: watchfix run -h\n"
    );
}

#[test]
fn what_cannot_be_read_is_said_in_one_line_and_what_to_type_in_another() {
    for (line, said) in [
        (
            &["run"][..],
            "watchfix run: CMD is missing\nType: watchfix run [OPTIONS] CMD ARGS...\n",
        ),
        (
            &["haul"],
            "watchfix: there is no command 'haul'\nDid you mean heal? Type: watchfix -h\n",
        ),
        (
            &["run", "--engine", "x", "true"],
            "watchfix run: --engine cannot be 'x'\nType one of these: auto, preload, seccomp\n",
        ),
        (
            &["heal"],
            "watchfix heal: which process?\nType: watchfix heal PID, or its NAME, or :PORT for who listens there\n",
        ),
    ] {
        let ended = watchfix().args(line).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{line:?}");
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), said, "{line:?}");
    }
    let nothing = watchfix().output().unwrap();
    assert_eq!((nothing.status.code(), nothing.stdout.len()), (Some(2), 0));
    let help = watchfix().arg("-h").output().unwrap();
    assert_eq!(nothing.stderr, help.stdout);
}

#[test]
fn a_command_a_signal_ends_ends_watchfix_by_that_signal() {
    for signal in [
        libc::SIGTERM,
        libc::SIGKILL,
        libc::SIGSEGV,
        libc::SIGINT,
        libc::SIGRTMIN(),
    ] {
        let ended = status(&["sh", "-c", &format!("kill -{signal} $$")]);
        assert_eq!(ended.signal(), Some(signal), "{ended}");
    }
}

#[test]
fn a_command_that_cannot_be_started_has_the_shells_status_and_one_sentence() {
    let dir = Dir::new();
    let file = dir.path("file");
    std::fs::write(&file, "").unwrap();
    for (command, code, why) in [
        ("/no/such/command", 127, "No such file or directory"),
        ("no-such-command", 127, "No such file or directory"),
        (&file, 126, "Permission denied"),
        ("/", 126, "Permission denied"),
    ] {
        // A directory of PATH that may not be searched is another error.
        let mut command_line = run(&[]);
        let ended = command_line
            .arg(command)
            .env("PATH", "/usr/bin:/bin")
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(code), "{command}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(said, format!("watchfix: {command} cannot be run: {why}\n"));
    }
}

#[test]
fn names_in_sentences_cannot_steer_a_terminal() {
    let name = "no\x1b[2J\n::error::\u{202e}such";
    let shown = "no\\x1b[2J\\n::error::\\u{202e}such";
    for (flags, status) in [
        (&[][..], 127),
        (&["--explain"], 127),
        (&["--strip", name], 2),
    ] {
        let ended = run(flags).arg(name).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(status), "{said:?}");
        assert!(
            said.trim_end().chars().all(|c| c == ' ' || !c.is_control()),
            "{said:?}"
        );
        assert!(!said.contains('\u{202e}'), "{said:?}");
        if status == 127 {
            assert!(
                said.starts_with(&format!("watchfix: {shown} cannot be run: ")),
                "{said:?}"
            );
        }
    }
    // What is not understood is shown with its lines, and the name is in one of them.
    let ended = watchfix()
        .args(["run", &format!("--{name}")])
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!said.contains(['\x1b', '\u{202e}']), "{said:?}");
}

#[test]
fn a_script_without_an_interpreter_line_is_the_shells() {
    let dir = Dir::new();
    let (text, script) = (dir.path("text"), dir.path("script"));
    std::fs::write(&text, "echo $1\n").unwrap();
    support::install(Path::new(&text), Path::new(&script));
    assert_eq!(output(run(&[]).args([&script, "hello"])), "hello\n");
}

/// What a program finds of itself, as far as it may not change.
const LOOK: &str = "umask; pwd; ulimit -a; grep -E 'Sig(Blk|Ign|Cgt)|Seccomp_f|CapEff' /proc/self/status | grep -v Secc; \
                    for fd in /proc/self/fd/*; do readlink $fd; done; ps -o pgid=,sid=,tpgid= -p $$; env | sort";

#[test]
fn what_a_process_inherits_is_inherited() {
    let dir = Dir::new();
    let script = format!("{LOOK} | grep -vE '^(_|SHLVL)='");
    let prepare = |command: &mut Command| {
        command
            .current_dir(dir.path(""))
            .env("GIVEN", "a b")
            .stdin(Stdio::null());
        // SAFETY: system calls that are allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::umask(0o35);
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
                libc::signal(libc::SIGUSR1, libc::SIG_IGN);
                libc::signal(libc::SIGCHLD, libc::SIG_DFL);
                let mut set = std::mem::zeroed();
                libc::sigemptyset(&mut set);
                libc::sigaddset(&mut set, libc::SIGUSR2);
                libc::sigaddset(&mut set, libc::SIGTERM);
                libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
                let few = libc::rlimit {
                    rlim_cur: 100,
                    rlim_max: 200,
                };
                libc::setrlimit(libc::RLIMIT_NOFILE, &few);
                // A descriptor the command shall have.
                libc::dup2(0, 9);
                libc::setpgid(0, 0);
                Ok(())
            });
        }
    };
    let mut bare = without_rules("sh");
    prepare(bare.args(["-c", &script]));
    let mut under = run(&[]);
    prepare(under.args(["sh", "-c", &script]));
    let lines = |command: &mut Command| -> Vec<String> {
        let text = output(command);
        // Numbers of processes and groups differ; that the group has the terminal or not does not.
        text.lines()
            // What tells fdscan, and the library, that there is a supervisor.
            .filter(|l| !l.starts_with("WATCHFIX_RUN="))
            .filter(|l| !l.contains("pipe:") && !l.contains("/proc/"))
            .map(str::to_owned)
            .collect()
    };
    let (bare, under) = (lines(&mut bare), lines(&mut under));
    let differ: Vec<_> = bare.iter().zip(&under).filter(|(a, b)| a != b).collect();
    // The one line that names the process group.
    assert!(differ.len() <= 1, "{differ:#?}");
    assert_eq!(bare.len(), under.len());
}

#[test]
fn streams_that_were_closed_are_closed() {
    let script =
        "for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo $fd; done >\"$OUT\"; :";
    let seen = |through: &str| {
        let dir = Dir::new();
        let out = dir.path("out");
        let line = format!("{through} sh -c '{script}' <&- >&- 2>&-");
        let status = Command::new("sh")
            .args(["-c", &line])
            .env("OUT", &out)
            .status()
            .unwrap();
        assert!(status.success());
        std::fs::read_to_string(out).unwrap()
    };
    let watchfix = format!("{} run --", env!("CARGO_BIN_EXE_watchfix"));
    assert_eq!(seen(&watchfix), seen(""));
}

#[test]
fn a_broken_pipe_ends_the_command_unless_it_was_ignored_and_so_does_a_file_at_its_limit() {
    let script = "yes 2>/dev/null | head -1; grep SigIgn /proc/self/status";
    for before in ["trap - PIPE", "trap '' PIPE", "trap - XFSZ", "trap '' XFSZ"] {
        let line = |through: &str| format!("{before}; {through} sh -c '{script}' 2>&1");
        let text = |line: String| output(Command::new("sh").args(["-c", &line]));
        assert_eq!(
            text(line(&format!("{} run --", env!("CARGO_BIN_EXE_watchfix")))),
            text(line(""))
        );
    }
}

#[test]
fn a_parent_that_ignores_its_children_is_not_an_obstacle() {
    let line = format!(
        "trap '' CHLD; {} run -- sh -c 'exit 5'",
        env!("CARGO_BIN_EXE_watchfix")
    );
    assert_eq!(
        Command::new("sh")
            .args(["-c", &line])
            .status()
            .unwrap()
            .code(),
        Some(5)
    );
}

#[test]
fn a_signal_to_watchfix_reaches_the_command() {
    for signal in [
        "HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "WINCH", "RTMIN",
    ] {
        // dash cannot name real-time signals in a trap.
        let script = format!(
            "trap 'echo got {signal}; exit 3' {signal}; echo ready; while :; do sleep 0.01; done"
        );
        let mut victim = Victim::spawn(run(&[]).args(["bash", "-c", &script]));
        victim.line_with("ready");
        let kill = format!("kill -{signal} {}", victim.pid());
        assert!(
            Command::new("bash")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        victim.line_with(&format!("got {signal}"));
        assert_eq!(victim.finish().0.code(), Some(3), "{signal}");
    }
}

#[test]
fn an_ignored_signal_stays_the_commands_to_ignore_or_not() {
    let script = format!(
        "trap '' HUP; exec {} run -- perl -e '$SIG{{HUP}} = sub {{ print \"got\\n\"; exit 4 }}; $| = 1; print \"ready\\n\"; sleep 1 while 1'",
        env!("CARGO_BIN_EXE_watchfix")
    );
    let mut victim = Victim::spawn(Command::new("sh").args(["-c", &script]));
    victim.line_with("ready");
    victim.signal(libc::SIGHUP);
    assert_eq!(victim.finish().0.code(), Some(4));
}

#[test]
fn who_reads_a_pipe_sees_its_end_when_the_command_closes_it() {
    // The command lives on, and so do watchfix's own processes.
    let mut command = run(&[]);
    command.args(["sh", "-c", "exec >&- 2>&-; read x"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "");
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn a_daemon_without_streams_keeps_no_reader_waiting() {
    let mut command = run(&["--log", "stderr"]);
    command.args(["sh", "-c", "setsid sleep 1000 <&- >&- 2>&- & echo $!"]);
    // output() waits for the end of both pipes.
    let ended = command.output().unwrap();
    let daemon: i32 = String::from_utf8(ended.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    // SAFETY: kill has no memory effects; the process was made by this test.
    assert_eq!(unsafe { libc::kill(daemon, libc::SIGKILL) }, 0);
}

#[test]
fn setuid_programs_keep_their_meaning_under_root_and_lose_it_otherwise() {
    let new_privileges =
        |command: &mut Command| output(command.args(["grep", "NoNewPrivs", "/proc/self/status"]));
    if !support::is_root() {
        return support::skip("only root can tell the two apart");
    }
    assert_eq!(new_privileges(&mut run(&[])), "NoNewPrivs:\t0\n");
    let tools = Dir::new();
    let mut other = run_as_nobody(&tools, &[]);
    assert_eq!(new_privileges(&mut other), "NoNewPrivs:\t1\n");
}

#[test]
fn turned_off_it_is_the_command_itself() {
    let mut command = run(&[]);
    let text = output(command.env("WATCHFIX_OFF", "1").args([
        "sh",
        "-c",
        "grep -c Seccomp:.0 /proc/self/status; echo $PPID",
    ]));
    assert_eq!(text, format!("1\n{}\n", std::process::id()));
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_before_anything_is_started() {
    let mut command = run(&["--log", "/no/such/dir/log"]);
    let ended = command.args(["echo", "started"]).output().unwrap();
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(2), 0));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.starts_with("watchfix: --log: \"/no/such/dir/log\" at byte 1 cannot be opened"),
        "{said}"
    );
    let ended = watchfix().arg("run").output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
}
