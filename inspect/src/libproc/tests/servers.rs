//! Servers: leaks, orphans, doubles, claims (incident 4).

use super::super::constructed::{BEGAN, File};
use super::{SERVER, WORDS, database, finding, has, only, open, server};
use crate::model::{Report, Severity, Verdict};
use std::collections::HashMap;

#[test]
fn on_a_constructed_mac_the_server_of_incident_4_leaks_connections_and_is_an_orphan() {
    let directory = tempfile::tempdir().unwrap();
    let _writer = database(directory.path());
    let mut mac = server();
    open(&mut mac, directory.path(), 150, 80 << 20);
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    mac.jobs = Some("PID\tStatus\tLabel\n-\t0\tcom.example.webui\n77\t0\tcom.apple.Finder\n");
    let report = only(&mac);
    let leak = finding(&report, "sqlite-handle-leak");
    assert_eq!(leak.severity, Severity::Warning);
    assert_eq!(leak.evidence["connections"], 150);
    assert_eq!(leak.evidence["libraries"], 1);
    let large = finding(&report, "sqlite-wal-large");
    assert!(
        large.message.contains("cannot be seen here"),
        "{}",
        large.message
    );
    assert!(
        large
            .remedy
            .as_deref()
            .unwrap()
            .starts_with("for i in 1 2 3 4 5; do sleep 1; sqlite3 ")
    );
    // Frames and page size are the file's own.
    let wal = report.process.sqlite[0].wal.as_ref().unwrap();
    assert_eq!(wal.page_size, Some(4096));
    assert!(wal.frames.unwrap() > 1000 && wal.locks.is_none());
    let orphan = finding(&report, "orphaned-server");
    assert_eq!(orphan.severity, Severity::Info);
    assert_eq!(orphan.evidence["parent"]["comm"], "launchd");
    assert_eq!(orphan.evidence["port"], 8787);
    assert_eq!(report.process.fds.open, Some(302));
    assert_eq!(
        report.process.start_time.as_deref(),
        Some("2023-11-14T22:15:00.25Z")
    );
}

#[test]
fn on_a_constructed_mac_a_start_that_waits_for_the_orphans_port_makes_it_a_warning() {
    let mut mac = server();
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    mac.jobs = Some("PID\tStatus\tLabel\n90\t0\tcom.example.webui\n");
    mac.process(90, 1, &["/opt/py/bin/python3", "bootstrap.py"], 900);
    mac.process(91, 90, WORDS, 901);
    let report = only(&mac);
    let orphan = finding(&report, "orphaned-server");
    assert_eq!(orphan.severity, Severity::Warning);
    assert_eq!(orphan.evidence["siblings"][0], 91);
    assert_eq!(orphan.remedy.as_deref(), Some("kill 4711"));
    assert!(
        orphan.message.contains("lsof -nP -iTCP:8787"),
        "{}",
        orphan.message
    );
}

#[test]
fn on_a_constructed_mac_two_servers_that_write_one_database_are_told() {
    let mut mac = server();
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    mac.process(90, 1, &[WORDS[0], WORDS[1], "--port", "8788"], 900);
    mac.tcp(90, 0xbeef, 8788, 0, 1);
    for pid in [SERVER, 90] {
        mac.file(pid, &File::made_up("/srv/state.db", 5, 4096));
        mac.file(pid, &File::made_up("/srv/state.db-wal", 6, 4096));
    }
    let report = only(&mac);
    let twice = finding(&report, "duplicate-instance");
    assert_eq!(twice.evidence["pid"], 90);
    assert_eq!(twice.evidence["shared_databases"][0], "/srv/state.db");
    // A worker has its server's socket.
    mac.tcp(90, 0xfeed, 8787, 0, 1);
    assert!(!has(&only(&mac), "duplicate-instance"));
}

#[test]
fn on_a_constructed_mac_a_job_of_launchd_is_no_orphan_and_an_unknown_one_is_said() {
    let mut mac = server();
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    mac.jobs = Some("PID\tStatus\tLabel\n4711\t0\tcom.example.webui\n");
    let report = only(&mac);
    assert!(!has(&report, "orphaned-server"));
    let said = |report: &Report| {
        let mut gaps = report.incomplete.iter();
        gaps.any(|gap| gap.what.contains("launchd started it") && !gap.aside)
    };
    assert!(!said(&report));
    for none in [None, Some("PID\tStatus\tLabel\n-\t0\tcom.example.webui\n")] {
        mac.jobs = none;
        let report = only(&mac);
        assert!(!has(&report, "orphaned-server") && said(&report));
    }
}

#[test]
fn on_a_constructed_mac_claims_are_judged_by_pid_and_start() {
    let directory = tempfile::tempdir().unwrap();
    let began = BEGAN + 100;
    for (name, text) in [
        ("live.pid", format!("{SERVER}:{began}")),
        ("reused.pid", format!("{SERVER}:{}", began - 500)),
        ("stale.pid", "99999".into()),
        ("corrupt.pid", "x".into()),
        ("here.port", "8787".into()),
        ("there.port", "1".into()),
        ("a.lock", String::new()),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let mut mac = server();
    mac.works_in(SERVER, directory.path());
    mac.tcp(SERVER, 0xfeed, 8787, 0, 1);
    let report = only(&mac);
    let claims = &report.process.surroundings.claims;
    let verdicts: HashMap<_, _> = claims
        .iter()
        .map(|claim| {
            (
                String::from_utf8_lossy(claim.path.base()).into_owned(),
                claim.verdict,
            )
        })
        .collect();
    for (name, verdict) in [
        ("live.pid", Verdict::Live),
        ("reused.pid", Verdict::Reused),
        ("stale.pid", Verdict::Stale),
        ("corrupt.pid", Verdict::Corrupt),
        ("here.port", Verdict::Live),
        ("there.port", Verdict::Unknown),
        ("a.lock", Verdict::Unknown),
    ] {
        assert_eq!(verdicts.get(name), Some(&verdict), "{name}");
    }
    // A process that a valid PID file names was meant to run alone.
    assert!(!has(&report, "orphaned-server"));
}
