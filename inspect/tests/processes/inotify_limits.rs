//! The limits of fs.inotify hold per user: each test that comes near one is a user of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::common::{Fixture, Scan, Stage, holds_number, is_root, proc_number};

const INSTANCES: &str = "/proc/sys/fs/inotify/max_user_instances";
const WATCHES: &str = "/proc/sys/fs/inotify/max_user_watches";

/// The smallest number that is `percent` of `limit`.
fn share(limit: u64, percent: u64) -> u64 {
    (limit * percent).div_ceil(100)
}

#[test]
fn the_limits_are_those_of_the_kernel() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["idle"]);
    let doc = stage.scan(&[&fixture.pid().to_string(), "--json"]).json();
    assert_eq!(doc["limits"]["max_user_watches"], proc_number(WATCHES));
    assert_eq!(doc["limits"]["max_user_instances"], proc_number(INSTANCES));
    assert_eq!(
        doc["limits"]["max_queued_events"],
        proc_number("/proc/sys/fs/inotify/max_queued_events")
    );
}

fn stage_for(uid: u32) -> Option<Stage> {
    if is_root() {
        Some(Stage::as_user(uid))
    } else {
        support::skip("only root can be a user whose limits nobody else uses");
        None
    }
}

fn hold(stage: &Stage, instances: u64) -> Fixture {
    stage.mkfds(&["instances", "--count", &instances.to_string()])
}

#[test]
fn instances_are_summed_over_a_users_processes() {
    let Some(stage) = stage_for(60201) else {
        return;
    };
    let limit = proc_number(INSTANCES);
    let (warning, critical) = (share(limit, 80), share(limit, 95));

    let first = hold(&stage, warning / 2);
    let _second = hold(&stage, warning - 1 - warning / 2);
    stage.look(&first).must_not_raise("instance-limit-near");

    let _third = hold(&stage, 1);
    let process = stage.look(&first);
    let finding = process.finding("instance-limit-near", "warning");
    assert!(holds_number(&finding["evidence"], warning), "{finding}");
    assert!(holds_number(&finding["evidence"], limit), "{finding}");
    process.must_not_raise("watch-limit-near");
    // The user can see that without root.
    stage
        .look_as_user(&first)
        .finding("instance-limit-near", "warning");

    let _fourth = hold(&stage, critical - 1 - warning);
    stage.look(&first).finding("instance-limit-near", "warning");
    let _fifth = hold(&stage, 1);
    stage
        .look(&first)
        .finding("instance-limit-near", "critical");
}

#[test]
fn a_users_limit_is_blamed_on_who_has_it_and_names_them_to_the_others() {
    let Some(stage) = stage_for(60232) else {
        return;
    };
    let limit = proc_number(INSTANCES);
    let hog = hold(&stage, share(limit, 95));
    let victim = stage.mkfds(&["idle"]);
    let process = stage.look(&victim);
    let finding = process.finding("instance-limit-near", "info");
    let message = finding["message"].as_str().unwrap();
    let named = format!("{} of mkfds (PID {})", share(limit, 95), hog.pid());
    assert!(message.contains(&named), "{message}");
    assert!(
        message.contains("fdscan top --sort instances` lists all"),
        "{message}"
    );

    let top = stage.scan(&["top", "--json", "--user", "60232"]).json();
    let findings = |pid: u32| {
        let mut rows = top["processes"].as_array().unwrap().iter();
        rows.find(|row| row["pid"] == pid).unwrap()["findings"].to_string()
    };
    assert!(findings(hog.pid()).contains("instance-limit-near"), "{top}");
    assert_eq!(findings(victim.pid()), "[]");
}

#[test]
fn another_users_instances_do_not_count() {
    let Some(crowded) = stage_for(60202) else {
        return;
    };
    let limit = proc_number(INSTANCES);
    let _crowd = hold(&crowded, share(limit, 95));
    let quiet = Stage::as_user(60203);
    let fixture = hold(&quiet, 1);
    quiet.look(&fixture).must_not_raise("instance-limit-near");
}

#[test]
fn an_instance_at_two_descriptors_counts_once() {
    let Some(stage) = stage_for(60204) else {
        return;
    };
    let count = share(proc_number(INSTANCES), 80) / 2 + 1;
    let fixture = stage.mkfds(&["instances", "--count", &count.to_string(), "--dup"]);
    let process = stage.look(&fixture);
    assert_eq!(process.list("inotify").len() as u64, 2 * count);
    process.must_not_raise("instance-limit-near");
}

#[test]
fn an_instance_a_child_inherited_counts_once() {
    let Some(stage) = stage_for(60205) else {
        return;
    };
    let count = share(proc_number(INSTANCES), 80) / 2 + 1;
    let fixture = stage.mkfds(&["instances", "--count", &count.to_string(), "--fork"]);
    stage.look(&fixture).must_not_raise("instance-limit-near");
}

#[test]
fn a_process_without_an_instance_does_not_wait_for_its_neighbours_watches_to_be_counted() {
    let Some(stage) = stage_for(60206) else {
        return;
    };
    let dir = stage.make("tree");
    let watcher = stage.mkfds_in(&dir, &["watches", "--count", "10"]);
    let idle = stage.mkfds(&["idle"]);
    let user = stage.look(&idle).0["user"].clone();
    assert!(user["watches"].is_null(), "{user}");
    assert_eq!(user["instances"], 1);
    // One look at both: the watcher's sum is not the other's.
    let pids = [idle.pid().to_string(), watcher.pid().to_string()];
    let doc = stage.scan(&[&pids[0], &pids[1], "--json"]).json();
    assert_eq!(doc["processes"][1]["user"]["watches"], 10);
}

/// 100,000 directories are made faster, and removed faster, in memory.
fn fast_dir() -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    if std::fs::metadata(&shm).is_ok_and(|m| m.is_dir()) {
        shm
    } else {
        std::env::temp_dir()
    }
}

#[test]
fn watches_are_summed_over_a_users_processes() {
    if !is_root() {
        return support::skip("only root can be a user whose limits nobody else uses");
    }
    let limit = proc_number(WATCHES);
    if limit > 1_000_000 {
        return support::skip_optional(&format!("80 % of {limit} watches take too much memory"));
    }
    let stage = Stage::as_user_below(60211, &fast_dir());
    let dir = stage.make("tree");
    let (warning, critical) = (share(limit, 80), share(limit, 95));
    let directories = warning.div_ceil(20).to_string();
    let hold = |watches: u64| {
        let total = watches.to_string();
        let args = [
            "instances",
            "--count",
            "20",
            "--watches",
            &directories,
            "--total",
            &total,
        ];
        let fixture = stage.mkfds_in(&dir, &args);
        assert_eq!(fixture.number("watches"), watches);
        fixture
    };

    let _crowd = hold(warning - 1);
    // Looking at a small process of the same user is enough to see it.
    let small = stage.mkfds_in(&dir, &["instances", "--count", "1"]);
    stage.look(&small).must_not_raise("watch-limit-near");

    let one = hold(1);
    let process = stage.look(&one);
    let finding = process.finding("watch-limit-near", "warning");
    assert!(holds_number(&finding["evidence"], warning), "{finding}");
    assert!(holds_number(&finding["evidence"], limit), "{finding}");

    // Each is blamed for its part.
    let more = hold(critical - warning);
    stage.look(&more).finding("watch-limit-near", "critical");
    stage.look(&one).finding("watch-limit-near", "warning");
    let process = stage.look(&small);
    let finding = process.finding("watch-limit-near", "info");
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("(PID {})", more.pid())),
        "{message}"
    );
}

#[test]
fn a_hundred_thousand_watches_with_paths_need_at_most_100_megabytes() {
    if !is_root() {
        return support::skip("100,000 watches would take the user's own");
    }
    if proc_number(WATCHES) < 100_000 {
        return support::skip_optional("fs.inotify.max_user_watches is below 100,000");
    }
    let stage = Stage::as_user_below(60212, &fast_dir());
    let dir = stage.make("tree");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "100000"]);
    let pid = fixture.pid().to_string();
    let peak_of = |mode: &[&str]| {
        // Measured by a small process: the peak of a child begins with that of its parent.
        let mut command = Command::new(stage.mkfds_binary());
        command.arg("measure").arg(env!("CARGO_BIN_EXE_fdscan"));
        command.args(["--path-timeout", "60"]);
        let scan = Scan::run(command.arg(&pid).args(mode));
        assert_eq!(scan.code(), 0, "{}", scan.stderr);
        let peak = scan.stderr.trim().strip_prefix("peak_kib=").unwrap();
        let peak: u64 = peak.parse().unwrap();
        assert!(peak <= 100_000, "fdscan {mode:?} used {peak} KiB");
        scan
    };
    peak_of(&[]);
    peak_of(&["--all"]);
    let process = peak_of(&["--json"]).process();
    let watches = process.list("inotify")[0]["watches"].as_array().unwrap();
    assert_eq!(watches.len(), 100_000);
    assert!(watches.iter().all(|w| w["path"].is_string()));
}

#[test]
fn a_process_that_cannot_be_counted_is_told_of_where_a_limit_may_be_near() {
    let Some(stage) = stage_for(60573) else {
        return;
    };
    let _closed = stage.mkfds(&["undumpable"]);
    let limit = proc_number(INSTANCES);
    let hog = hold(&stage, limit / 2);
    let pid = hog.pid().to_string();
    let gap = "in the user's sums of watches and instances (1)";
    let shown = |args: &[&str]| {
        let args = [&[&pid[..], "--no-paths"], args].concat();
        stage
            .scan_as_user(&args)
            .text()
            .replace("\n  ", " ")
            .replace('\n', " ")
    };
    // Far from the limit it is no matter whether there is one more: the tables and JSON tell all the same.
    assert!(!shown(&[]).contains("Not seen"), "{}", shown(&[]));
    assert!(
        shown(&["--tables"]).contains(gap),
        "{}",
        shown(&["--tables"])
    );
    let unseen = stage.look_as_user(&hog).0["incomplete"].to_string();
    assert!(unseen.contains("in the user's sums"), "{unseen}");
    let _more = hold(&stage, 1);
    assert!(shown(&[]).contains(gap), "{}", shown(&[]));
}
