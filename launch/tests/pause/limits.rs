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
        said.contains("operations were refused, and what they tell was not told"),
        "{said}"
    );
    assert!(said.contains("/app/c: "), "{said}");
}
