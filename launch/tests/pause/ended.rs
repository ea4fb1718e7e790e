//! A pause ends with its command, whatever becomes of watchfix.

use super::given::{Pause, Tree, USUAL, User, Watchers, masks, pause, program, tick, watchfix};
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Stdio;
use support::{Next, first_child, is_there, wait_until};

pub fn kill(pid: u32) {
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

/// The first child of watchfix.
fn guardian_of(pause: &Pause) -> u32 {
    first_child(pause.0.pid())
}

#[test]
fn when_the_guardian_is_killed_watchfix_resumes_and_tells() {
    let tree = Tree::new();
    let user = User::of(&tree);
    let mut watchers = Watchers::by(user.starts(program()), &[(USUAL, tree.app())]);
    let pause = Pause::by(user.watchfix(), tree.app(), &[]);
    kill(guardian_of(&pause));
    tree.write("a", "x");
    assert_eq!(watchers.heard(), [""; 0]);
    let said = pause.end();
    assert!(
        said.contains("whose guardian was killed: resumed 1 watch"),
        "{said}"
    );
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    assert_eq!(masks(watchers.0.pid()), [0xfce]);
    assert_eq!(fs::read_dir(user.records()).unwrap().count(), 0);
}

/// watchfix and the guardian are killed.
pub fn kill_both(pause: &Pause) {
    let guardian = guardian_of(pause);
    pause.0.signal(libc::SIGKILL);
    kill(guardian);
    wait_until("the guardian has ended", || !is_there(guardian));
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
        let user = User::of(&tree);
        let (app, a, sub) = (tree.app(), tree.path("a"), tree.path("sub"));
        let watches = [(USUAL, app), (USUAL, &*a), (USUAL, &*sub)];
        let mut watchers = Watchers::by(user.starts(program()), &watches);
        let pause = Pause::by(user.watchfix(), app, &[]);
        // Who comes later has seen what is there.
        tree.write("before", "x");
        user.own(&tree.path("before"));
        tree.write("b", "x");
        tick();
        watchers.add(3, USUAL, app);
        let on_record = || {
            let files = fs::read_dir(user.records()).unwrap().flatten();
            // One with a dot before its name is being written: it is not on record yet.
            let names = files.filter(|file| !file.file_name().as_encoded_bytes().starts_with(b"."));
            let mut texts = names.filter_map(|file| fs::read_to_string(file.path()).ok());
            texts.any(|text| text.lines().any(|line| line.starts_with("of ")))
        };
        wait_until("what it has seen is on record", on_record);
        kill_both(&pause);
        tree.write("a", "x");
        tree.write("new", "x");
        tree.write("sub/x", "x");
        fs::remove_file(tree.path("gone")).unwrap();
        user.own(&tree.path("new"));
        assert_eq!(watchers.heard(), [""; 0]);
        let output = user.watchfix().args(next).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("whose guardian was killed: resumed 4 watches"),
            "{said}"
        );
        assert_eq!(masks(watchers.0.pid()), [0xfce; 4]);
        let heard = watchers.heard();
        let told = [
            "DELETE gone",
            "MOVED_TO before",
            "MOVED_TO new",
            "MODIFY a",
            "MODIFY b",
            "CLOSE_WRITE a",
            "CLOSE_WRITE b",
        ];
        assert_eq!(Watchers::heard_by(&heard, 0), told);
        assert_eq!(Watchers::heard_by(&heard, 1), ["MODIFY", "CLOSE_WRITE"]);
        assert_eq!(Watchers::heard_by(&heard, 2), ["MODIFY x", "CLOSE_WRITE x"]);
        let later = ["DELETE gone", "MOVED_TO new", "MODIFY a", "CLOSE_WRITE a"];
        assert_eq!(Watchers::heard_by(&heard, 3), later);
        assert_eq!(fs::read_dir(user.records()).unwrap().count(), 0);
    }
}

#[test]
fn an_entry_a_killed_guardian_had_aside_comes_back() {
    let tree = Tree::new();
    tree.write("dir/inside", "kept");
    let user = User::of(&tree);
    let watchers = Watchers::by(user.starts(program()), &[(USUAL, tree.app())]);
    let pause = Pause::by(user.watchfix(), tree.app(), &[]);
    kill_both(&pause);
    let records = fs::read_dir(user.records())
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let mut records = records.filter(|path| path.extension().is_none());
    let record = records.next().unwrap();
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
    user.own_all(&tree);
    std::os::unix::fs::chown(&aside, fs::metadata(tree.app()).unwrap().uid().into(), None).unwrap();
    let mut text = fs::read_to_string(&record).unwrap();
    let hex: String = aside
        .to_str()
        .unwrap()
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    text += &format!("aside {hex}\n");
    fs::write(&record, text).unwrap();
    let output = user.watchfix().args(["pause", "--list"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(masks(watchers.0.pid()), [0xfce], "{said}");
    assert_eq!(fs::read_to_string(tree.path("a")).unwrap(), "a");
    assert_eq!(fs::read_to_string(tree.path("dir/inside")).unwrap(), "kept");
    assert!(!fs::symlink_metadata(tree.path("dir")).unwrap().is_symlink());
    assert!(!aside.exists(), "{said}");
}

#[test]
fn who_may_not_change_a_process_leaves_its_pause_to_who_may() {
    let tree = Tree::new();
    let user = User::of(&tree);
    if !support::is_root() {
        return support::skip("without root the processes are this user's, and so are the rights");
    }
    let mut watchers = Watchers::by(user.starts(program()), &[(USUAL, tree.app())]);
    let pause = Pause::by(user.watchfix(), tree.app(), &[]);
    tree.write("a", "x");
    kill_both(&pause);
    let mut dumpable = |whether: &str| {
        watchers.0.send(&format!("dumpable {whether}"));
        watchers.0.line_with("SET");
    };
    let list = || {
        let output = user.watchfix().args(["pause", "--list"]).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    dumpable("0");
    let said = list();
    assert!(
        said.contains("is left to who may end it: process"),
        "{said}"
    );
    assert_ne!(fs::read_dir(user.records()).unwrap().count(), 0);
    dumpable("1");
    assert!(list().contains("resumed 1 watch"));
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    assert_eq!(fs::read_dir(user.records()).unwrap().count(), 0);
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
    // But for the moments in which it looks.
    wait_until("it has no copy", || {
        support::inotify_fds(guardian).is_empty()
    });
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
    let mut pause = Pause::of(tree.app(), &[]);
    tree.write("a", "x");
    pause.0.signal(libc::SIGTERM);
    while !matches!(pause.0.next_within(support::DEADLINE), Next::Ended) {}
    let (status, _) = pause.0.finish();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(libc::SIGTERM)
    );
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
}

/// The records of the pauses of a user: the path of the one there is.
fn record(user: &User) -> PathBuf {
    let entries = fs::read_dir(user.records()).unwrap().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.find(|path| path.extension().is_none()).unwrap()
}

#[test]
fn a_guardian_killed_while_it_tells_leaves_no_watch_mute_and_no_entry_of_its_own() {
    let kinds = [
        "0x2", "0x4", "0x8", "0x40", "0x80",
        "0x200", // MODIFY to DELETE, as rules/src/event.rs has them
    ];
    for kind in kinds {
        let tree = Tree::new();
        fs::create_dir(tree.path("dir")).unwrap();
        let user = User::of(&tree);
        let mut watchers = Watchers::by(user.starts(program()), &[(USUAL, tree.app())]);
        let pause = Pause::by(user.watchfix(), tree.app(), &[]);
        let guardian = guardian_of(&pause);
        kill_both(&pause);
        fs::remove_file(tree.path("b")).unwrap();
        fs::remove_dir(tree.path("dir")).unwrap();
        tree.write("a", "written to");
        // As it is in the middle of telling of these.
        symlink(".watchfix-pause-stand-in", tree.path("b")).unwrap();
        fs::create_dir(tree.path("dir")).unwrap();
        fs::set_permissions(tree.path("dir"), Permissions::from_mode(0o1700)).unwrap();
        user.own(&tree.path("b"));
        user.own(&tree.path("dir"));
        let aside = tree.app().with_file_name(".watchfix-pause-1");
        fs::create_dir(&aside).unwrap();
        symlink("../.watchfix-pause-1/0", aside.join("0")).unwrap();
        user.own(&aside);
        // Made, and not on record yet.
        let unnoted = tree
            .app()
            .with_file_name(format!(".watchfix-pause-{guardian}"));
        fs::create_dir(&unnoted).unwrap();
        user.own(&unnoted);
        let path = record(&user);
        let text = fs::read_to_string(&path).unwrap();
        let bytes = aside.to_str().unwrap().bytes();
        let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
        let text = text.replace("over 0", "over 1") + &format!("aside {hex}\n");
        fs::write(&path, text).unwrap();
        watchers.add(0, kind, tree.app());
        let output = user.watchfix().args(["pause", "--list"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(masks(watchers.0.pid()), [0xfce], "{kind}: {said}");
        for name in ["b", "dir"] {
            assert!(
                !tree.path(name).is_symlink() && !tree.path(name).exists(),
                "{name}"
            );
        }
        assert!(!aside.exists() && !unnoted.exists(), "{said}");
        let heard = watchers.heard();
        for told in ["0 DELETE b", "0 DELETE,ISDIR dir", "0 MODIFY a"] {
            assert!(heard.iter().any(|line| line == told), "{told}: {heard:?}");
        }
    }
}

/// What has another PID here than there, or none, has not ended.
#[test]
fn a_pause_of_another_pid_namespace_that_keeps_records_in_the_same_place_goes_on() {
    if !support::is_root() {
        return support::skip("needs root, to make a PID namespace");
    }
    let (tree, other) = (Tree::new(), Tree::new());
    let mut there = support::in_pid_namespace();
    there.arg(program());
    let mut watchers = Watchers::by(there, &[(USUAL, tree.app())]);
    let watcher = first_child(watchers.0.pid());
    let mut beside = support::beside(watcher);
    support::without_rules(&mut beside).arg(watchfix().get_program());
    let paused = Pause::by(beside, tree.app(), &[]);
    tree.write("a", "x");
    let (_, _, said) = pause(&[other.app().to_str().unwrap(), "--", "true"]);
    assert!(!said.contains("ended a pause"), "{said}");
    assert_eq!(watchers.heard(), [""; 0]);
    paused.end();
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    let namespace = support::pid_namespace(watcher);
    fs::remove_dir_all(format!("/run/watchfix-{namespace}")).unwrap();
}
