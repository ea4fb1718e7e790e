//! State directories and files: watched, and their events removed.

use std::fs;
use std::path::Path;

use preload::Probe;

use crate::*;

#[test]
fn a_watch_on_a_state_directory_never_fires() {
    let dir = dir();
    let state = dir.path().join("state");
    fs::create_dir_all(state.join("deep/er")).unwrap();
    std::os::unix::fs::symlink(&state, dir.path().join("link")).unwrap();
    let pattern = state.display().to_string();
    for named in ["state", "state/deep/er", "link", "state/../link/deep"] {
        let mut probe = Probe::shimmed(&[("WATCHFIX_DROP", &pattern)]);
        let fd = probe.init();
        probe.add(fd, 0x3ff, &dir.path().join(named));
        probe.add(fd, 0x3ff, dir.path());
        for below in ["", "deep", "deep/er"] {
            write(state.join(below).join("f"), "x");
        }
        write(dir.path().join("sentinel"), "x");
        let seen = probe.read(fd);
        assert!(
            seen.iter().all(|s| s.wd == 2 && s.name == "sentinel"),
            "{named}: {seen:?}"
        );
    }
}

#[test]
fn a_pattern_with_two_stars_drops_directories_of_that_name_anywhere() {
    let dir = dir();
    let modules = dir.path().join("a/node_modules/b");
    fs::create_dir_all(&modules).unwrap();
    let mut probe = Probe::shimmed(&[("WATCHFIX_DROP", "**/node_modules")]);
    let fd = probe.init();
    probe.add(fd, IN_CREATE, &modules);
    assert_eq!(probe.masks(fd)[&1], 0);
}

#[test]
fn a_tilde_is_the_home_directory_wherever_it_really_lies() {
    let dir = dir();
    fs::create_dir_all(dir.path().join("real/.codex")).unwrap();
    let home = dir.path().join("home");
    std::os::unix::fs::symlink(dir.path().join("real"), &home).unwrap();
    let variables = [
        ("WATCHFIX_DROP", "~/.codex"),
        ("HOME", home.to_str().unwrap()),
    ];
    let mut probe = Probe::shimmed(&variables);
    let fd = probe.init();
    probe.add(fd, IN_CREATE, &home.join(".codex"));
    assert_eq!(probe.masks(fd)[&1], 0);
}

#[test]
fn a_relative_path_is_compared_as_the_directory_it_names() {
    let dir = dir();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    let mut command = std::process::Command::new(preload::probe_program());
    command
        .current_dir(&state)
        .env("LD_PRELOAD", support::libwatchfix())
        .env("WATCHFIX_DROP", &state);
    let mut probe = Probe::start(&mut command);
    let fd = probe.init();
    probe.add(fd, IN_CREATE, Path::new("."));
    assert_eq!(probe.masks(fd)[&1], 0);
}

#[test]
fn a_muted_watch_is_a_real_watch() {
    let dir = dir();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    let mut probe = Probe::shimmed(&[("WATCHFIX_DROP", state.to_str().unwrap())]);
    let fd = probe.init();
    let wd = probe.add(fd, 0xfff, &state);
    assert_eq!(probe.add(fd, 0xfff, &state), wd, "one inode, one watch");
    assert_eq!(
        probe.masks(fd)[&1],
        libc::IN_DELETE_SELF | libc::IN_MOVE_SELF
    );
    probe.number(&format!("rm {fd} {wd}"));
    let seen = probe.read(fd);
    assert_eq!((seen[0].wd, seen[0].mask), (wd as i32, libc::IN_IGNORED));
    // And its end is reported, if that was asked for.
    let wd = probe.add(fd, 0xfff, &state);
    fs::remove_dir(&state).unwrap();
    let seen: Vec<_> = probe.read(fd).into_iter().map(|s| (s.wd, s.mask)).collect();
    assert_eq!(
        seen,
        [
            (wd as i32, libc::IN_DELETE_SELF),
            (wd as i32, libc::IN_IGNORED)
        ]
    );
}

/// chokidar watches files one by one: those records carry no name.
#[test]
fn a_watch_on_an_ignored_file_is_muted_and_on_such_a_directory_is_not() {
    let dir = dir();
    let (file, state) = (dir.path().join("a.sqlite-wal"), dir.path().join("d.sqlite"));
    write(&file, "x");
    fs::create_dir(&state).unwrap();
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, IN_MODIFY, &file);
    probe.add(fd, IN_MODIFY, &state);
    assert_eq!(probe.masks(fd)[&1], 0);
    assert_eq!(probe.masks(fd)[&2], IN_MODIFY);
    assert_eq!(
        probe
            .ask(&format!("add {fd} 2 {}/none.sqlite", dir.path().display()))
            .1,
        Err("ENOENT".to_owned())
    );
}

/// The inode may be watched under another name that no rule is about.
#[test]
fn muting_one_name_does_not_narrow_another_of_the_same_file() {
    let dir = dir();
    let (file, link) = (dir.path().join("f"), dir.path().join("f.sqlite"));
    write(&file, "x");
    fs::hard_link(&file, &link).unwrap();
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    let wd = probe.add(fd, IN_MODIFY, &file);
    assert_eq!(probe.add(fd, IN_MODIFY, &link), wd);
    write(&file, "y");
    assert_eq!(probe.read(fd)[0].mask, IN_MODIFY);
}

/// With no descriptor left to look with, the watch is placed as if nothing were loaded.
#[test]
fn without_a_free_descriptor_a_drop_rule_lets_the_watch_through() {
    let dir = dir();
    let mut probe = Probe::shimmed(&[("WATCHFIX_DROP", dir.path().to_str().unwrap())]);
    let fd = probe.init();
    probe.number("fill 0");
    probe.add(fd, IN_CREATE, dir.path());
    // One for fdinfo.
    probe.number("close 4");
    assert_eq!(probe.masks(fd)[&1], IN_CREATE);
}
