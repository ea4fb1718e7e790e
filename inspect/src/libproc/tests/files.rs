//! Files: watched, leaked, deleted, replaced.

use super::super::constructed::{File, WRITE_AND_ATTRIB};
use super::{SERVER, WORDS, database, finding, has, only, server};
use crate::model::Severity;

#[test]
fn on_a_constructed_mac_notes_are_kqueues_own_and_attrib_is_not_close_write() {
    let mut mac = server();
    let watched = mac.file(SERVER, &File::made_up("/srv/a.py", 9, 10));
    let idents = |flags| (u64::from(watched.unsigned_abs()), -4i16, flags);
    // An event loop's own: a socket that is read.
    mac.kqueue(SERVER, &[(3, -1, 0)]);
    let fd = mac.kqueue(
        SERVER,
        &[idents(WRITE_AND_ATTRIB), (3, -1, 0x8), idents(0x2)],
    );
    let report = only(&mac);
    let process = &report.process;
    assert!(process.inotify.is_empty());
    let [kqueue] = &process.kqueue[..] else {
        panic!("{:?}", process.kqueue)
    };
    assert_eq!((kqueue.fd, kqueue.watch_count), (fd, 2));
    assert_eq!(
        kqueue.watches[0].path.as_ref().unwrap(),
        &"/srv/a.py".into()
    );
    let wakes = finding(&report, "watch-wakes-on-attrib");
    assert_eq!(wakes.evidence["watches"], 1);
    assert_eq!(wakes.evidence["masks"][0]["mask"], "0xa");
    assert_eq!(wakes.evidence["masks"][0]["events"][1], "attrib");
    assert!(!has(&report, "watch-wakes-on-read"));
    // The library judges them.
    let library = ["DYLD_INSERT_LIBRARIES=/x/libwatchfix.dylib", "SECRET=1"];
    mac.started_with(SERVER, WORDS, &library);
    let report = only(&mac);
    assert!(!has(&report, "watch-wakes-on-attrib"));
    assert_eq!(report.process.preload.mapped, Some(true));
    // Unless it was told to let chmod pass.
    let rules = [library[0], "WATCHFIX_STRIP=none"];
    mac.started_with(SERVER, WORDS, &rules);
    assert!(has(&only(&mac), "watch-wakes-on-attrib"));
}

#[test]
fn on_a_constructed_mac_files_leak_and_deleted_ones_hold_space() {
    let mut mac = server();
    for n in 0..130 {
        let path = format!("/srv/sessions/{n}.jsonl");
        mac.file(SERVER, &File::made_up(&path, 1000 + n, 100));
    }
    let gone = File {
        links: 0,
        ..File::made_up("/srv/old.log", 7, 90 << 20)
    };
    mac.file(SERVER, &gone);
    let report = only(&mac);
    let leak = finding(&report, "file-handle-leak");
    assert_eq!(leak.evidence["pattern"], "*.jsonl");
    assert_eq!(leak.evidence["soft_limit"], serde_json::Value::Null);
    let held = finding(&report, "deleted-file-held");
    assert_eq!(held.severity, Severity::Warning);
    assert_eq!(held.evidence["bytes"], 90 << 20);
    assert!(!held.message.contains("/proc"), "{}", held.message);
}

#[test]
fn on_a_constructed_mac_an_unlinked_log_has_no_command_that_cannot_run() {
    let mut mac = server();
    mac.file(SERVER, &File::made_up("/srv/state.db", 5, 4096));
    let wal = File {
        links: 0,
        ..File::made_up("/srv/state.db-wal", 6, 4096)
    };
    mac.file(SERVER, &wal);
    let report = only(&mac);
    let lost = finding(&report, "sqlite-wal-deleted");
    assert_eq!((lost.severity, &lost.remedy), (Severity::Critical, &None));
    assert!(
        lost.message.contains("let the process itself"),
        "{}",
        lost.message
    );
}

#[test]
fn on_a_constructed_mac_a_file_that_was_replaced_is_not_read_for_the_open_one() {
    let directory = tempfile::tempdir().unwrap();
    let _writer = database(directory.path());
    let mut mac = server();
    let real = directory.path().join("state.db-shm");
    let other = File {
        inode: 1,
        ..File::real(&real)
    };
    mac.file(SERVER, &File::real(&directory.path().join("state.db")));
    mac.file(SERVER, &other);
    let report = only(&mac);
    let wal = report.process.sqlite[0].wal.as_ref().unwrap();
    assert_eq!(wal.frames, None);
}
