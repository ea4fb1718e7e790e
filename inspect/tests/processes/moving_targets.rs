//! Processes that change or end while fdscan looks at them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Scan, Stage, inode};

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
        0 => {
            assert_eq!(listed[0]["pid"], pid);
            // Nothing is said to be right with what could not be seen.
            assert!(!listed[0]["fds"]["by_type"].is_null(), "{doc:#}");
        }
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
    // longer look into it, which is not a question of permission.
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

/// Every descriptor of a file that says what it is must be shown with that file's data.
#[track_caller]
fn pairs_agree(process: &Value, dir: &Path) -> usize {
    let mut seen = 0;
    for descriptor in process["fds"]["list"].as_array().into_iter().flatten() {
        let target = Path::new(descriptor["target"].as_str().unwrap());
        let name = target.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("file")?.parse::<u64>().ok());
        let Some(n) = number.filter(|_| target.starts_with(dir)) else {
            continue;
        };
        seen += 1;
        let wanted = dir.join(format!("identity{n}")).join(format!("file{n}"));
        assert_eq!(target, wanted, "{descriptor}");
        assert_eq!(descriptor["type"], "file", "{descriptor}");
        assert_eq!(descriptor["bytes"], n * 1024, "{descriptor}");
        assert_eq!(descriptor["inode"], inode(&wanted), "{descriptor}");
        assert_eq!(descriptor["deleted"], false, "{descriptor}");
    }
    for database in process["sqlite"].as_array().into_iter().flatten() {
        let name = Path::new(database["database"].as_str().unwrap());
        let name = name.file_stem().unwrap().to_str().unwrap();
        let n: u32 = name.strip_prefix("state").unwrap().parse().unwrap();
        let page = &database["wal"]["page_size"];
        assert!(page.is_null() || *page == 512 << n, "{database}");
    }
    seen
}

fn state(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').next().unwrap().to_owned()
}

/// Those of a process's children that are there now.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists = tasks.flatten().map(|task| task.path().join("children"));
    let text: String = lists.flat_map(std::fs::read_to_string).collect();
    text.split_ascii_whitespace().flat_map(str::parse).collect()
}

fn storm(stage: &Stage, state_name: &str) {
    let dir = stage.make(state_name);
    let fixture = stage.mkfds_in(&dir, &[state_name]);
    let pid = fixture.pid();
    let mut seen = 0;
    for round in 0..40 {
        let scan = stage.scan_as_user(&[&pid.to_string(), "--json", "--all"]);
        assert_eq!(scan.code(), 0, "{}", scan.stderr);
        is_an_answer(&scan, pid);
        seen += pairs_agree(&scan.json()["processes"][0], &dir);
        // Whoever has the PID by then: a child lives for a moment.
        for child in children(pid).into_iter().take(2) {
            let scan = stage.scan_as_user(&[&child.to_string(), "--json"]);
            assert!([0, 3].contains(&scan.code()), "{}", scan.stderr);
        }
        if round % 8 == 0 {
            let text = stage.scan_as_user(&[&pid.to_string(), "--for", "0.01"]);
            assert_eq!(text.code(), 0, "{}", text.stderr);
        }
        assert!(!["T", "t"].contains(&&state(pid)[..]), "it was stopped");
    }
    assert!(seen > 40, "{seen} descriptors were checked");
    let (status, lines) = fixture.victim.finish();
    assert!(status.success(), "the fixture failed: {lines:?}");
}

#[test]
fn a_process_that_never_stands_still_is_shown_with_its_own_data() {
    storm(&Stage::new(), "churn");
}

#[test]
fn a_process_that_never_stands_still_is_shown_with_its_own_data_without_privilege() {
    storm(&Stage::unprivileged(60193), "churn");
}

#[test]
fn a_process_that_becomes_itself_again_and_again_is_shown_with_its_own_data() {
    storm(&Stage::new(), "exec-churn");
}
