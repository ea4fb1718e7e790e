//! Whatever dies, the program goes on.

use super::given::{Dir, children, output, probe, run};
use std::time::Duration;
use support::{Victim, wait_until};

/// The supervisor of a running `watchfix run`.
fn supervisor(launcher: &Victim) -> u32 {
    children(launcher.pid())[0]
}

fn kill(pid: u32, signal: i32) {
    // SAFETY: kill has no memory effects; the process belongs to this test.
    assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0);
}

fn ready(victim: &mut Victim) -> u32 {
    let line = victim.line_with("ready ");
    line.trim_start_matches("ready ").parse().unwrap()
}

#[test]
fn a_program_whose_supervisor_was_killed_goes_on_unfiltered() {
    let dir = Dir::new();
    let path = dir.path("");
    let mut victim = Victim::spawn(run(&[]).arg(probe()).args(["wait", "add", &path, "0x3ee"]));
    ready(&mut victim);
    kill(supervisor(&victim), libc::SIGKILL);
    victim.send("");
    let (status, lines) = victim.finish();
    assert!(status.success(), "{status}");
    assert_eq!(lines.last().unwrap(), &format!("{path}: wd 1 mask 0x3ee"));
}

#[test]
fn a_supervisor_killed_at_any_moment_loses_no_call() {
    let dir = Dir::new();
    let path = dir.path("");
    for round in 0..20 {
        let mut victim = Victim::spawn(
            run(&[])
                .arg(probe())
                .args(["again", &path, "0x3ee", "rm", "1"]),
        );
        ready(&mut victim);
        let supervisor = supervisor(&victim);
        // Another moment each time; most of them lie between the receiving of a call and its answer.
        std::thread::sleep(Duration::from_micros(300 * round));
        kill(supervisor, libc::SIGKILL);
        victim.send("");
        let (status, lines) = victim.finish();
        assert_eq!(&lines[1..], ["failed 0", "rm: 0"], "{round}");
        assert!(status.success(), "{status}");
    }
}

#[test]
fn the_exit_status_is_the_programs_also_without_a_supervisor() {
    for (ending, code, signal) in [("exit 7", Some(7), None), ("kill -TERM $$", None, Some(15))] {
        let script = format!("echo ready 0; read x; {ending}");
        let mut victim = Victim::spawn(run(&[]).args(["sh", "-c", &script]));
        ready(&mut victim);
        kill(supervisor(&victim), libc::SIGKILL);
        victim.send("");
        let (status, _) = victim.finish();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!((status.code(), status.signal()), (code, signal));
    }
}

#[test]
fn a_program_whose_launcher_was_killed_goes_on_and_is_filtered() {
    let dir = Dir::new();
    let path = dir.path("");
    let mut victim = Victim::spawn(
        run(&[])
            .arg(probe())
            .args(["wait", "add", &path, "0x3ee", "wait", "add", &path, "0x20"]),
    );
    ready(&mut victim);
    let supervisor = supervisor(&victim);
    kill(victim.pid(), libc::SIGKILL);
    victim.send("");
    victim.line_with("wd 1 mask 0x3ce");
    // Who takes over has been made anew.
    ready(&mut victim);
    wait_until("no stand-in", || !stand_ins(supervisor).is_empty());
    let stand_in = stand_ins(supervisor)[0];
    kill(supervisor, libc::SIGKILL);
    victim.send("");
    victim.line_with("wd 1 mask 0x20");
    wait_until("the stand-in stays", || !exists(stand_in));
}

/// The processes of the supervisor that are not behind its filter.
fn stand_ins(supervisor: u32) -> Vec<u32> {
    let mut all = children(supervisor);
    all.retain(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.contains("Seccomp:\t0")
    });
    all
}

/// Whether a process has not ended.
pub fn exists(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_daemon_is_filtered_after_the_command_has_ended_and_then_nothing_is_left() {
    let dir = Dir::new();
    let path = dir.path("");
    let out = dir.path("out");
    let fifo = dir.path("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let script =
        "setsid \"$1\" wait add \"$2\" 0x3ee >\"$4\" 2>&1 <>\"$3\" & echo ready $!; read x; exit 0";
    let mut victim = Victim::spawn(
        run(&[])
            .args(["sh", "-c", script, "sh"])
            .arg(probe())
            .args([&path, &fifo, &out]),
    );
    ready(&mut victim);
    let supervisor = supervisor(&victim);
    let (status, _) = victim.finish();
    assert!(status.success());
    support::overwrite(std::path::Path::new(&fifo), "\n");
    wait_until("the supervisor stays", || !exists(supervisor));
    let said = std::fs::read_to_string(&out).unwrap();
    assert!(said.contains("mask 0x3ce"), "{said}");
}

#[test]
fn a_program_killed_in_the_middle_of_a_call_takes_nobody_with_it() {
    let dir = Dir::new();
    let path = dir.path("");
    let script =
        "\"$1\" again \"$2\" 0x3ee & sleep 0.02; kill -9 $!; wait; \"$1\" add \"$2\" 0x3ee";
    for _ in 0..10 {
        let mut command = run(&[]);
        command
            .args(["sh", "-c", script, "sh"])
            .arg(probe())
            .arg(&path);
        // An open standard input, from which nothing comes.
        let mut victim = Victim::spawn(&mut command);
        let last = victim.line_with("wd 1");
        assert!(last.ends_with("mask 0x3ce"), "{last}");
    }
}

#[test]
fn ten_thousand_short_lived_children_are_filtered_every_one() {
    let dir = Dir::new();
    let path = dir.path("");
    let text = output(
        run(&[])
            .arg(probe())
            .args(["children", "10000", &path, "0x3ee"]),
    );
    assert_eq!(text, "10000 children: 10000 have mask 0x3ce\n");
}
