//! Files that are closed in a directory that settles: whether they were written to.

use std::fs;
use std::path::Path;
use std::process::Command;

use preload::Probe;
use support::{Victim, wait_until_past};

use crate::*;

/// Neither CLOSE_WRITE, which stands in for MODIFY here, nor ATTRIB, which is judged by itself.
const MASK: u32 = 0xfc2;

/// A probe for which `dir` settles.
fn settling(dir: &Path) -> Probe {
    Probe::shimmed(&[("WATCHFIX_SETTLE", dir.to_str().unwrap())])
}

/// A directory with old files: `f`, and `old` with another time of modification.
fn stage() -> tempfile::TempDir {
    let dir = dir();
    write(dir.path().join("f"), "x");
    write(dir.path().join("old"), "xyz");
    age(&dir.path().join("old"));
    wait_until_past(&dir.path().join("old"));
    dir
}

fn act(dir: &Path, script: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(dir);
    let status = shell.env_remove("LD_PRELOAD").status().unwrap();
    assert!(status.success(), "{script}: {status}");
}

/// What a probe hears of an act, in the order of the names and masks, by a watch on the directory and one on `f`.
fn heard(make: impl Fn(&Path) -> Probe, script: &str) -> Vec<(u32, String)> {
    let dir = stage();
    let mut probe = make(dir.path());
    let directory = probe.init();
    probe.add(directory, MASK, dir.path());
    let file = probe.init();
    probe.add(file, IN_MODIFY, &dir.path().join("f"));
    act(dir.path(), script);
    let mut all = Vec::new();
    for fd in [directory, file] {
        if probe.number(&format!("ready {fd}")) > 0 {
            all.extend(probe.events(fd));
        }
    }
    // What is left of a read of which nothing is.
    all.retain(|&(mask, _)| mask & !libc::IN_IGNORED != 0);
    all.sort();
    all.dedup();
    all
}

#[test]
fn a_closed_file_is_a_change_exactly_where_it_is_one_without_the_library() {
    for (script, is_change) in [
        // Lock files.
        (": 3<>f", false),
        (": >>f", false),
        ("flock f true", false),
        ("echo x >>f", true),
        ("echo xyz >f", true),
        ("echo x 1<>f", true),
        // Its modification time is that of `old` when it is closed.
        ("cp -p old f", true),
        ("mv f g; echo x >>g; mv g f", true),
    ] {
        let bare = heard(|_| Probe::bare(), script);
        let modified = bare.iter().any(|&(mask, _)| mask == IN_MODIFY);
        assert_eq!(modified, is_change, "{script}: {bare:?}");
        assert_eq!(heard(settling, script), bare, "{script}");
    }
}

/// A mapped file is written to without an event, and the kernel notes the time where the file system has it done
/// (not on tmpfs).
#[test]
fn a_file_that_was_written_to_through_a_mapping_is_reported_where_its_time_says_so() {
    let script = "import mmap, os
fd = os.open('f', os.O_RDWR)
map = mmap.mmap(fd, 1)
map[0:1] = b'y'
map.close()
os.close(fd)";
    if Command::new("python3").arg("-V").output().is_err() {
        return support::skip("python3 is not installed");
    }
    let dir = stage();
    let f = dir.path().join("f");
    let before = fs::metadata(&f).unwrap().modified().unwrap();
    let mut probe = settling(dir.path());
    let fd = probe.init();
    probe.add(fd, MASK, dir.path());
    let mut python = Command::new("python3");
    python.args(["-c", script]).current_dir(dir.path());
    assert!(python.env_remove("LD_PRELOAD").status().unwrap().success());
    let stamped = fs::metadata(&f).unwrap().modified().unwrap() != before;
    let heard = probe.events(fd).contains(&(IN_MODIFY, "f".to_owned()));
    assert_eq!(fs::read_to_string(&f).unwrap(), "y");
    assert_eq!(heard, stamped);
}

#[test]
fn a_new_file_is_reported_when_it_is_closed() {
    let mut seen = heard(settling, ": >new");
    seen.retain(|&(mask, _)| mask == IN_MODIFY);
    assert_eq!(seen, [(IN_MODIFY, "new".to_owned())]);
}

/// Who asked for CLOSE_WRITE itself gets it, without a MODIFY.
#[test]
fn a_lock_file_is_reported_to_who_asked_for_its_closing() {
    let dir = stage();
    let mut probe = settling(dir.path());
    let fd = probe.init();
    probe.add(fd, IN_MODIFY | IN_CLOSE_WRITE, dir.path());
    support::open_and_close(&dir.path().join("f"));
    assert_eq!(probe.events(fd), [(IN_CLOSE_WRITE, "f".to_owned())]);
}

/// It ends with its only record: without that it would be gone unheard.
#[test]
fn a_one_shot_watch_hears_of_a_lock_file() {
    let dir = stage();
    let mut probe = settling(dir.path());
    let fd = probe.init();
    probe.add(fd, IN_MODIFY | libc::IN_ONESHOT, dir.path());
    support::open_and_close(&dir.path().join("f"));
    let masks: Vec<_> = probe.read(fd).into_iter().map(|seen| seen.mask).collect();
    assert_eq!(masks, [IN_MODIFY, libc::IN_IGNORED]);
}

/// The first call began the watch, and a file that was written to after it may be closed after the second.
#[test]
fn a_watch_that_is_placed_again_knows_when_it_was_placed_first() {
    for flags in [0, libc::IN_MASK_ADD] {
        let dir = stage();
        let f = dir.path().join("f");
        let mut probe = settling(dir.path());
        let fd = probe.init();
        probe.add(fd, MASK, dir.path());
        let mut writer = writer(dir.path());
        wait_until_past(&f);
        probe.add(fd, MASK | flags, dir.path());
        end(&mut writer);
        assert_eq!(
            probe.events(fd),
            [(IN_MODIFY, "f".to_owned())],
            "{flags:#x}"
        );
    }
}

/// Without the library it was written to unheard as well.
#[test]
fn a_file_that_was_written_to_before_its_watch_was_placed_is_not_reported() {
    let dir = stage();
    let mut writer = writer(dir.path());
    wait_until_past(&dir.path().join("f"));
    let mut probe = settling(dir.path());
    let fd = probe.init();
    probe.add(fd, MASK, dir.path());
    end(&mut writer);
    assert_eq!(probe.read(fd), preload::filler(true));
}

/// A process that has written to `f`, and has it open.
fn writer(dir: &Path) -> Victim {
    let script = "exec 3>>f; echo x >&3; echo written; read line; exec 3>&-; echo closed";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(dir);
    let mut writer = Victim::spawn(shell.env_remove("LD_PRELOAD"));
    writer.line_with("written");
    writer
}

fn end(writer: &mut Victim) {
    writer.send("");
    writer.line_with("closed");
}
