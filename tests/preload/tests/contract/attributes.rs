//! Attribute changes, beside bare: a touch and the end of a file are seen, anything else is not, and nothing is
//! seen that bare does not see.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use preload::Probe;

use crate::*;

/// What node asks for, less what only a directory has.
const MASK: u32 = IN_MODIFY | IN_ATTRIB | libc::IN_DELETE_SELF | libc::IN_MOVE_SELF;

/// Something done to `f` in a directory, by a shell in it. `old` is a file of the same content.
type Act<'a> = (&'a str, &'a str);

/// Changes that are reported without the library, and must be with it.
const HEARD: &[Act<'_>] = &[
    ("touch", "touch f"),
    ("touch without creating", "touch -c f"),
    ("touch of the access time", "touch -a f"),
    ("touch of a link", "touch -h link"),
    ("busybox touch", "busybox touch f"),
    (
        "python touch",
        "python3 -c 'import pathlib; pathlib.Path(\"f\").touch()'",
    ),
    ("python utime", "python3 -c 'import os; os.utime(\"f\")'"),
    ("perl utime", "perl -e 'utime(undef, undef, \"f\")'"),
    ("touch of a directory", "touch d"),
    ("a time in the future", "touch -d 2100-01-01 f"),
    ("a lock file that is opened and closed", ": >>f"),
    ("a new empty file", ": >new"),
    ("a write", "echo x >>f"),
    ("a rename over it", "mv old f"),
    (
        "a rename over it while it is open",
        "exec 3<f; mv old f; exec 3<&-",
    ),
    (
        "a rename over it while it has a second link",
        "ln f second; mv old f",
    ),
    ("an unlink while it is open", "exec 3<f; rm f; exec 3<&-"),
    (
        "a file that is written, renamed and then closed",
        "exec 3>t; echo x >&3; mv t f; exec 3>&-",
    ),
    ("a copy over it", "touch old; cp -p old f"),
];

/// Changes that are reported as ATTRIB without the library, and removed by it.
const SILENT: &[Act<'_>] = &[
    ("chmod", "chmod 600 f"),
    ("chown", "chown 1:1 f"),
    ("a second link", "ln f second"),
    ("chmod of a directory", "chmod 700 d"),
    ("the unlink of another link", "ln f second; rm second"),
];

/// A directory with the files of an act, all of them old.
fn stage() -> tempfile::TempDir {
    let dir = dir();
    let path = |name: &str| dir.path().join(name);
    for name in ["f", "old"] {
        write(path(name), "x");
        age(&path(name));
    }
    symlink("f", path("link")).unwrap();
    age_link(&path("link"));
    fs::create_dir(path("d")).unwrap();
    age(&path("d"));
    age(dir.path());
    dir
}

/// As [`age`], of the link itself.
fn age_link(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let long_ago = libc::timespec {
        tv_sec: 1_000_000_000,
        tv_nsec: 0,
    };
    // SAFETY: the path is NUL-terminated and there are two times.
    let r = unsafe {
        libc::utimensat(
            libc::AT_FDCWD,
            path.as_ptr(),
            [long_ago; 2].as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
        )
    };
    assert_eq!(r, 0);
}

fn act(dir: &Path, script: &str) {
    let status = Command::new("sh")
        .args(["-ec", script])
        .current_dir(dir)
        .env_remove("LD_PRELOAD")
        .status()
        .unwrap();
    assert!(status.success(), "{script}: {status}");
}

/// The records, but for those of reads, that a program gets of an act: one instance for the directory and one for the
/// file.
fn heard(mut probe: Probe, script: &str) -> Vec<(u32, String)> {
    let dir = stage();
    let entries = probe.init();
    probe.add(entries, 0xfc6, dir.path());
    let file = probe.init();
    probe.add(file, MASK, &dir.path().join("f"));
    act(dir.path(), script);
    // Something that is always seen ends each queue.
    fs::create_dir(dir.path().join("sentinel")).unwrap();
    let mut all = probe.events(entries);
    all.retain(|(_, name)| name != "sentinel");
    if probe.number(&format!("ready {file}")) > 0 {
        all.extend(probe.events(file));
    }
    all.retain(|&(mask, _)| mask != 0);
    all
}

/// True if a tool is missing that an act needs.
fn cannot(script: &str) -> bool {
    let tool = script.split(' ').next().unwrap();
    let missing = ["busybox", "perl", "python3"].contains(&tool)
        && Command::new(tool).arg("-h").output().is_err();
    if missing {
        support::skip(&format!("{tool} is not installed"));
    }
    missing
}

#[test]
fn an_event_is_reported_exactly_where_it_is_without_the_library() {
    for (what, script) in HEARD {
        if cannot(script) {
            continue;
        }
        let bare = heard(Probe::bare(), script);
        assert_eq!(heard(Probe::shimmed(&[]), script), bare, "{what}");
    }
}

#[test]
fn attribute_changes_that_are_neither_a_touch_nor_an_end_are_ignored() {
    for (what, script) in SILENT {
        let attrib = |(mask, _): &(u32, String)| mask & IN_ATTRIB != 0;
        let mut bare = heard(Probe::bare(), script);
        assert!(bare.iter().any(attrib), "{what}: {bare:?}");
        bare.retain(|event| !attrib(event));
        assert_eq!(heard(Probe::shimmed(&[]), script), bare, "{what}");
    }
}

/// `attrib` takes the bit itself, so a touch is not reported.
#[test]
fn without_the_bit_there_is_nothing_to_ask() {
    let probe = Probe::shimmed(&[("WATCHFIX_STRIP", "+attrib")]);
    assert_eq!(heard(probe, "touch -c f; chmod 600 f"), []);
    let probe = Probe::shimmed(&[("WATCHFIX_STRIP", "open")]);
    assert_eq!(
        heard(probe, "chmod 600 f"),
        heard(Probe::bare(), "chmod 600 f")
    );
}

/// An executable that runs cannot be written, so it is always replaced.
#[test]
fn replacing_a_running_program_is_reported() {
    let heard = |mut probe: Probe| {
        let dir = stage();
        let program = dir.path().join("f");
        support::install(Path::new("/bin/sleep"), &program);
        age(&program);
        let mut running = Command::new(&program).arg("1000").spawn().unwrap();
        let fd = probe.init();
        probe.add(fd, MASK, &program);
        act(dir.path(), "mv old f");
        let events = probe.events(fd);
        running.kill().unwrap();
        running.wait().unwrap();
        events
    };
    assert_eq!(heard(Probe::shimmed(&[])), heard(Probe::bare()));
}

/// The ways a path may be given: each is found again when the file is asked.
#[test]
fn a_watch_is_found_again_however_its_path_was_given() {
    let dir = stage();
    symlink(dir.path(), dir.path().join("d/up")).unwrap();
    let root = dir.path().display();
    let deep = format!("{root}{}", "/d/up".repeat(15));
    for (path, flags) in [
        (root.to_string(), 0),
        (format!("{root}/"), 0),
        (".".to_owned(), 0),
        ("d/..".to_owned(), 0),
        (format!("{root}/d/up"), 0),
        (deep, 0),
        (format!("{root}/f"), 0),
        ("f".to_owned(), 0),
        ("link".to_owned(), 0),
        ("f".to_owned(), libc::IN_MASK_CREATE),
    ] {
        let mut probe = Probe::shimmed(&[]);
        let fd = probe.init();
        probe.number(&format!("chdir {root}"));
        probe.number(&format!("add {fd} {:#x} {path}", IN_ATTRIB | flags));
        // Neither where the program is nor where it is read from matters any more.
        probe.number("chdir /");
        act(dir.path(), "chmod 640 f; chmod 600 f");
        assert_eq!(probe.read(fd), preload::filler(true), "{path}");
        act(dir.path(), "touch -c f");
        assert!(
            probe.events(fd).iter().all(|(mask, _)| *mask == IN_ATTRIB),
            "{path}"
        );
        age(&dir.path().join("f"));
    }
    // The link itself, which nobody can chmod.
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    let link = dir.path().join("link");
    probe.add(fd, IN_ATTRIB | libc::IN_DONT_FOLLOW, &link);
    act(dir.path(), "chown -h 1:1 link");
    assert_eq!(probe.read(fd), preload::filler(true));
    act(dir.path(), "touch -h link");
    assert_eq!(probe.events(fd), [(IN_ATTRIB, String::new())]);
}

/// The path leads elsewhere now, or nowhere: what stands there says nothing about the file.
#[test]
fn what_cannot_be_asked_is_kept() {
    type Away = fn(&Path, &mut Probe);
    let aways: [(&str, Away); 4] = [
        ("the directory was renamed", |root, _| {
            fs::rename(root.join("w"), root.join("w2")).unwrap()
        }),
        ("and another has its name", |root, _| {
            fs::rename(root.join("w"), root.join("w2")).unwrap();
            act(root, "mkdir w; echo x >w/f; touch -d 2001-01-01 w/f");
        }),
        ("the link leads to another", |root, _| {
            act(
                root,
                "mkdir other; echo x >other/f; touch -d 2001-01-01 other/f; ln -sfn other way",
            );
        }),
        ("the root is another", |root, probe| {
            probe.number(&format!("chroot {}", root.join("d").display()));
        }),
    ];
    for (what, away) in aways {
        if what.contains("root") && !support::is_root() {
            support::skip("chroot needs root");
            continue;
        }
        let dir = stage();
        fs::create_dir(dir.path().join("w")).unwrap();
        symlink("w", dir.path().join("way")).unwrap();
        fs::copy(dir.path().join("f"), dir.path().join("w/f")).unwrap();
        age(&dir.path().join("w/f"));
        let inode = fs::metadata(dir.path().join("w")).unwrap().ino();
        let mut probe = Probe::shimmed(&[]);
        let fd = probe.init();
        probe.add(fd, IN_ATTRIB, &dir.path().join("way"));
        away(dir.path(), &mut probe);
        let entries = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap());
        let watched = entries
            .into_iter()
            .find(|entry| entry.ino() == inode)
            .unwrap();
        chmod(&watched.path().join("f"));
        assert_eq!(probe.events(fd), [(IN_ATTRIB, "f".to_owned())], "{what}");
    }
}

/// Its first record is its last, and must not be the one that is hidden.
#[test]
fn a_one_shot_watch_ends_only_with_its_event() {
    for earlier in [false, true] {
        let dir = stage();
        let mut probe = Probe::shimmed(&[]);
        let fd = probe.init();
        if earlier {
            probe.add(fd, IN_ATTRIB, dir.path());
        }
        probe.add(fd, IN_ATTRIB | libc::IN_ONESHOT, dir.path());
        act(dir.path(), "chmod 600 f");
        let masks: Vec<_> = probe.events(fd).into_iter().map(|e| e.0).collect();
        assert_eq!(masks, [IN_ATTRIB, libc::IN_IGNORED]);
    }
}

/// A file has one watch, whichever of its names were watched, and the end of each is one.
#[test]
fn a_file_that_is_watched_by_two_names_reports_both() {
    let heard = |mut probe: Probe, replaced: &str| {
        let dir = stage();
        act(dir.path(), "ln f g");
        let fd = probe.init();
        for name in ["f", "g", "f"] {
            assert_eq!(probe.add(fd, MASK, &dir.path().join(name)), 1);
        }
        act(dir.path(), &format!("mv old {replaced}"));
        probe.events(fd)
    };
    for name in ["f", "g"] {
        let bare = heard(Probe::bare(), name);
        assert_eq!(heard(Probe::shimmed(&[]), name), bare, "{name}");
    }
}

/// A busy program reads late: a touch is not hidden by the chmod that came long after it.
#[test]
fn a_touch_that_was_not_read_yet_is_reported_whatever_came_after_it() {
    let dir = stage();
    let file = dir.path().join("f");
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, IN_ATTRIB, dir.path());
    // Files are stamped by the tick: the touch must not bear a time before the instance was made.
    let placed = std::time::SystemTime::now();
    let tick = tempfile::NamedTempFile::new().unwrap();
    support::wait_until("the clock of files has gone on", || {
        write(tick.path(), "x");
        fs::metadata(tick.path()).unwrap().modified().unwrap() > placed
    });
    act(dir.path(), "touch -c f");
    let touched = fs::metadata(&file).unwrap().mtime();
    support::wait_until("the chmod is two seconds later", || {
        chmod(&file);
        fs::metadata(&file).unwrap().ctime() > touched + 2
    });
    assert_eq!(probe.events(fd), [(IN_ATTRIB, "f".to_owned())]);
    // It has been read now.
    chmod(&file);
    assert_eq!(probe.read(fd), preload::filler(true));
}

/// A descriptor number that is another instance now is not taken for the old one.
#[test]
fn a_descriptor_that_is_used_again_has_no_past() {
    let (one, two) = (stage(), stage());
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    probe.add(fd, IN_ATTRIB, one.path());
    probe.number(&format!("close {fd}"));
    assert_eq!(probe.init(), fd);
    // One-shot: not remembered, so that an entry of before would be found.
    probe.add(fd, IN_ATTRIB | libc::IN_ONESHOT, two.path());
    act(two.path(), "chmod 600 f");
    assert_eq!(probe.events(fd)[0], (IN_ATTRIB, "f".to_owned()));
}

/// More than one table of watches, and the longest paths there are.
#[test]
fn thousands_of_watches_are_all_remembered() {
    let dir = dir();
    let long = dir
        .path()
        .join("x".repeat(200))
        .join("y".repeat(200))
        .join("z".repeat(90));
    fs::create_dir_all(&long).unwrap();
    let mut probe = Probe::shimmed(&[]);
    let fd = probe.init();
    const COUNT: usize = 3000;
    for i in 0..COUNT {
        let path = long.join(i.to_string());
        fs::create_dir(&path).unwrap();
        age(&path);
        probe.add(fd, IN_ATTRIB, &path);
    }
    act(&long, "chmod 700 *");
    let mut read = || {
        let mut seen = Vec::new();
        while let (more, Ok(_)) = probe.read_as(fd, 65536, "read") {
            seen.extend(more.into_iter().filter(|s| s.wd > 0).map(|s| s.wd));
        }
        seen
    };
    assert_eq!(read(), []);
    act(&long, "touch *");
    assert_eq!(read().len(), COUNT);
}

/// A server that is gone answers nobody, and a watch of its root asks it nothing.
#[test]
fn a_watch_where_a_server_does_not_answer_is_placed_as_bare() {
    let dir = dir();
    let dead = dir.path().join("dead");
    fs::create_dir(&dead).unwrap();
    let source = support::root().join("launch/tests/c/silent.c");
    let silent = support::compile_c("cc", &source, dir.path(), &[]).unwrap();
    let tried = Command::new(&silent)
        .arg(&dead)
        .arg("true")
        .output()
        .unwrap();
    if !tried.status.success() {
        return support::skip(&format!("no file system can be made silent: {tried:?}"));
    }
    let mut command = Command::new(&silent);
    command
        .arg(&dead)
        .args([
            "env",
            &format!("LD_PRELOAD={}", support::libwatchfix().display()),
        ])
        .arg(preload::probe_program());
    let mut probe = Probe::start(&mut command);
    let fd = probe.init();
    assert_eq!(probe.add(fd, 0xfff, &dead), 1);
    assert_eq!(probe.masks(fd)[&1], 0xfce);
}
