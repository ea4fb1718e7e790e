//! An inotify descriptor is known by what is read from it, wherever it came from.

use preload::{Probe, filler};

use crate::*;

/// Reads through the descriptor that `moved` makes of the first: an ignored name must not be seen.
fn filtered_after(known: bool, moved: impl FnOnce(&mut Probe, i64) -> i64) {
    let dir = dir();
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.number("init 0x800");
    probe.add(fd, IN_CREATE, dir.path());
    write(dir.path().join("a.sqlite"), "x");
    let fd = moved(&mut probe, fd);
    assert_eq!(probe.read(fd), filler(known));
    write(dir.path().join("b"), "x");
    assert_eq!(probe.events(fd), [(IN_CREATE, "b".to_owned())]);
}

#[test]
fn after_dup() {
    filtered_after(false, |probe, fd| {
        let copy = probe.number(&format!("dup {fd}"));
        probe.number(&format!("close {fd}"));
        copy
    });
}

#[test]
fn after_fork() {
    filtered_after(true, |probe, fd| {
        probe.number("fork");
        fd
    });
}

#[test]
fn after_exec() {
    filtered_after(false, |probe, fd| {
        probe.0.send("exec");
        probe.0.line_with("READY");
        fd
    });
}

#[test]
fn after_being_passed_over_a_socket() {
    filtered_after(false, |probe, fd| probe.number(&format!("pass {fd}")));
}

#[test]
fn touch_stays_visible_through_a_duplicate() {
    let dir = dir();
    write(dir.path().join("f"), "x");
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, 0xfc6, dir.path());
    let copy = probe.number(&format!("dup {fd}"));
    touch(&dir.path().join("f"));
    assert_eq!(probe.events(copy), [(IN_ATTRIB, "f".to_owned())]);
}

/// A watch placed by libc's own symbol (pyinotify does) keeps its mask; the records are filtered.
#[test]
fn a_watch_placed_unseen_is_filtered_by_its_records() {
    let dir = dir();
    let file = dir.path().join("f");
    write(&file, "x");
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    // The descriptor's other end: a bare process with the same instance.
    let pid = probe.0.pid();
    let placed = std::process::Command::new("python3")
        .args([
            "-c",
            "import ctypes, os, sys
libc = ctypes.CDLL('libc.so.6')
pidfd = libc.syscall(434, int(sys.argv[1]), 0)
fd = libc.syscall(438, pidfd, int(sys.argv[2]), 0)
sys.exit(libc.inotify_add_watch(fd, os.fsencode(sys.argv[3]), 0xfff) != 1)",
            &pid.to_string(),
            &fd.to_string(),
        ])
        .arg(dir.path())
        .status();
    if !placed.as_ref().is_ok_and(|status| status.success()) {
        return support::skip(&format!("python3 with pidfd_getfd is needed: {placed:?}"));
    }
    assert_eq!(probe.masks(fd)[&1], 0xfff);
    look_at(&file);
    chmod(&file);
    touch(&file);
    write(&file, "y");
    let f = |mask| (mask, "f".to_owned());
    assert_eq!(
        probe.events(fd),
        [
            // The chmod: where the watch stands is not known, so its files are not asked.
            f(IN_ATTRIB),
            f(IN_ATTRIB),
            f(IN_CLOSE_WRITE),
            f(IN_MODIFY),
            f(IN_CLOSE_WRITE)
        ]
    );
}
