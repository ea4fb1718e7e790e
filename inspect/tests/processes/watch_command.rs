//! `fdscan watch`: readings of one process over time, and what ends them.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;
use support::Victim;

use crate::common::{Stage, fdscan, is_root, must_end_with_its_reader, reading_violations};

/// A process that opens a descriptor for each line it reads.
struct Opener(Victim);

impl Opener {
    /// With a soft limit of so many descriptors.
    fn start(limit: u32) -> Opener {
        let script = format!(
            "ulimit -Sn {limit}; echo READY; while read -r _; do exec {{fd}}</dev/null; echo $fd; done"
        );
        let mut bash = Victim::spawn(Command::new("bash").arg("-c").arg(script));
        bash.line_with("READY");
        Opener(bash)
    }

    /// How many it has open: the three streams, and what whoever runs the tests has left open.
    fn open(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .unwrap()
            .count()
    }

    fn pid(&self) -> String {
        self.0.pid().to_string()
    }

    fn open_one(&mut self) {
        self.0.send("");
        self.0
            .lines_until("a descriptor", |line| line.parse::<u32>().is_ok());
    }
}

fn watch(args: &[&str]) -> Victim {
    Victim::spawn(fdscan().arg("watch").args(args))
}

/// The next reading of `watch --json`.
fn reading(watch: &mut Victim) -> Value {
    let line = watch
        .lines_until("a reading", |line| line.starts_with('{'))
        .pop();
    let reading: Value = serde_json::from_str(&line.unwrap()).unwrap();
    let found = reading_violations(&reading);
    assert!(found.is_empty(), "{found:?} in {reading:#}");
    reading
}

#[test]
fn a_pipe_gets_a_line_for_each_reading_until_the_time_is_up() {
    let opener = Opener::start(100);
    let (status, lines) = watch(&[&opener.pid(), "--interval", "0.1", "--for", "0.35"]).finish();
    assert_eq!(status.code(), Some(0), "{lines:?}");
    // At 0, 0.1, 0.2 and 0.3 s at most, and one at the beginning in any case.
    assert!((1..=5).contains(&lines.len()), "{lines:?}");
    for line in &lines {
        assert!(
            line.contains(&format!("  fds {}/100", opener.open())),
            "{line}"
        );
        assert!(line.contains("  watches 0  instances 0"), "{line}");
    }
}

#[test]
fn what_grows_has_a_rate_and_a_time_until_its_limit() {
    let mut opener = Opener::start(100);
    let mut watch = watch(&[&opener.pid(), "--interval", "0.05", "--json"]);
    let first = reading(&mut watch);
    assert!(first["fds"]["per_second"].is_null(), "{first}");
    assert_eq!(first["fds"]["soft_limit"], 100);
    let last = loop {
        opener.open_one();
        let seen = reading(&mut watch);
        if seen["fds"]["open"].as_u64() >= Some(14) {
            break seen;
        }
    };
    let (fds, rate) = (&last["fds"], last["fds"]["per_second"].as_f64().unwrap());
    assert!(rate > 0.0, "{fds}");
    let left = (100.0 - fds["open"].as_f64().unwrap()) / rate;
    assert_eq!(fds["seconds_left"], left as u64, "{fds}");
    assert_eq!(last["seconds_left"], fds["seconds_left"]);
}

#[test]
fn a_users_other_processes_take_from_the_same_limit() {
    if !is_root() {
        return support::skip("only root can be a user whose sums nobody else changes");
    }
    let stage = Stage::as_user(60711);
    let watched = stage.mkfds_in(&stage.make("a"), &["watches", "--count", "5"]);
    let args = ["instances", "--count", "2", "--watches", "3", "--fork"];
    let _other = stage.mkfds_in(&stage.make("b"), &args);
    let mut watch = watch(&[&watched.pid().to_string(), "--json"]);
    let seen = reading(&mut watch);
    assert_eq!(
        (&seen["watches"]["count"], &seen["watches"]["user_count"]),
        (&5.into(), &11.into())
    );
    assert_eq!(
        (
            &seen["instances"]["count"],
            &seen["instances"]["user_count"]
        ),
        (&1.into(), &3.into())
    );
}

#[test]
fn an_instance_the_process_shares_with_its_child_counts_once() {
    if !is_root() {
        return support::skip("only root can be a user whose sums nobody else changes");
    }
    let stage = Stage::as_user(60712);
    let args = ["instances", "--count", "2", "--watches", "3", "--fork"];
    let shared = stage.mkfds_in(&stage.make("b"), &args);
    let seen = reading(&mut watch(&[&shared.pid().to_string(), "--json"]));
    assert_eq!(
        (&seen["watches"]["count"], &seen["watches"]["user_count"]),
        (&6.into(), &6.into())
    );
    assert_eq!(
        (
            &seen["instances"]["count"],
            &seen["instances"]["user_count"]
        ),
        (&2.into(), &2.into())
    );
}

#[test]
fn a_log_that_grows_has_a_rate_and_a_time_until_its_disk_is_full() {
    let stage = Stage::new();
    let path = stage.make("db").join("grows.db");
    let database = Connection::open(&path).unwrap();
    let setup = "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(x);";
    database.execute_batch(setup).unwrap();
    let own = std::process::id().to_string();
    let mut watch = watch(&[&own, "--interval", "0.05", "--json"]);
    let log_of = |reading: &Value| {
        let logs = reading["sqlite"].as_array().unwrap().clone();
        let own = logs
            .into_iter()
            .find(|log| log["database"] == path.to_str().unwrap());
        own.unwrap()
    };
    let before = log_of(&reading(&mut watch));
    let after = loop {
        database
            .execute("INSERT INTO t VALUES (zeroblob(100000))", [])
            .unwrap();
        let log = log_of(&reading(&mut watch));
        if log["seconds_left"].is_u64() {
            break log;
        }
    };
    assert!(
        after["wal_bytes"].as_u64() > before["wal_bytes"].as_u64(),
        "{before} {after}"
    );
    assert_eq!(after["wal_handles"], 1);
    assert!(after["pending_bytes"].as_u64() >= Some(100_000), "{after}");
    let rate = after["per_second"].as_f64().unwrap();
    let left = after["disk_free_bytes"].as_f64().unwrap() / rate;
    assert_eq!(after["seconds_left"], left as u64, "{after}");
}

#[test]
fn the_command_takes_the_place_of_the_watch_and_learns_what_held() {
    let opener = Opener::start(100);
    let pid = opener.pid();
    let command = "echo \"$FDSCAN_PID|$FDSCAN_COMM|$FDSCAN_CONDITION|$FDSCAN_VALUE\"; \
                   echo \"$FDSCAN_FINDING\"; echo \"$FDSCAN_MESSAGE\"; exit 7";
    let args = [
        &pid,
        "--interval",
        "0.02",
        "--until",
        "fds >= 3",
        "--exec",
        command,
    ];
    let (status, lines) = watch(&args).finish();
    assert_eq!(status.code(), Some(7), "{lines:?}");
    let open = opener.open();
    assert!(
        lines.contains(&format!("{pid}|bash|fds >= 3|{open}")),
        "{lines:?}"
    );
    let finding = lines.iter().find(|line| line.starts_with('{')).unwrap();
    let finding: Value = serde_json::from_str(finding).unwrap();
    assert_eq!(finding["code"], "condition-held");
    assert_eq!(finding["evidence"]["readings"], 3);
    let message = finding["message"].as_str().unwrap();
    assert!(lines.iter().any(|line| line == message), "{lines:?}");
    // Three readings, then the command, once.
    assert_eq!(
        lines.iter().filter(|line| line.contains("  fds ")).count(),
        3,
        "{lines:?}"
    );
    assert_eq!(
        lines.iter().filter(|line| line.contains("|bash|")).count(),
        1,
        "{lines:?}"
    );
}

#[test]
fn a_command_can_be_interrupted_as_if_it_had_been_started_directly() {
    let opener = Opener::start(100);
    let command = "trap 'echo TERMINATED; exit 9' TERM; echo RUNNING; while :; do read -r _; done";
    let args = ["--until", "fds > 0", "--samples", "1", "--exec", command];
    let mut watch = watch(&[&[opener.pid().as_str()], &args[..]].concat());
    watch.line_with("RUNNING");
    watch.signal(libc::SIGTERM);
    // The shell's read ends when its standard input does.
    let (status, lines) = watch.finish();
    assert_eq!(status.code(), Some(9), "{lines:?}");
}

#[test]
fn a_condition_that_held_is_1_without_a_command() {
    let opener = Opener::start(100);
    let args = [
        &opener.pid(),
        "--until",
        "fds_percent < 50%",
        "--samples",
        "1",
    ];
    let (status, lines) = watch(&args).finish();
    assert_eq!(status.code(), Some(1), "{lines:?}");
    // Of 100.
    let open = opener.open();
    let said = format!("fds_percent is {open}; fds_percent < 50% has held for 1 reading.");
    assert!(lines.iter().any(|line| line.ends_with(&said)), "{lines:?}");
}

#[test]
fn a_condition_that_cannot_be_read_is_2_and_says_where() {
    let (status, lines) = watch(&["1", "--until", "fds => 3"]).finish();
    assert_eq!(status.code(), Some(2));
    let said = "at character 5: '=>' stands where one of > >= < <= should";
    assert!(lines[0].ends_with(said), "{lines:?}");
}

#[test]
fn no_such_process_is_3_and_one_that_ends_is_noticed_at_once() {
    let gone = Command::new("true").spawn().and_then(|mut child| {
        child.wait()?;
        Ok(child.id().to_string())
    });
    let (status, lines) = watch(&[&gone.unwrap()]).finish();
    assert_eq!(status.code(), Some(3), "{lines:?}");

    let mut opener = Opener::start(100);
    // An interval longer than a test may take.
    let mut watch = watch(&[&opener.pid(), "--interval", "3600"]);
    watch.line_with("  fds ");
    opener.0.close_stdin();
    let (status, lines) = watch.finish();
    assert_eq!(status.code(), Some(0), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.ends_with("has ended")),
        "{lines:?}"
    );
    drop(opener);
}

#[test]
fn a_signal_ends_it_at_once_and_is_what_its_caller_sees() {
    let opener = Opener::start(100);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
        let mut command = fdscan();
        command.args(["watch", &opener.pid(), "--interval", "3600"]);
        let mut watch = Victim::spawn(&mut command);
        watch.line_with("  fds ");
        watch.signal(signal);
        let (status, lines) = watch.finish();
        assert_eq!(status.signal(), Some(signal), "{lines:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_at_once() {
    let opener = Opener::start(100);
    must_end_with_its_reader(&["watch", &opener.pid(), "--interval", "3600"]);
}

#[test]
fn of_another_users_process_the_descriptors_are_watched_and_nothing_else_can_be() {
    if !is_root() {
        return support::skip("only root has processes that others may not read");
    }
    let stage = Stage::as_user(60713);
    let opener = Opener::start(100);
    let pid = opener.pid();
    let run = |args: &[&str]| {
        let mut command = stage.scan_command();
        command
            .args(["watch", &pid, "--interval", "0.02", "--json"])
            .args(args);
        Victim::spawn(&mut command)
    };
    let seen = reading(&mut run(&[]));
    if seen["fds"]["open"].is_null() {
        return support::skip("before Linux 6.2, even their number is hidden");
    }
    assert_eq!(
        (&seen["fds"]["open"], &seen["fds"]["soft_limit"]),
        (&opener.open().into(), &100.into())
    );
    for key in ["watches", "instances"] {
        assert!(seen[key]["count"].is_null(), "{seen}");
    }
    assert!(seen["sqlite"].is_null());
    assert_eq!(run(&["--until", "fds > 2"]).finish().0.code(), Some(1));
    let (status, lines) = run(&["--until", "watches > 3"]).finish();
    assert_eq!(status.code(), Some(4), "{lines:?}");
    assert!(lines[0].contains("watches is not known"), "{lines:?}");
}
