//! `WATCHFIX_MAX_WATCHES`: past the budget a watch costs the kernel nothing and never fires.

use std::fs;
use std::path::{Path, PathBuf};

use preload::{Outcome, Probe};

use crate::*;

/// The first invented watch descriptor.
const INVENTED: i64 = 0x4000_0000;

/// A directory with subdirectories `0` to `9`.
fn tree() -> tempfile::TempDir {
    let dir = dir();
    for i in 0..10 {
        fs::create_dir(dir.path().join(i.to_string())).unwrap();
    }
    dir
}

fn limited(max: &str) -> Probe {
    Probe::shimmed(&[("WATCHFIX_MAX_WATCHES", max)])
}

fn add(probe: &mut Probe, fd: i64, dir: &tempfile::TempDir, name: usize) -> i64 {
    probe.add(fd, IN_CREATE, &dir.path().join(name.to_string()))
}

fn outcome(probe: &mut Probe, call: &str) -> Outcome {
    probe.ask(call).1
}

#[test]
fn the_kernel_has_no_more_watches_than_that_and_they_work() {
    let dir = tree();
    let mut probe = limited("3");
    let fd = probe.init();
    let wds: Vec<_> = (0..10).map(|i| add(&mut probe, fd, &dir, i)).collect();
    assert_eq!(wds[..3], [1, 2, 3]);
    let mut invented = wds[3..].to_vec();
    assert!(invented.iter().all(|wd| *wd >= INVENTED));
    invented.sort_unstable();
    invented.dedup();
    assert_eq!(invented.len(), 7, "each is of its own: {wds:?}");
    assert_eq!(probe.masks(fd).len(), 3);
    for i in (0..10).rev() {
        write(dir.path().join(format!("{i}/f{i}")), "x");
    }
    let names: Vec<_> = probe.events(fd).into_iter().map(|e| e.1).collect();
    assert_eq!(names, ["f2", "f1", "f0"]);
}

#[test]
fn an_invented_watch_is_removed_once() {
    let dir = tree();
    let mut probe = limited("0");
    let fd = probe.init();
    let other = probe.init();
    let wd = add(&mut probe, fd, &dir, 0);
    assert!(wd >= INVENTED);
    let einval = Err("EINVAL".to_owned());
    assert_eq!(outcome(&mut probe, &format!("rm {other} {wd}")), einval);
    assert_eq!(outcome(&mut probe, &format!("rm {fd} {wd}")), Ok(0));
    assert_eq!(outcome(&mut probe, &format!("rm {fd} {wd}")), einval);
    assert_eq!(
        outcome(&mut probe, &format!("rm 99 {wd}")),
        Err("EBADF".to_owned())
    );
}

#[test]
fn the_same_inode_has_the_same_watch_within_the_budget_and_past_it() {
    let dir = tree();
    std::os::unix::fs::symlink(dir.path().join("1"), dir.path().join("link")).unwrap();
    let mut probe = limited("1");
    let fd = probe.init();
    let wd = add(&mut probe, fd, &dir, 0);
    let invented = add(&mut probe, fd, &dir, 1);
    assert!(wd == 1 && invented >= INVENTED);
    // The kernel is asked: the mask is a new one.
    assert_eq!(probe.add(fd, IN_DELETE, &dir.path().join("0")), wd);
    assert_eq!(probe.masks(fd)[&1], IN_DELETE);
    for name in ["1", "link", "0/../1"] {
        assert_eq!(probe.add(fd, IN_DELETE, &dir.path().join(name)), invented);
    }
    let create = IN_CREATE | libc::IN_MASK_CREATE;
    for name in ["0", "1"] {
        let call = format!("add {fd} {create:#x} {}/{name}", dir.path().display());
        assert_eq!(outcome(&mut probe, &call), Err("EEXIST".to_owned()));
    }
}

#[test]
fn a_removed_watch_makes_room() {
    let dir = tree();
    let mut probe = limited("1");
    let fd = probe.init();
    assert_eq!(add(&mut probe, fd, &dir, 0), 1);
    assert!(add(&mut probe, fd, &dir, 1) >= INVENTED);
    probe.number(&format!("syscall-rm {fd} 1"));
    assert_eq!(add(&mut probe, fd, &dir, 2), 2);
    // Its end is reported, and counts once.
    assert_eq!(probe.read(fd)[0].mask, libc::IN_IGNORED);
    assert!(add(&mut probe, fd, &dir, 0) >= INVENTED);
    assert_eq!(probe.masks(fd).len(), 1);
}

#[test]
fn a_deleted_directory_makes_room() {
    let dir = tree();
    let mut probe = limited("1");
    let fd = probe.init();
    add(&mut probe, fd, &dir, 0);
    fs::remove_dir(dir.path().join("0")).unwrap();
    assert_eq!(probe.read(fd)[0].mask, libc::IN_IGNORED);
    assert_eq!(add(&mut probe, fd, &dir, 1), 2);
    assert!(add(&mut probe, fd, &dir, 2) >= INVENTED);
}

/// A program that learns of the end of a directory only from the one above it, which may be past the budget.
#[test]
fn past_the_budget_a_watch_that_went_by_itself_is_removed_without_a_word() {
    let dir = tree();
    for (max, outcome_of_rm) in [("1", Ok(0)), ("5", Err("EINVAL".to_owned()))] {
        let mut probe = limited(max);
        let fd = probe.init();
        fs::create_dir_all(dir.path().join("0")).unwrap();
        add(&mut probe, fd, &dir, 0);
        add(&mut probe, fd, &dir, 1);
        fs::remove_dir(dir.path().join("0")).unwrap();
        for (call, outcome_of_call) in [
            (format!("rm {fd} 1"), outcome_of_rm),
            (format!("rm {fd} 0"), Err("EINVAL".to_owned())),
            ("rm 0 1".to_owned(), Err("EINVAL".to_owned())),
            ("rm 99 1".to_owned(), Err("EBADF".to_owned())),
        ] {
            assert_eq!(outcome(&mut probe, &call), outcome_of_call, "{call}");
        }
    }
}

#[test]
fn a_closed_instance_makes_room() {
    let dir = tree();
    let mut probe = limited("2");
    let (one, two) = (probe.init(), probe.init());
    add(&mut probe, one, &dir, 0);
    add(&mut probe, one, &dir, 1);
    assert!(add(&mut probe, two, &dir, 2) >= INVENTED);
    probe.number(&format!("close {one}"));
    assert_eq!(add(&mut probe, two, &dir, 3), 1);
    // Its number may be another instance's now.
    assert_eq!(probe.init(), one);
    assert_eq!(add(&mut probe, one, &dir, 0), 1);
    assert!(add(&mut probe, one, &dir, 4) >= INVENTED);
    assert_eq!((probe.masks(one).len(), probe.masks(two).len()), (1, 1));
}

#[test]
fn a_child_has_what_its_parent_left() {
    let dir = tree();
    let mut probe = limited("2");
    let fd = probe.init();
    add(&mut probe, fd, &dir, 0);
    probe.number("fork");
    assert_eq!(add(&mut probe, fd, &dir, 1), 2);
    assert!(add(&mut probe, fd, &dir, 2) >= INVENTED);
}

/// The calls that fail, and what they say: as the kernel would, though it is not to be asked.
#[test]
fn errors_are_the_kernel_s() {
    let dir = tree();
    let path = dir.path();
    write(path.join("file"), "x");
    std::os::unix::fs::symlink("nowhere", path.join("broken")).unwrap();
    let closed = path.join("closed");
    fs::create_dir(&closed).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o333)).unwrap();
    let dir = path.display();
    let calls = [
        format!("add 3 {IN_CREATE:#x} {dir}/none"),
        format!("add 3 {IN_CREATE:#x} {dir}/broken"),
        format!("add 3 {IN_CREATE:#x} {dir}/closed"),
        format!("add 3 {IN_CREATE:#x} {dir}/file/none"),
        format!("add 3 {:#x} {dir}/file", IN_MODIFY | libc::IN_ONLYDIR),
        format!("add 99 {IN_CREATE:#x} {dir}"),
        format!("add 0 {IN_CREATE:#x} {dir}"),
        format!(
            "add 3 {:#x} {dir}",
            IN_CREATE | libc::IN_MASK_ADD | libc::IN_MASK_CREATE
        ),
        format!("add 3 {:#x} {dir}", IN_CREATE | 0x0010_0000),
        format!("add 3 0 {dir}"),
        "add-null 3".to_owned(),
        "rm 3 77".to_owned(),
        format!("rm 3 {INVENTED}"),
        format!("syscall-rm 99 {INVENTED}"),
    ];
    let so = path.join("libwatchfix.so");
    fs::copy(support::libwatchfix(), &so).unwrap();
    let all = |shimmed: bool| {
        let mut command = as_nobody(&preload::probe_program());
        if shimmed {
            command.env("LD_PRELOAD", &so);
            command.env("WATCHFIX_MAX_WATCHES", "0");
        }
        let mut probe = Probe::start(&mut command);
        assert_eq!(probe.init(), 3);
        let outcomes: Vec<_> = calls.iter().map(|c| (c, probe.ask(c).1)).collect();
        // Else nothing was past the budget.
        let wd = probe.add(3, IN_CREATE, path);
        assert_eq!(wd >= INVENTED, shimmed);
        outcomes
    };
    assert_eq!(all(true), all(false));
}

/// Root may read everything.
fn as_nobody(program: &Path) -> std::process::Command {
    if !support::is_root() {
        return std::process::Command::new(program);
    }
    support::as_user(65534, program)
}

#[test]
fn the_log_says_once_that_the_budget_is_used_up() {
    let dir = tree();
    let log: PathBuf = dir.path().join("log");
    let mut probe = Probe::shimmed(&[
        ("WATCHFIX_MAX_WATCHES", "2"),
        ("WATCHFIX_LOG", log.to_str().unwrap()),
    ]);
    let fd = probe.init();
    for i in 0..10 {
        add(&mut probe, fd, &dir, i);
    }
    let text = fs::read_to_string(&log).unwrap();
    let wanted = format!(
        ": all 2 watches of WATCHFIX_MAX_WATCHES are used up: from \"{}/2\" on a new watch never fires\n",
        dir.path().display()
    );
    assert!(
        text.ends_with(&wanted) && text.lines().count() == 1,
        "{text}"
    );
}
