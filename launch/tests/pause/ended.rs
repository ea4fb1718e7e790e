//! A pause ends with its command, whatever becomes of watchfix.

use super::given::{Pause, Tree, USUAL, Watchers, masks, pause, watchfix};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;
use support::wait_until;

fn kill(pid: u32) {
    // SAFETY: kill has no memory effects; the process belongs to this test.
    assert_eq!(unsafe { libc::kill(pid as i32, libc::SIGKILL) }, 0);
}

fn guardian(tree: &Tree) -> u32 {
    let (_, json, _) = pause(&["--list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let app = tree.app().to_str().unwrap();
    let all = json["pauses"].as_array().unwrap().clone();
    let one = all
        .iter()
        .find(|one| one["dirs"][0] == app)
        .expect("it is listed");
    u32::try_from(one["guardian"].as_u64().unwrap()).unwrap()
}

fn is_there(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[test]
fn killed_watchfix_leaves_the_pause_to_the_guardian() {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    let command = pause.command();
    let guardian = guardian(&tree);
    pause.0.signal(libc::SIGKILL);
    tree.write("a", "x");
    wait_until("watchfix has ended", || !is_there(pause.0.pid()));
    assert!(is_there(command), "the command goes on");
    assert_eq!(watchers.heard(), [""; 0]);
    kill(command);
    wait_until("the guardian has ended", || !is_there(guardian));
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
}

#[test]
fn when_both_are_killed_the_next_command_resumes_and_tells() {
    for next in [
        &["pause", "--list"][..],
        &["run", "true"],
        &["heal", "4194303"],
    ] {
        let tree = Tree::new();
        tree.write("gone", "");
        tree.write("sub/x", "");
        let mut watchers = Watchers::new(&[
            (USUAL, tree.app()),
            (USUAL, &tree.path("a")),
            (USUAL, &tree.path("sub")),
        ]);
        let pause = Pause::of(tree.app(), &[]);
        let guardian = guardian(&tree);
        pause.0.signal(libc::SIGKILL);
        kill(guardian);
        wait_until("the guardian has ended", || !is_there(guardian));
        tree.write("a", "x");
        tree.write("new", "x");
        tree.write("sub/x", "x");
        fs::remove_file(tree.path("gone")).unwrap();
        assert_eq!(watchers.heard(), [""; 0]);
        let output = watchfix().args(next).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let app = tree.app().to_str().unwrap();
        // A test beside this one may have come first.
        assert!(
            !said.contains(app) || said.contains("whose guardian was killed"),
            "{said}"
        );
        wait_until("all are resumed", || masks(watchers.0.pid()) == [0xfce; 3]);
        let heard = watchers.heard();
        assert_eq!(
            Watchers::heard_by(&heard, 0),
            ["DELETE gone", "MOVED_TO new", "MODIFY a", "CLOSE_WRITE a"]
        );
        assert_eq!(Watchers::heard_by(&heard, 1), ["MODIFY", "CLOSE_WRITE"]);
        assert_eq!(Watchers::heard_by(&heard, 2), ["MODIFY x", "CLOSE_WRITE x"]);
    }
}

/// The directory of records, as root has it.
fn records() -> PathBuf {
    PathBuf::from("/run/watchfix/pause")
}

#[test]
fn an_entry_a_killed_guardian_had_aside_comes_back() {
    if !support::is_root() {
        return support::skip("the records are root's");
    }
    let tree = Tree::new();
    tree.write("dir/inside", "kept");
    let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    let guardian = guardian(&tree);
    let records = fs::read_dir(records())
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let begins = format!("{guardian}-");
    let mut of_it = records.filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(&begins) && !name.contains('.')
    });
    let record = of_it.next().unwrap();
    pause.0.signal(libc::SIGKILL);
    kill(guardian);
    wait_until("the guardian has ended", || !is_there(guardian));
    // As it would have been in the middle of telling about both.
    let aside = tree
        .above()
        .canonicalize()
        .unwrap()
        .join(".watchfix-pause-1");
    fs::create_dir(&aside).unwrap();
    for (name, number) in [("a", "0"), ("dir", "1")] {
        fs::rename(tree.path(name), aside.join(number)).unwrap();
        symlink(format!("../.watchfix-pause-1/{number}"), tree.path(name)).unwrap();
    }
    let mut text = fs::read_to_string(&record).unwrap();
    let hex: String = aside
        .to_str()
        .unwrap()
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    text += &format!("aside {hex}\n");
    fs::write(&record, text).unwrap();
    watchfix().args(["pause", "--list"]).output().unwrap();
    wait_until("it is resumed", || masks(watchers.0.pid()) == [0xfce]);
    assert_eq!(fs::read_to_string(tree.path("a")).unwrap(), "a");
    assert_eq!(fs::read_to_string(tree.path("dir/inside")).unwrap(), "kept");
    assert!(!fs::symlink_metadata(tree.path("dir")).unwrap().is_symlink());
    assert!(!aside.exists());
    watchers.heard();
}

#[test]
fn an_instance_its_process_left_to_a_child_is_resumed_there() {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    let first = watchers.0.pid();
    watchers.0.send("child");
    watchers.0.line_with("CHILD");
    wait_until("the first process has ended", || !is_there(first));
    tree.write("a", "x");
    pause.end();
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    watchers.0.close_stdin();
}

#[test]
fn an_instance_its_process_closes_meanwhile_ends_at_once() {
    let tree = Tree::new();
    let watchers = Watchers::new(&[(USUAL, tree.app())]);
    let pid = watchers.0.pid();
    let pause = Pause::of(tree.app(), &[]);
    let guardian = guardian(&tree);
    assert_eq!(support::inotify_fds(guardian), [0; 0]);
    drop(watchers);
    let said = pause.end();
    assert!(!is_there(pid));
    assert!(said.contains("resumed 0 watches"), "{said}");
}

#[test]
fn a_pause_whose_command_goes_on_ends_in_time() {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &["--timeout", "0.5"]);
    tree.write("a", "x");
    wait_until("it is resumed", || masks(watchers.0.pid()) == [0xfce]);
    wait_until("all is told", || {
        support::unread_bytes(watchers.0.pid()).is_ok_and(|n| n > 0)
    });
    let said = pause.end();
    assert!(
        said.contains("--timeout is over while the command goes on"),
        "{said}"
    );
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
}

#[test]
fn watchfix_ends_as_the_command_does_once_all_is_told() {
    let tree = Tree::new();
    let app = tree.app().to_str().unwrap();
    let watchers = Watchers::new(&[(USUAL, tree.app())]);
    for (script, code) in [
        ("exit 7", Some(7)),
        ("kill -TERM $$", None),
        ("exit 0", Some(0)),
    ] {
        let mut command = watchfix();
        command.args(["pause", app, "--", "sh", "-c", script]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), code);
        assert_eq!(masks(watchers.0.pid()), [0xfce]);
    }
    let not_there = watchfix()
        .args(["pause", app, "--", "/no/such"])
        .output()
        .unwrap();
    assert_eq!(not_there.status.code(), Some(127));
    assert_eq!(masks(watchers.0.pid()), [0xfce]);
}

#[test]
fn a_signal_reaches_the_command_and_the_pause_ends_with_it() {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    tree.write("a", "x");
    pause.0.signal(libc::SIGTERM);
    let (status, _) = pause.0.finish();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(libc::SIGTERM)
    );
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
}
