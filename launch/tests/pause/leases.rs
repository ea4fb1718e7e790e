//! Pauses that overlap, and pauses of others.

use super::given::{ALL, Pause, Tree, USUAL, User, Watchers, masks, pause, program, watchfix};
use support::{Victim, wait_until};

#[test]
fn of_two_pauses_the_longer_one_counts_whichever_began_first() {
    for first_is_longer in [false, true] {
        let tree = Tree::new();
        let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
        let first = Pause::of(tree.app(), &[]);
        let second = Pause::of(tree.app(), &[]);
        assert!(
            second.said().contains("nothing is muted"),
            "{}",
            second.said()
        );
        let (shorter, longer) = if first_is_longer {
            (second, first)
        } else {
            (first, second)
        };
        tree.write("a", "by one");
        let said = shorter.end();
        assert_eq!(said.contains("another pause"), !first_is_longer, "{said}");
        assert_eq!(watchers.heard(), [""; 0]);
        tree.write("b", "by the other");
        longer.end();
        let pid = watchers.0.pid();
        wait_until("the first guardian resumes", || masks(pid) == [0xfce]);
        let heard = watchers.heard();
        assert_eq!(
            heard,
            [
                "0 MODIFY a",
                "0 MODIFY b",
                "0 CLOSE_WRITE a",
                "0 CLOSE_WRITE b"
            ]
        );
    }
}

#[test]
fn pauses_of_different_trees_do_not_wait_for_each_other() {
    let (one, other) = (Tree::new(), Tree::new());
    let mut watchers = Watchers::new(&[(USUAL, one.app()), (USUAL, other.app())]);
    let first = Pause::of(one.app(), &[]);
    let second = Pause::of(other.app(), &[]);
    one.write("a", "x");
    other.write("b", "x");
    first.end();
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    second.end();
    assert_eq!(watchers.heard(), ["1 MODIFY b", "1 CLOSE_WRITE b"]);
}

#[test]
fn a_pause_within_another_ends_with_the_one_around_it() {
    let tree = Tree::new();
    tree.write("sub/x", "");
    let mut watchers = Watchers::new(&[(USUAL, &tree.path("sub"))]);
    let inner = Pause::of(&tree.path("sub"), &[]);
    let outer = Pause::of(tree.app(), &[]);
    tree.write("sub/x", "x");
    inner.end();
    assert_eq!(watchers.heard(), [""; 0]);
    outer.end();
    let pid = watchers.0.pid();
    wait_until("the inner guardian resumes", || masks(pid) == [0xfce]);
    assert_eq!(watchers.heard(), ["0 MODIFY x", "0 CLOSE_WRITE x"]);
}

#[test]
fn only_the_processes_and_directories_that_are_meant_are_paused() {
    let tree = Tree::new();
    tree.write("cache/x", "");
    let mut one = Watchers::new(&[(USUAL, tree.app()), (USUAL, &tree.path("cache"))]);
    let mut other = Watchers::new(&[(USUAL, tree.app())]);
    let pid = one.0.pid().to_string();
    let pause = Pause::of(tree.app(), &["--pid", &pid, "--exclude", "**/cache"]);
    assert!(
        pause.said().contains("paused 1 watch of 1 process"),
        "{}",
        pause.said()
    );
    tree.write("a", "x");
    tree.write("cache/x", "x");
    let kinds = ["MODIFY", "CLOSE_WRITE"];
    assert_eq!(one.heard(), kinds.map(|kind| format!("1 {kind} x")));
    assert_eq!(other.heard(), kinds.map(|kind| format!("0 {kind} a")));
    pause.end();
    assert_eq!(one.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    // It hears what is done for the one that was paused: MODIFY and the rest are the file's.
    assert!(!other.heard().is_empty());
}

#[test]
fn who_is_not_paused_hears_as_the_last_of_a_new_name_that_it_is_there() {
    let tree = Tree::new();
    let one = Watchers::new(&[(USUAL, tree.app())]);
    let mut other = Watchers::new(&[(USUAL, tree.app())]);
    let pid = one.0.pid().to_string();
    let pause = Pause::of(tree.app(), &["--pid", &pid]);
    tree.write("new", "x");
    std::fs::create_dir(tree.path("dir")).unwrap();
    other.heard();
    pause.end();
    let heard = other.heard();
    for name in ["new", "dir"] {
        let of_it = |line: &&String| line.ends_with(name) && line.contains("MOVED");
        let last = heard.iter().rfind(of_it).unwrap();
        assert!(last.contains("MOVED_TO"), "{heard:?}");
    }
}

#[test]
fn a_pause_is_listed_with_its_watches_and_released_by_hand() {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
    let running = Pause::of(tree.app(), &[]);
    let app = tree.app().to_str().unwrap();
    let (code, out, err) = pause(&["--list"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let of_it: Vec<_> = out
        .lines()
        .skip_while(|line| !line.contains(app))
        .take(4)
        .collect();
    assert!(of_it[0].contains("in force, for "), "{out}");
    assert!(of_it[1].contains("command: sh -c"), "{out}");
    assert!(
        of_it[3].contains(&format!("1 watch of hears (PID {})", watchers.0.pid())),
        "{out}"
    );
    let (_, json, _) = pause(&["--list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let pauses = json["pauses"].as_array().unwrap();
    let one = pauses.iter().find(|one| one["dirs"][0] == app).unwrap();
    assert_eq!(one["watches"][0]["mask"], "0xfce");
    assert_eq!(one["state"], "in force");
    tree.write("a", "x");
    let (code, out, err) = pause(&["--release", app]);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(err.contains(&format!("released {app}")), "{err}");
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    tree.write("b", "x");
    assert_eq!(
        watchers.heard(),
        ["0 MODIFY b", "0 CLOSE_WRITE b"],
        "the command goes on, and the pause does not"
    );
    let said = running.end();
    assert!(
        said.contains("released, as was asked for, while the command goes on"),
        "{said}"
    );
    let (code, _, err) = pause(&["--release", app]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("no pause of"), "{err}");
}

#[test]
fn who_has_the_records_locked_holds_up_no_other_command() {
    let tree = Tree::new();
    let user = User::of(&tree);
    let _watchers = Watchers::by(user.starts(program()), &[(USUAL, tree.app())]);
    let running = Pause::by(user.watchfix(), tree.app(), &[]);
    let locked = std::fs::File::open(user.records()).unwrap();
    locked.lock().unwrap();
    for (args, words) in [
        (&["pause", "--list"][..], "in force"),
        (&["run", "echo", "ran"], "ran"),
    ] {
        let mut command = user.watchfix();
        let mut victim = Victim::spawn(command.args(args));
        victim.line_with(words);
    }
    drop(locked);
    running.end();
}

/// What `heal` does is noted for later, and undone later.
#[test]
fn who_is_paused_is_healed_and_restored_after_the_pause() {
    let tree = Tree::new();
    let watchers = Watchers::new(&[(ALL, tree.app())]);
    let pid = watchers.0.pid();
    let heal = |arguments: &[&str]| {
        let mut command = watchfix();
        command.arg("heal").args(arguments).arg(pid.to_string());
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    };
    let paused = |(status, text): (i32, String)| {
        assert_eq!(status, 1, "{text}");
        assert!(text.contains("muted by a pause"), "{text}");
        assert_eq!(masks(pid), [0]);
    };
    let pause = Pause::of(tree.app(), &[]);
    paused(heal(&[]));
    paused(heal(&["--dry-run"]));
    pause.end();
    assert_eq!(masks(pid), [0xfff]);
    assert_eq!(heal(&[]).0, 0);
    assert_eq!(masks(pid), [0xfce]);
    let pause = Pause::of(tree.app(), &[]);
    paused(heal(&["--undo"]));
    pause.end();
    assert_eq!(masks(pid), [0xfce]);
    assert_eq!(heal(&["--undo"]).0, 0);
    assert_eq!(masks(pid), [0xfff]);
}
