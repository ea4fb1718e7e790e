//! The moments at which a hook may be called first, or be interrupted.

use std::process::Command;

use support::Victim;

/// With the defaults, and with the rules that look at paths and count watches.
fn ok_at(moment: &str) {
    let program = preload::program("moments", "cc", &["-pthread"]).unwrap();
    let rules = [
        ("WATCHFIX_MAX_WATCHES", "1000"),
        ("WATCHFIX_SETTLE", "/settled"),
    ];
    let victims = [&rules[..0], &rules].map(|variables| {
        let mut command = Command::new(&program);
        command
            .arg(moment)
            .env("LD_PRELOAD", support::libwatchfix())
            .envs(variables.iter().copied());
        Victim::spawn(&mut command)
    });
    for victim in victims {
        let (status, lines) = victim.finish();
        assert!(status.success() && lines == ["OK"], "{status}: {lines:?}");
    }
}

#[test]
fn the_first_call_may_be_in_a_signal_handler() {
    ok_at("signal");
}

#[test]
fn handlers_may_interrupt_hooks_at_any_point() {
    ok_at("signal-storm");
}

#[test]
fn the_first_call_may_be_in_a_vfork_child() {
    ok_at("vfork");
}

#[test]
fn a_child_of_a_threaded_program_may_use_every_hook() {
    ok_at("fork-threads");
}

#[test]
fn threads_that_read_at_once_lose_no_touch() {
    ok_at("read-threads");
}

#[test]
fn a_thread_may_be_cancelled_in_a_read() {
    ok_at("cancel");
}

#[test]
fn a_signal_interrupts_a_blocked_read() {
    ok_at("eintr");
}

#[test]
fn a_handler_s_stack_of_16_kib_is_enough() {
    ok_at("small-stack");
}

#[test]
fn a_sandbox_of_the_program_s_own_is_not_asked_for_more_than_the_program_does() {
    for moment in ["strict", "strict-by-syscall", "filter"] {
        ok_at(moment);
    }
}

/// The loader's lock is held while a library that is opened late is set up, and a thread that reads for the first
/// time must not need it.
#[test]
fn a_constructor_may_wait_for_a_thread_that_reads() {
    let dir = tempfile::tempdir().unwrap();
    let library = preload::program("waits", "cc", &["-shared", "-fPIC", "-pthread"]).unwrap();
    let main = preload::program("late", "cc", &["-pthread", "-ldl"]).unwrap();
    for first in ["read", "syscall"] {
        let mut command = Command::new(&main);
        command
            .arg(&library)
            .env("FIRST", first)
            .env("LD_PRELOAD", support::libwatchfix())
            .current_dir(dir.path());
        // A deadlock is ended by the wait for its end.
        let (status, lines) = Victim::spawn(&mut command).finish();
        assert!(
            status.success() && lines == ["OK"],
            "{first}: {status}: {lines:?}"
        );
    }
}

/// Objects named later in LD_PRELOAD are constructed earlier.
#[test]
fn the_hooks_work_before_the_library_s_own_constructor() {
    let early = preload::program("early", "cc", &["-shared", "-fPIC"]).unwrap();
    let so = support::libwatchfix();
    for order in [[so, &early], [&early, so]] {
        let list = order.map(|p| p.to_str().unwrap()).join(":");
        let out = Command::new("true")
            .env("LD_PRELOAD", list)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success());
        assert!(
            text.starts_with("early wd=1 read=-1 ") && text.contains(" mask:100 "),
            "{text}"
        );
    }
}
