//! What a program reads.

use std::fs;

use preload::{Probe, filler};

use crate::*;

/// What a program that asked for `mask` reads after `act`, a sentinel's creation excluded.
fn after(
    variables: &[(&str, &str)],
    mask: u32,
    act: impl FnOnce(&std::path::Path),
) -> Vec<(u32, String)> {
    let dir = dir();
    let file = dir.path().join("f");
    write(&file, "x");
    age(&file);
    let mut probe = Probe::shimmed(variables);
    let fd = probe.init();
    probe.add(fd, mask, dir.path());
    act(&file);
    // Always noticed: what is not read before it did not happen.
    fs::create_dir(dir.path().join("sentinel")).unwrap();
    let mut events = probe.events(fd);
    assert_eq!(
        events.pop(),
        Some((IN_CREATE | libc::IN_ISDIR, "sentinel".to_owned()))
    );
    events
}

fn f(mask: u32) -> (u32, String) {
    (mask, "f".to_owned())
}

/// Every event.
const ALL: u32 = 0xfff;
/// What node asks for.
const NODE: u32 = 0xfc6;

#[test]
fn reads_and_attribute_changes_are_not_seen() {
    for mask in [ALL, NODE, 0x3ee] {
        assert_eq!(after(&[], mask, look_at), []);
        assert_eq!(after(&[], mask, chmod), []);
    }
}

#[test]
fn touch_is_seen_as_attrib() {
    assert_eq!(after(&[], NODE, touch), [f(IN_ATTRIB)]);
    assert_eq!(after(&[], ALL, touch), [f(IN_ATTRIB), f(IN_CLOSE_WRITE)]);
    assert_eq!(after(&[], IN_ATTRIB | IN_CREATE, touch), [f(IN_ATTRIB)]);
}

#[test]
fn a_write_is_seen_as_what_was_asked_for() {
    let write = |path: &std::path::Path| write(path, "y");
    // Truncated, then written: equal events at the queue's end are one.
    assert_eq!(after(&[], NODE, write), [f(IN_MODIFY)]);
    assert_eq!(after(&[], ALL, write), [f(IN_MODIFY), f(IN_CLOSE_WRITE)]);
    assert_eq!(
        after(&[], IN_CLOSE_WRITE | IN_CREATE, write),
        [f(IN_CLOSE_WRITE)]
    );
    assert_eq!(after(&[], IN_ATTRIB | IN_CREATE, write), []);
}

#[test]
fn create_rename_and_delete_are_reported_as_before() {
    let act = |path: &std::path::Path| {
        let other = path.with_file_name("g");
        fs::rename(path, &other).unwrap();
        fs::remove_file(&other).unwrap();
        fs::create_dir(path.with_file_name("d")).unwrap();
    };
    let g = |mask| (mask, "g".to_owned());
    assert_eq!(
        after(&[], NODE, act),
        [
            f(libc::IN_MOVED_FROM),
            g(libc::IN_MOVED_TO),
            g(IN_DELETE),
            (IN_CREATE | libc::IN_ISDIR, "d".to_owned())
        ]
    );
}

#[test]
fn names_of_databases_are_not_seen_and_their_neighbours_are() {
    let act = |path: &std::path::Path| {
        for name in [
            "a.sqlite",
            "a.sqlite-wal",
            "a.sqlite-shm",
            "a.db-journal",
            "a.sqlite3",
        ] {
            write(path.with_file_name(name), "x");
        }
        fs::create_dir(path.with_file_name("dir.sqlite")).unwrap();
        write(path, "y");
    };
    assert_eq!(
        after(&[], NODE, act),
        [
            (IN_CREATE | libc::IN_ISDIR, "dir.sqlite".to_owned()),
            f(IN_MODIFY)
        ]
    );
    let own = after(&[("WATCHFIX_IGNORE", "f:*.db-*")], NODE, act);
    assert!(own.iter().any(|(_, name)| name == "a.sqlite"));
    assert!(
        own.iter()
            .all(|(_, name)| name != "f" && name != "a.db-journal")
    );
}

#[test]
fn when_nothing_is_left_a_record_everybody_skips_is() {
    let dir = dir();
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, ALL, dir.path());
    write(dir.path().join("a.sqlite"), "x");
    assert_eq!(probe.read(fd), filler(true));
    assert_eq!(probe.read_as(fd, 4096, "read").1, Err("EAGAIN".to_owned()));
}

#[test]
fn every_way_to_read_is_filtered() {
    for how in [
        "read",
        "__read",
        "__read_chk",
        "syscall",
        "syscall-readv",
        "readv4096",
        "readv64",
        "readv32",
    ] {
        let dir = dir();
        let mut probe = Probe::shimmed(&[]);
        let fd = probe.init();
        probe.add(fd, IN_CREATE, dir.path());
        for name in ["a", "b.sqlite", "c", "d.sqlite", "e.sqlite", "f"] {
            write(dir.path().join(name), "x");
        }
        let mut names = Vec::new();
        loop {
            let (seen, outcome) = probe.read_as(fd, 4096, how);
            match outcome {
                Ok(n) => assert!(n >= 16, "{how}: {n}"),
                Err(errno) => {
                    assert_eq!(errno, "EAGAIN", "{how}");
                    break;
                }
            }
            // Between full parts of a readv a gap is filled, not closed.
            names.extend(seen.into_iter().filter(|s| s.wd != -1).map(|s| s.name));
        }
        assert_eq!(names, ["a", "c", "f"], "{how}");
    }
}

#[test]
fn a_buffer_for_one_record_gets_one_record_at_a_time() {
    let dir = dir();
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, ALL, dir.path());
    // The kernel merges equal events at the queue's end: another stands between the two closes.
    write(dir.path().join("f"), "x");
    write(dir.path().join("a.sqlite"), "x");
    touch(&dir.path().join("f"));
    assert_eq!(probe.read_as(fd, 16, "read").1, Err("EINVAL".to_owned()));
    let mut masks = Vec::new();
    while let (seen, Ok(n)) = probe.read_as(fd, 32, "read") {
        assert_eq!(n, 32, "a full buffer stays full");
        masks.extend(seen.into_iter().filter(|s| s.wd != -1).map(|s| s.mask));
    }
    assert_eq!(
        masks,
        [
            IN_CREATE,
            IN_MODIFY,
            IN_CLOSE_WRITE,
            IN_ATTRIB,
            IN_CLOSE_WRITE
        ]
    );
}

/// A queue that overflowed says so, whatever the rules.
#[test]
fn an_overflow_is_passed_on() {
    let dir = dir();
    let limit: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, IN_MODIFY, dir.path());
    let mut files: Vec<_> = ["a.sqlite", "b.sqlite"]
        .iter()
        .map(|name| fs::File::create(dir.path().join(name)).unwrap())
        .collect();
    for i in 0..limit + 10 {
        use std::io::Write;
        files[i % 2].write_all(b"x").unwrap();
    }
    let mut last = Vec::new();
    while let (seen, Ok(_)) = probe.read_as(fd, 1 << 20, "read") {
        last = seen;
    }
    assert_eq!(last.len(), 1);
    assert_eq!((last[0].wd, last[0].mask), (-1, libc::IN_Q_OVERFLOW));
}

#[test]
fn what_a_watch_did_not_ask_for_is_not_seen_beside_one_that_did() {
    let (one, two) = (dir(), dir());
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, IN_MODIFY | IN_ATTRIB, one.path());
    probe.add(fd, IN_CLOSE_WRITE, two.path());
    let both = |act: fn(&std::path::Path)| {
        act(&one.path().join("f"));
        act(&two.path().join("f"));
    };
    both(|path| write(path, "x"));
    both(touch);
    let seen: Vec<_> = probe.read(fd).into_iter().map(|s| (s.wd, s.mask)).collect();
    assert_eq!(
        seen,
        [
            (1, IN_MODIFY),
            (2, IN_CLOSE_WRITE),
            (1, IN_ATTRIB),
            (2, IN_CLOSE_WRITE)
        ]
    );
}
