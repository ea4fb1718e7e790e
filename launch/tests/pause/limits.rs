//! What cannot be done is said, and what is asked for wrongly is refused before anything happens.

use super::given::{Pause, Tree, USUAL, Watchers, masks, pause, program, watchfix};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::{as_user, skip, wait_until};

#[test]
fn what_cannot_be_understood_is_a_usage_error_and_starts_nothing() {
    let tree = Tree::new();
    let app = tree.app().to_str().unwrap();
    let made = tree.text("made");
    for (args, words) in [
        (&["--", "touch", &made][..], "which directories?"),
        (&[app], "which command? Type: watchfix pause DIR... -- CMD"),
        (
            &["/no/such", "--", "touch", &made],
            "/no/such: No such file or directory",
        ),
        (
            &["--exclude", "relative", app, "--", "touch", &made],
            "--exclude: ",
        ),
        (
            &["--pid", "4194303", app, "--", "touch", &made],
            "there is no process 4194303",
        ),
        (
            &["--timeout", "soon", app, "--", "touch", &made],
            "--timeout",
        ),
        (&["--list", app], "--list"),
    ] {
        let (code, out, err) = pause(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.contains(words), "{args:?}: {err}");
    }
    assert!(!Path::new(&made).exists());
}

#[test]
fn without_watchers_the_command_runs_all_the_same() {
    let tree = Tree::new();
    let (code, out, err) = pause(&[tree.app().to_str().unwrap(), "--", "echo", "done"]);
    assert_eq!((code, out.as_str()), (0, "done\n"));
    assert!(err.contains("nothing is muted: no watch in "), "{err}");
    let (_, _, quiet) = pause(&["-q", tree.app().to_str().unwrap(), "--", "true"]);
    assert!(!quiet.contains("resumed"), "{quiet}");
}

#[test]
fn an_ordinary_user_pauses_its_own_watchers() {
    if !support::is_root() {
        return skip("root alone can start a process as another user");
    }
    let tree = Tree::new();
    let user = 65534;
    for path in [tree.above(), tree.app()] {
        std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    for name in ["a", "b"] {
        std::os::unix::fs::chown(tree.path(name), Some(user), Some(user)).unwrap();
    }
    let directory = program().parent().unwrap();
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    let mut started = as_user(user, program());
    // Its watches are looked for from there on.
    started.current_dir(tree.app());
    let mut watchers = Watchers::by(started, &[(USUAL, tree.app())]);
    let mut roots = Watchers::new(&[(USUAL, tree.app())]);
    let mut command: Command = as_user(user, watchfix().get_program().as_ref());
    support::without_rules(&mut command);
    command.env_remove("XDG_RUNTIME_DIR");
    let running = Pause::by(command, tree.app(), &[]);
    assert!(
        running.said().contains("paused 1 watch of 1 process"),
        "{}",
        running.said()
    );
    assert!(
        running.said().contains("may not be looked at"),
        "{}",
        running.said()
    );
    tree.write("a", "x");
    // Root's: its time of writing cannot be set, and it cannot be opened.
    tree.write("c", "x");
    // In a directory of others nobody moves what is not its own.
    fs::create_dir(tree.path("sticky")).unwrap();
    fs::set_permissions(tree.path("sticky"), Permissions::from_mode(0o1777)).unwrap();
    watchers.add(0, USUAL, &tree.path("sticky"));
    wait_until("it is muted", || masks(watchers.0.pid()) == [0, 0]);
    tree.write("sticky/unmoved", "x");
    fs::set_permissions(tree.path("sticky/unmoved"), Permissions::from_mode(0o666)).unwrap();
    tree.write("new", "x");
    assert_eq!(watchers.heard(), [""; 0]);
    assert!(
        !roots.heard().is_empty(),
        "root's watchers are not this user's"
    );
    let said = running.end();
    let heard = watchers.heard();
    let told = [
        "0 CLOSE_WRITE unmoved",
        "0 MOVED_TO new",
        "0 MOVED_TO,ISDIR sticky",
        "0 MODIFY a",
        "0 CLOSE_WRITE a",
    ];
    assert_eq!(heard, told, "{said}");
    assert!(
        said.contains("refused: those changes were not told"),
        "{said}"
    );
    assert!(said.contains("/app/c: "), "{said}");
}

/// The shell sets limits, hard or soft.
fn limited(limit: &str) -> Command {
    let mut shell = Command::new("sh");
    let script = format!("ulimit {limit} && exec \"$@\"");
    shell.args(["-c", &script, "sh"]);
    shell.arg(watchfix().get_program());
    support::without_rules(&mut shell);
    shell
}

fn with_directories(count: usize) -> (Tree, Watchers) {
    let tree = Tree::new();
    let dirs: Vec<_> = (0..count).map(|n| tree.path(&format!("d{n}"))).collect();
    dirs.iter().for_each(|dir| fs::create_dir(dir).unwrap());
    let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
    dirs.iter().for_each(|dir| watchers.add(0, USUAL, dir));
    (tree, watchers)
}

#[test]
fn what_could_not_be_held_for_want_of_descriptors_is_not_left_mute() {
    let (tree, watchers) = with_directories(60);
    let pause = Pause::by(limited("-n 40"), tree.app(), &[]);
    assert!(
        pause.said().contains("could not be held"),
        "{}",
        pause.said()
    );
    fs::write(tree.path("d59/new"), "").unwrap();
    let said = pause.end();
    assert_eq!(masks(watchers.0.pid()), [0xfce; 61], "{said}");
    assert!(said.contains(" not told what changed, because "), "{said}");
}

#[test]
fn who_ends_the_pause_of_a_killed_guardian_takes_the_descriptors_it_needs() {
    let (tree, mut watchers) = with_directories(60);
    let user = super::given::User::of(&tree);
    drop(watchers);
    watchers = Watchers::by(user.starts(program()), &[(USUAL, tree.app())]);
    (0..60).for_each(|n| watchers.add(0, USUAL, &tree.path(&format!("d{n}"))));
    let pause = Pause::by(user.watchfix(), tree.app(), &[]);
    super::ended::kill_both(&pause);
    tree.write("d59/new", "");
    user.own(&tree.path("d59/new"));
    let mut shell = user.starts("/bin/sh".as_ref());
    let script = "ulimit -Sn 40 && exec \"$@\"";
    shell
        .args(["-c", script, "sh"])
        .arg(watchfix().get_program());
    shell.args(["run", "sh", "-c", "ulimit -Sn"]);
    let output = shell.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(masks(watchers.0.pid()), [0xfce; 61], "{said}");
    assert!(
        watchers.heard().contains(&"0 MOVED_TO new".to_owned()),
        "{said}"
    );
    // The command's limit is the one it was given.
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "40\n");
}

#[test]
fn a_watched_directory_that_went_is_counted() {
    let tree = Tree::new();
    tree.write("d/in", "");
    let mut watchers = Watchers::new(&[(USUAL, &tree.path("d"))]);
    let pause = Pause::of(tree.app(), &[]);
    fs::remove_dir_all(tree.path("d")).unwrap();
    let said = pause.end();
    assert!(
        said.contains(
            "told once what changed: 1 watched path gone (1 entry inside not told one by one)"
        ),
        "{said}"
    );
    assert_eq!(watchers.heard(), ["0 DELETE_SELF", "0 IGNORED"]);
}
