//! Processes that change or end while fdscan looks at them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Scan, Stage};

/// Waits without giving up the processor: this only spreads the moments at which something happens.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// A complete document with the process as far as it was seen, or "it has ended".
fn is_an_answer(scan: &Scan, pid: u32) {
    let doc = scan.json();
    let listed = doc["processes"].as_array().unwrap();
    match scan.code() {
        0 => assert_eq!(listed[0]["pid"], pid),
        3 => {
            assert!(listed.is_empty(), "{doc:#}");
            assert_eq!(doc["errors"][0]["pid"], pid);
        }
        other => panic!("status {other}: {}", scan.stderr),
    }
}

#[test]
fn a_process_that_ends_in_the_middle_is_an_answer() {
    ends_in_the_middle(&Stage::new());
}

#[test]
fn a_process_that_ends_in_the_middle_is_an_answer_without_privilege() {
    // The kernel takes a process's memory before it takes its number: from then on its own user may no
    // longer look into it, which is no question of permission.
    ends_in_the_middle(&Stage::unprivileged(60191));
}

fn ends_in_the_middle(stage: &Stage) {
    let args = ["watches", "--count", "1000"];
    // How long one whole look takes, so that the ends are spread over it.
    let dir = stage.make("whole");
    let fixture = stage.mkfds_in(&dir, &args);
    let start = Instant::now();
    stage.look_as_user(&fixture);
    let whole = start.elapsed();
    drop(fixture);

    let rounds = 16;
    for round in 0..rounds {
        // The directories are there already: only the watches are made again.
        let fixture = stage.mkfds_in(&dir, &args);
        let pid = fixture.pid();
        let scan = std::thread::scope(|scope| {
            let scan = scope.spawn(|| stage.scan_as_user(&[&pid.to_string(), "--json"]));
            spin(whole * round / rounds);
            // Killed and reaped: /proc/PID is gone.
            drop(fixture);
            scan.join().unwrap()
        });
        is_an_answer(&scan, pid);
    }
}

/// Children nobody waits for would stay as zombies.
fn reap(mut child: Child) {
    child.wait().unwrap();
}

#[test]
fn a_process_that_ends_at_once_is_an_answer() {
    ends_at_once(&Stage::new());
}

#[test]
fn a_process_that_ends_at_once_is_an_answer_without_privilege() {
    ends_at_once(&Stage::unprivileged(60192));
}

fn ends_at_once(stage: &Stage) {
    let dir = stage.make("short");
    for round in 0..40 {
        let mut child = stage
            .command(stage.mkfds_binary())
            .args(["exit-soon", "--count", "50", "--dir"])
            .arg(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        // Its first line: it runs as the victims' user now.
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, format!("PID {pid}\n"));
        let looking = stage
            .scan_command()
            .arg(pid.to_string())
            .arg("--json")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Half of them vanish while fdscan looks, half of them stay as zombies.
        let child = if round % 2 == 0 {
            reap(child);
            None
        } else {
            Some(child)
        };
        let output = looking.wait_with_output().unwrap();
        if let Some(child) = child {
            reap(child);
        }
        let scan = Scan {
            status: output.status,
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(!scan.stderr.contains("panicked"), "{}", scan.stderr);
        is_an_answer(&scan, pid);
    }
}

#[test]
fn a_process_that_never_stands_still_is_an_answer() {
    let stage = Stage::new();
    let dir = stage.make("churn");
    let fixture = stage.mkfds_in(&dir, &["churn"]);
    let pid = fixture.pid();
    for _ in 0..40 {
        let scan = stage.scan(&[&pid.to_string(), "--json"]);
        assert_eq!(scan.code(), 0, "{}", scan.stderr);
        is_an_answer(&scan, pid);
        let text = stage.scan(&[&pid.to_string()]);
        assert_eq!(text.code(), 0, "{}", text.stderr);
    }
    let (status, lines) = fixture.victim.finish();
    assert!(status.success(), "the fixture failed: {lines:?}");
}
