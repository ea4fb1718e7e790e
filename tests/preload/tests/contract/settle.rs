//! Directories that settle: a file is reported when its writer closes it.

use std::fs;
use std::io::Write;
use std::path::Path;

use preload::{Probe, Seen};

use crate::*;

/// A probe for which `dir` settles, with a watch on it.
fn settled(dir: &Path, mask: u32) -> (Probe, i64) {
    let mut probe = Probe::shimmed(&[("WATCHFIX_SETTLE", dir.to_str().unwrap())]);
    let fd = probe.init();
    assert_eq!(probe.add(fd, mask, dir), 1);
    (probe, fd)
}

fn f(mask: u32) -> (u32, String) {
    (mask, "f".to_owned())
}

fn masks(seen: Vec<Seen>) -> Vec<u32> {
    seen.into_iter().map(|s| s.mask).collect()
}

#[test]
fn modify_gives_way_to_close_write_in_the_directory_and_below_it() {
    let dir = dir();
    let state = dir.path().join("state");
    fs::create_dir_all(state.join("deep")).unwrap();
    write(state.join("file"), "x");
    std::os::unix::fs::symlink(&state, dir.path().join("link")).unwrap();
    let mut probe = Probe::shimmed(&[("WATCHFIX_SETTLE", state.to_str().unwrap())]);
    for (path, mask) in [
        ("state", 0xfcc),
        ("state/deep", 0xfcc),
        ("state/file", 0xfcc),
        ("link/deep", 0xfcc),
        ("", 0xfce),
    ] {
        let fd = probe.init();
        probe.add(fd, 0xfee, &dir.path().join(path));
        assert_eq!(probe.masks(fd)[&1], mask, "{path}");
    }
}

#[test]
fn a_file_is_reported_when_its_writer_closes_it_and_not_before() {
    let dir = dir();
    let (mut probe, fd) = settled(dir.path(), 0xfc6);
    let mut log = fs::File::create(dir.path().join("log")).unwrap();
    log.write_all(b"one").unwrap();
    write(dir.path().join("f"), "x");
    log.write_all(b"two").unwrap();
    assert_eq!(
        probe.events(fd),
        [(IN_CREATE, "log".to_owned()), f(IN_CREATE), f(IN_MODIFY)]
    );
}

#[test]
fn who_asked_for_close_write_gets_it_after_modify() {
    let dir = dir();
    let (mut probe, fd) = settled(dir.path(), 0xfff);
    write(dir.path().join("f"), "x");
    assert_eq!(
        probe.events(fd),
        [f(IN_CREATE), f(IN_MODIFY), f(IN_CLOSE_WRITE)]
    );
}

#[test]
fn a_touch_is_reported_as_before() {
    let dir = dir();
    write(dir.path().join("f"), "x");
    let (mut probe, fd) = settled(dir.path(), 0xfc6);
    touch(&dir.path().join("f"));
    // The touch opened the file for writing and closed it.
    assert_eq!(probe.events(fd), [f(IN_ATTRIB), f(IN_MODIFY)]);
}

#[test]
fn a_watch_without_modify_is_not_changed_by_it() {
    let dir = dir();
    write(dir.path().join("f"), "x");
    let (mut probe, fd) = settled(dir.path(), IN_ATTRIB);
    assert_eq!(probe.masks(fd)[&1], IN_ATTRIB);
    touch(&dir.path().join("f"));
    assert_eq!(probe.events(fd), [f(IN_ATTRIB)]);
}

#[test]
fn a_one_shot_watch_fires_once() {
    let dir = dir();
    write(dir.path().join("f"), "x");
    let (mut probe, fd) = settled(dir.path(), IN_MODIFY | IN_CLOSE_WRITE | libc::IN_ONESHOT);
    write(dir.path().join("f"), "y");
    assert_eq!(masks(probe.read(fd)), [IN_MODIFY, libc::IN_IGNORED]);
}

#[test]
fn a_mask_that_is_added_keeps_it_settled() {
    let dir = dir();
    write(dir.path().join("f"), "x");
    let (mut probe, fd) = settled(dir.path(), IN_MODIFY);
    probe.add(fd, IN_CLOSE_WRITE | libc::IN_MASK_ADD, dir.path());
    assert_eq!(probe.masks(fd)[&1], IN_CLOSE_WRITE);
    write(dir.path().join("f"), "y");
    assert_eq!(masks(probe.read(fd)), [IN_MODIFY, IN_CLOSE_WRITE]);
}

#[test]
fn a_mask_that_replaces_it_ends_it() {
    let dir = dir();
    write(dir.path().join("f"), "x");
    let (mut probe, fd) = settled(dir.path(), IN_MODIFY);
    probe.add(fd, IN_CLOSE_WRITE, dir.path());
    write(dir.path().join("f"), "y");
    assert_eq!(masks(probe.read(fd)), [IN_CLOSE_WRITE]);
}

/// One record of 32 bytes, and room for no other.
#[test]
fn without_room_for_two_records_there_is_the_modify() {
    let dir = dir();
    write(dir.path().join("f"), "x");
    let (mut probe, fd) = settled(dir.path(), IN_MODIFY | IN_CLOSE_WRITE);
    write(dir.path().join("f"), "y");
    let (seen, n) = probe.read_as(fd, 32, "read");
    assert_eq!((masks(seen), n), (vec![IN_MODIFY], Ok(32)));
}

#[test]
fn a_write_is_seen_through_a_duplicate() {
    let (one, two) = (dir(), dir());
    let (mut probe, fd) = settled(one.path(), IN_MODIFY);
    // A watch that does not settle, so that the descriptor alone does not tell.
    probe.add(fd, IN_MODIFY, two.path());
    let copy = probe.number(&format!("dup {fd}"));
    write(one.path().join("f"), "y");
    write(two.path().join("g"), "y");
    assert_eq!(
        probe.events(copy),
        [f(IN_MODIFY), (IN_MODIFY, "g".to_owned())]
    );
}

#[test]
fn a_stripped_close_write_still_stands_in_for_modify() {
    let dir = dir();
    write(dir.path().join("f"), "x");
    let mut probe = Probe::shimmed(&[
        ("WATCHFIX_SETTLE", dir.path().to_str().unwrap()),
        ("WATCHFIX_STRIP", "+close_write"),
    ]);
    let fd = probe.init();
    probe.add(fd, 0xfff, dir.path());
    assert_eq!(probe.masks(fd)[&1], 0xfcc);
    write(dir.path().join("f"), "y");
    assert_eq!(probe.events(fd), [f(IN_MODIFY)]);
}

#[test]
fn a_dropped_directory_is_muted_though_it_settles() {
    let dir = dir();
    let path = dir.path().to_str().unwrap();
    let mut probe = Probe::shimmed(&[("WATCHFIX_SETTLE", path), ("WATCHFIX_DROP", path)]);
    let fd = probe.init();
    probe.add(fd, IN_MODIFY, dir.path());
    assert_eq!(probe.masks(fd)[&1], 0);
}

#[test]
fn the_log_says_what_settles() {
    let dir = dir();
    let watched = dir.path().join("w");
    let log = dir.path().join("log");
    fs::create_dir(&watched).unwrap();
    let mut probe = Probe::shimmed(&[
        ("WATCHFIX_SETTLE", watched.to_str().unwrap()),
        ("WATCHFIX_LOG", log.to_str().unwrap()),
    ]);
    let fd = probe.init();
    probe.add(fd, IN_MODIFY, &watched);
    write(watched.join("f"), "x");
    probe.read(fd);
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text
        .lines()
        .map(|l| l.split_once(": ").unwrap().1)
        .collect();
    assert_eq!(
        lines,
        [
            format!(
                "inotify_add_watch({fd}, \"{}\"): mask 0x2 -> 0x8, settled by WATCHFIX_SETTLE",
                watched.display()
            ),
            format!("fd {fd} wd 1: close_write \"f\" is modify: settled"),
        ]
    );
}
