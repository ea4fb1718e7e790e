//! Descriptors and the limit on them.

use crate::common::{Stage, holds_number, is_root};

#[test]
fn descriptors_and_limits_are_those_of_the_process() {
    let stage = Stage::new();
    let dir = stage.make("kinds");
    let fixture = stage.mkfds_in(&dir, &["kinds"]);
    let process = stage.look(&fixture);
    let fds = &process.0["fds"];
    assert_eq!(fds["open"], fixture.number("open"));
    let by_type = fds["by_type"].as_object().unwrap();
    assert_eq!(by_type["inotify"], 1, "{by_type:?}");
    // A file of its own, a directory, a device, a pipe, sockets and five anonymous inodes.
    assert!(by_type.len() >= 5, "{by_type:?}");
}

#[test]
fn a_process_shows_its_soft_and_hard_limit() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["fd-limit", "--limit", "700", "--open", "10"]);
    let process = stage.look(&fixture);
    let fds = &process.0["fds"];
    assert_eq!(fds["open"], 10);
    assert_eq!(fds["soft_limit"], 700);
    assert_eq!(fds["hard_limit"], fixture.number("hard_limit"));
}

/// Holds `open` of 1,000 descriptors and tells what fdscan finds.
fn near(open: u64, severity: Option<&str>) {
    let stage = Stage::unprivileged(60131);
    let fixture = stage.mkfds(&["fd-limit", "--open", &open.to_string()]);
    let process = stage.look_as_user(&fixture);
    assert_eq!(process.0["fds"]["open"], open);
    match severity {
        Some(severity) => {
            let finding = process.finding("fd-limit-near", severity);
            assert!(holds_number(&finding["evidence"], open), "{finding}");
            assert!(holds_number(&finding["evidence"], 1000), "{finding}");
        }
        None => process.must_not_raise("fd-limit-near"),
    }
}

#[test]
fn below_80_percent_of_the_descriptors_nothing_is_wrong() {
    near(799, None);
}

#[test]
fn from_80_percent_of_the_descriptors_there_is_a_warning() {
    near(800, Some("warning"));
}

#[test]
fn below_95_percent_of_the_descriptors_it_stays_a_warning() {
    near(949, Some("warning"));
}

#[test]
fn from_95_percent_of_the_descriptors_it_is_critical() {
    near(950, Some("critical"));
}

#[test]
fn a_process_without_a_free_descriptor_can_be_looked_at() {
    near(1000, Some("critical"));
}

/// This process's hard RLIMIT_NOFILE.
fn hard_limit() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find(|l| l.starts_with("Max open files"))
        .unwrap();
    line.split_whitespace().nth(4).unwrap().parse().unwrap()
}

/// Whether this process may raise its hard limits (CAP_SYS_RESOURCE, bit 24).
fn may_raise_limits() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let set = status
        .lines()
        .find_map(|l| l.strip_prefix("CapEff:"))
        .unwrap();
    u64::from_str_radix(set.trim(), 16).unwrap() & (1 << 24) != 0
}

fn every_descriptor_is_counted(count: u64) {
    let stage = Stage::new();
    let dir = stage.make("many");
    let fixture = stage.mkfds_in(&dir, &["descriptors", "--count", &count.to_string()]);
    assert_eq!(fixture.number("held"), count);
    let process = stage.look(&fixture);
    assert_eq!(process.0["fds"]["open"], fixture.number("open"));
    // The text is for a person: it does not grow with the number of descriptors.
    let text = stage.scan(&[&fixture.pid().to_string()]);
    assert_eq!(text.code(), 0, "{}", text.stderr);
    assert!(text.text().lines().count() < 200);
}

#[test]
fn every_descriptor_up_to_the_hard_limit_is_counted() {
    every_descriptor_is_counted(hard_limit().min(65_536) - 64);
}

#[test]
fn every_one_of_65536_descriptors_is_counted() {
    if hard_limit() < 66_000 && !may_raise_limits() {
        let why = if is_root() {
            "without CAP_SYS_RESOURCE"
        } else {
            "by anyone but root"
        };
        return support::skip_optional(&format!(
            "the hard limit of {} descriptors cannot be raised {why}",
            hard_limit()
        ));
    }
    every_descriptor_is_counted(65_536);
}
