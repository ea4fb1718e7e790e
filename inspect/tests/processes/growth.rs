//! Two samples: what grew, how fast, and how long it can go on.

use serde_json::Value;
use support::Victim;

use crate::common::{Process, Stage, is_root, proc_number, waits};

/// Looks twice at a process that grows meanwhile.
fn growing(args: &[&str]) -> Process {
    growing_on(&Stage::new(), args)
}

fn growing_on(stage: &Stage, args: &[&str]) -> Process {
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &[&["growing"], args].concat());
    stage
        .scan(&[&fixture.pid().to_string(), "--json", "--for", "1"])
        .process()
}

/// How much a counter grew.
#[track_caller]
fn more(change: &Value) -> u64 {
    let (from, to) = (change["from"].as_u64(), change["to"].as_u64());
    to.unwrap().checked_sub(from.unwrap()).unwrap()
}

#[test]
fn one_sample_shows_no_growth() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-connections", "--count", "40"]);
    let process = stage.look(&fixture);
    assert!(process.0["growth"].is_null());
    assert!(process.0["sqlite"][0]["growth"].is_null());
    let finding = process.finding("sqlite-handle-leak", "info");
    assert!(finding["evidence"]["growth"].is_null());
}

#[test]
fn session_files_that_become_more_are_counted_by_their_pattern() {
    let process = growing(&["--what", "files", "--count", "150", "--most", "5000"]);
    let growth = &process.0["growth"];
    assert!(growth["seconds"].as_f64().unwrap() >= 1.0);
    let opened = more(&growth["descriptors"]);
    assert!(opened > 0, "{growth}");
    assert_eq!(growth["patterns"][0]["extension"], "jsonl");
    assert_eq!(growth["patterns"][0]["descriptors"], opened);
    let finding = process.finding("file-handle-leak", "warning");
    assert_eq!(finding["evidence"]["growth"]["more"], opened);
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("{opened} more were opened")),
        "{message}"
    );
}

#[test]
fn one_file_that_is_opened_again_and_again_is_counted_by_its_path() {
    let process = growing(&["--what", "handles", "--count", "150", "--most", "5000"]);
    let finding = process.finding("file-handle-leak", "warning");
    let more = finding["evidence"]["growth"]["more"].as_i64().unwrap();
    assert!(more > 0, "{finding}");
}

#[test]
fn what_does_not_grow_is_said_not_to_and_is_no_leak() {
    let process = growing(&["--what", "files", "--count", "150", "--most", "150"]);
    assert_eq!(more(&process.0["growth"]["descriptors"]), 0);
    let finding = process.finding("file-handle-leak", "info");
    assert_eq!(finding["evidence"]["growth"]["more"], 0);
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains("none was added"), "{message}");
}

#[test]
fn the_line_of_counts_has_what_was_open_in_the_end() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let args = [
        "growing", "--what", "files", "--most", "5000", "--every", "20",
    ];
    let fixture = stage.mkfds_in(&dir, &args);
    let scan = stage.scan(&[&fixture.pid().to_string(), "--for", "1"]);
    let text = scan.text();
    let mut rows = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("descriptors "));
    let mut cells = rows.next().unwrap().split_whitespace();
    let (before, after) = (cells.next().unwrap(), cells.next().unwrap());
    assert_ne!(before, after, "{text}");
    assert!(text.contains(&format!("{after} of ")), "{text}");
}

/// The time left must follow from the figures beside it.
#[track_caller]
fn forecast(finding: &Value) {
    let evidence = &finding["evidence"];
    let left = evidence["left"].as_u64().unwrap();
    let growth = &evidence["growth"];
    let rate = more(growth) as f64 / growth["seconds"].as_f64().unwrap();
    assert!(rate > 0.0, "{finding}");
    let seconds = evidence["seconds_left"].as_u64().unwrap();
    assert!(seconds as f64 <= left as f64 / rate, "{finding}");
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains(" left)"), "{message}");
    assert!(
        message.contains("at this rate the limit is reached in"),
        "{message}"
    );
}

/// When the limit is met that growth of `what` leads to: the time follows from the figures beside it.
#[track_caller]
fn ahead(process: &Process, what: &str) -> (u64, u64) {
    let growth = &process.0["growth"];
    let ahead = &growth["limits"][what];
    let number = |key: &str| ahead[key].as_u64().unwrap_or_else(|| panic!("{growth:#}"));
    let (limit, seconds_left) = (number("limit"), number("seconds_left"));
    let rate = more(&growth[what]) as f64 / growth["seconds"].as_f64().unwrap();
    // Others may have some of it as well.
    let left = limit - growth[what]["to"].as_u64().unwrap();
    assert!(seconds_left as f64 <= left as f64 / rate, "{growth:#}");
    (limit, seconds_left)
}

#[test]
fn what_leaks_is_told_when_its_limit_is_reached_long_before_it_is_near() {
    for (what, code) in [
        ("files", "file-handle-leak"),
        ("connections", "sqlite-handle-leak"),
    ] {
        let process = growing(&[
            "--what", what, "--count", "150", "--most", "4000", "--limit", "15000",
        ]);
        let (limit, left) = ahead(&process, "descriptors");
        assert_eq!(limit, 15_000);
        let finding = process.finding(code, "warning");
        assert_eq!(finding["evidence"]["growth"]["seconds_left"], left);
        let message = finding["message"].as_str().unwrap();
        let says = "more were opened: at this rate the limit of 15,000 is reached in ";
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn watches_and_instances_that_grow_are_told_when_their_limits_are_reached() {
    let stage = Stage::unprivileged(60_576);
    let limit = |name: &str| proc_number(&format!("/proc/sys/fs/inotify/max_user_{name}"));
    for (what, most, every) in [("watches", "5000", "20"), ("instances", "100", "200")] {
        let dir = stage.make(what);
        let args = ["growing", "--what", what, "--most", most, "--every", every];
        let fixture = stage.mkfds_in(&dir, &args);
        let pid = fixture.pid().to_string();
        let process = stage.scan(&[&pid, "--json", "--for", "1"]).process();
        assert_eq!(ahead(&process, what).0, limit(what));
        let text = stage.scan(&[&pid, "--for", "1"]);
        let row = format!("inotify {what} ");
        let rows: Vec<_> = text.text().lines().filter(|l| l.contains(&row)).collect();
        let of = format!("({})", with_commas(limit(what)));
        assert!(rows.len() == 1 && rows[0].contains(&of), "{}", text.text());
    }
}

/// As the tables show a number.
fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8(parts.join(&b',')).unwrap()
}

#[test]
fn descriptors_near_their_limit_show_what_is_left_and_for_how_long() {
    let process = growing(&[
        "--what", "files", "--count", "4050", "--most", "4740", "--limit", "5000", "--every", "20",
    ]);
    forecast(process.finding("fd-limit-near", "warning"));
}

#[test]
fn without_growth_the_headroom_is_shown_all_the_same() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["fd-limit", "--limit", "1000", "--open", "900"]);
    let pid = fixture.pid().to_string();
    for window in [&["--for", "0.1"][..], &[]] {
        let process = stage
            .scan(&[&[&pid[..], "--json"], window].concat())
            .process();
        let evidence = &process.finding("fd-limit-near", "warning")["evidence"];
        assert_eq!(evidence["left"], 100);
        assert!(evidence["seconds_left"].is_null());
    }
    let text = stage.scan(&[&pid, "--tables"]);
    assert!(text.text().contains("LEFT"), "{}", text.text());
}

#[test]
fn instances_near_their_limit_show_for_how_long() {
    if !is_root() {
        support::skip("only root can be a user whose limits nobody else uses");
        return;
    }
    let limit = proc_number("/proc/sys/fs/inotify/max_user_instances");
    let (count, most) = (limit * 80 / 100 + 1, limit * 95 / 100 - 1);
    let (count, most) = (count.to_string(), most.to_string());
    let args = [
        "--what",
        "instances",
        "--count",
        &count,
        "--most",
        &most,
        "--every",
        "300",
    ];
    let process = growing_on(&Stage::as_user(60_571), &args);
    forecast(process.finding("instance-limit-near", "warning"));
}

#[test]
fn watches_near_their_limit_show_for_how_long() {
    if !is_root() {
        support::skip("only root can be a user whose limits nobody else uses");
        return;
    }
    let stage = Stage::as_user(60_235);
    let total = proc_number("/proc/sys/fs/inotify/max_user_watches") * 80 / 100 + 1;
    // Another process of the same user holds them: the sum is the user's, the growth is the process's.
    let args = [
        "--count",
        "100",
        "--watches",
        "4000",
        "--total",
        &total.to_string(),
    ];
    let crowd = stage.make("crowd");
    let _crowd = stage.mkfds_in(&crowd, &[&["instances"][..], &args].concat());
    let process = growing_on(&stage, &["--what", "watches", "--most", "5000"]);
    forecast(process.finding("watch-limit-near", "warning"));
}

#[test]
fn connections_that_become_more_are_counted_with_their_database() {
    let process = growing(&["--what", "connections", "--count", "40", "--most", "2000"]);
    let opened = more(&process.0["sqlite"][0]["growth"]["wal_handles"]);
    assert!(opened > 0);
    // One may have opened the database and not yet its -wal.
    let databases = more(&process.0["sqlite"][0]["growth"]["handles"]);
    assert!(databases.abs_diff(opened) <= 1, "{databases}, {opened}");
    assert_eq!(more(&process.0["sqlite"][0]["growth"]["shm_handles"]), 0);
    let finding = process.finding("sqlite-handle-leak", "warning");
    assert_eq!(finding["evidence"]["growth"]["more"], opened);
}

#[test]
fn a_log_that_grows_behind_its_reader_is_starved() {
    let process = growing(&["--what", "frames", "--count", "1100", "--most", "100000"]);
    let growth = &process.0["sqlite"][0]["growth"];
    assert_eq!(growth["same_log"], true);
    assert_eq!(more(&growth["checkpointed_frames"]), 0);
    assert!(more(&growth["frames"]) > 0, "{growth}");
    assert!(more(&growth["wal_bytes"]) > 0, "{growth}");
    let finding = process.finding("sqlite-wal-pinned", "warning");
    assert_eq!(finding["evidence"]["starved"], true);
    assert!(finding["message"].as_str().unwrap().contains("starved"));
}

#[test]
fn a_pinned_log_nobody_writes_is_not_starved() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-pinned"]);
    let database = fixture.path("database");
    let (pid, database) = (fixture.pid().to_string(), database.to_str().unwrap());
    for args in [&[&pid[..]][..], &["wal", database]] {
        let run = stage.scan(&[args, &["--json", "--for", "0.1"][..]].concat());
        let doc = run.json();
        let findings = match args {
            ["wal", _] => &doc["databases"][0]["findings"],
            _ => &doc["processes"][0]["findings"],
        };
        assert_eq!(findings[0]["code"], "sqlite-wal-pinned");
        assert_eq!(findings[0]["evidence"]["starved"], false);
    }
}

#[test]
fn a_log_that_begins_anew_is_another_log() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["sqlite-busy"]);
    let process = stage
        .scan(&[&fixture.pid().to_string(), "--json", "--for", "0.5"])
        .process();
    assert_eq!(process.0["sqlite"][0]["growth"]["same_log"], false);
}

#[test]
fn a_database_looked_at_by_its_path_shows_the_growth_of_its_log() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let args = [
        "growing", "--what", "frames", "--count", "1100", "--most", "100000",
    ];
    let fixture = stage.mkfds_in(&dir, &args);
    let database = fixture.path("database");
    let database = database.to_str().unwrap();
    let run = stage.scan(&["wal", database, "--json", "--for", "0.5"]);
    let growth = &run.json()["databases"][0]["growth"];
    assert!(more(&growth["frames"]) > 0);
    assert!(growth["handles"].is_null());
    let text = stage.scan(&["wal", database, "--for", "0.2"]);
    assert!(
        text.text().contains("Growth in the next "),
        "{}",
        text.text()
    );
}

#[test]
fn of_another_users_process_the_number_of_descriptors_is_sampled_and_nothing_else() {
    if !is_root() {
        return support::skip("only root can start another user's process");
    }
    let stage = Stage::as_user(60_233);
    let dir = stage.make("state");
    let args = ["growing", "--what", "files", "--most", "5000"];
    // Of the user who runs the tests: root.
    let fixture = Stage::new().mkfds_in(&dir, &args);
    let pid = fixture.pid().to_string();
    let scan = stage.scan_as_user(&[&pid, "--json", "--for", "0.5"]);
    assert_eq!(scan.code(), 4, "{}", scan.stderr);
    let process = scan.json()["processes"][0].clone();
    if process["fds"]["open"].is_null() {
        return support::skip("before Linux 6.2 nobody else may count them");
    }
    assert!(more(&process["growth"]["descriptors"]) > 0, "{process:#}");
    assert!(process["growth"]["watches"].is_null());
    assert_eq!(process["growth"]["patterns"], serde_json::json!([]));
}

#[test]
fn a_process_that_ends_between_the_samples_keeps_its_findings() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["file-pattern", "--count", "200"]);
    let mut command = stage.scan_command();
    command.args([&fixture.pid().to_string(), "--json", "--for", "5"]);
    let scan = Victim::spawn(&mut command);
    // It has looked and waits for the second sample.
    support::wait_until("it does not wait", || waits(scan.pid()));
    let (status, _) = fixture.victim.finish();
    assert!(status.success());
    let (status, lines) = scan.finish();
    assert!(status.success(), "{lines:?}");
    let doc: Value = serde_json::from_str(&lines.concat()).unwrap();
    let process = Process(doc["processes"][0].clone());
    process.finding("file-handle-leak", "warning");
    assert!(process.0["growth"].is_null());
    assert!(process.0["incomplete"].to_string().contains("its growth"));
}
