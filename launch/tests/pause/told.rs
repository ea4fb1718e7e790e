//! What watchers hear: nothing meanwhile, and afterwards each change once, as far as their masks ask for it.

use super::given::{ALL, Pause, Tree, USUAL, Watchers, masks, tick};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// One change of every kind.
fn deploy(tree: &Tree) {
    tree.write("a", "written");
    tree.replace("b", "replaced");
    fs::set_permissions(tree.path("c"), Permissions::from_mode(0o600)).unwrap();
    tree.write("new", "new");
    tree.write("pkg/inside", "inside");
    fs::remove_file(tree.path("gone")).unwrap();
    fs::remove_dir_all(tree.path("old")).unwrap();
    symlink("a", tree.path("link")).unwrap();
    fs::rename(tree.path("from"), tree.path("to")).unwrap();
}

fn before_deploy() -> Tree {
    let tree = Tree::new();
    tree.write("gone", "");
    tree.write("old/inside", "");
    tree.write("from", "");
    tree.write("same", "");
    tree
}

/// What is heard after the deploy by watches of the directory with `masks`, one instance each.
fn heard_with(masks: &[&str]) -> Vec<Vec<String>> {
    let tree = before_deploy();
    let watches: Vec<_> = masks.iter().map(|mask| (*mask, tree.app())).collect();
    let mut watchers = Watchers::new(&watches);
    let pause = Pause::of(tree.app(), &[]);
    deploy(&tree);
    assert_eq!(watchers.heard(), [""; 0], "during the pause");
    let then = tree.content();
    watchers.heard();
    let said = pause.end();
    let heard = watchers.heard();
    assert_eq!(tree.content(), then, "{said}");
    let each = (0..masks.len()).map(|at| {
        let mut list: Vec<_> = Watchers::heard_by(&heard, at)
            .into_iter()
            .map(str::to_owned)
            .collect();
        list.sort();
        list
    });
    each.collect()
}

#[test]
fn every_change_is_told_once_and_nothing_else_by_what_each_mask_asks_for() {
    let gone = ["DELETE from", "DELETE gone", "DELETE,ISDIR old"];
    let new = [
        "MOVED_TO link",
        "MOVED_TO new",
        "MOVED_TO to",
        "MOVED_TO,ISDIR pkg",
    ];
    let all = heard_with(&[
        "0x2", "0x8", "0x80", "0x200", "0x40", "0x4", "0x21", "0x8a", "0xc00", USUAL, ALL,
    ]);
    assert_eq!(
        all[0],
        [
            "MODIFY a",
            "MODIFY b",
            "MODIFY link",
            "MODIFY new",
            "MODIFY to"
        ]
    );
    // A symbolic link cannot be opened for writing.
    assert_eq!(
        all[1],
        [
            "CLOSE_WRITE a",
            "CLOSE_WRITE b",
            "CLOSE_WRITE new",
            "CLOSE_WRITE to"
        ]
    );
    // What took the place of another file did so by a rename, which is all this one hears of it.
    assert_eq!(all[2], [&["MOVED_TO b"][..], &new].concat());
    assert_eq!(all[3], gone);
    assert_eq!(
        all[4],
        ["MOVED_FROM from", "MOVED_FROM gone", "MOVED_FROM,ISDIR old"]
    );
    assert_eq!(all[5], ["ATTRIB c"]);
    assert_eq!(all[6], [""; 0], "OPEN and ACCESS are nobody's news");
    let mut both: Vec<_> = ["CLOSE_WRITE a", "CLOSE_WRITE b", "MODIFY a", "MODIFY b"].into();
    both.extend(new);
    assert_eq!(all[7], both);
    assert_eq!(all[8], [""; 0]);
    let mut usual = vec!["ATTRIB c"];
    usual.extend(["CLOSE_WRITE a", "CLOSE_WRITE b"]);
    usual.extend(gone);
    usual.extend(["MODIFY a", "MODIFY b"]);
    usual.extend(new);
    assert_eq!(all[9], usual);
    assert_eq!(all[10], usual);
}

#[test]
fn ends_come_before_news_and_news_before_writes() {
    let tree = before_deploy();
    let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    deploy(&tree);
    pause.end();
    let heard = watchers.heard();
    let kinds: Vec<_> = heard
        .iter()
        .map(|line| line.split([' ', ',']).nth(1).unwrap())
        .collect();
    let mut order = kinds.clone();
    order.dedup();
    assert_eq!(
        order,
        ["DELETE", "MOVED_TO", "MODIFY", "CLOSE_WRITE", "ATTRIB"],
        "{heard:?}"
    );
}

#[test]
fn what_did_not_change_is_not_told_and_later_changes_are_heard() {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(ALL, tree.app()), (ALL, &tree.path("a"))]);
    let said = Pause::of(tree.app(), &[]).end();
    assert!(
        said.contains("resumed 2 watches; nothing had changed that they ask for"),
        "{said}"
    );
    assert_eq!(watchers.heard(), [""; 0]);
    tree.write("a", "edited");
    let heard = watchers.heard();
    let edit = ["OPEN", "MODIFY", "CLOSE_WRITE"];
    let kinds = |at: usize, name: &str| -> Vec<String> {
        Watchers::heard_by(&heard, at)
            .iter()
            .map(|line| line.replace(name, ""))
            .collect()
    };
    assert_eq!(kinds(0, " a"), edit);
    assert_eq!(kinds(1, ""), edit);
}

#[test]
fn a_file_that_is_watched_itself_and_in_its_directory_is_told_once_to_each() {
    let tree = Tree::new();
    let (app, a, b) = (tree.app(), tree.path("a"), tree.path("b"));
    let mut watchers = Watchers::new(&[(USUAL, app), (USUAL, &a), (USUAL, &b)]);
    watchers.add(1, "0x4", &tree.path("c"));
    let pause = Pause::of(app, &[]);
    tree.write("a", "written");
    tree.replace("b", "replaced");
    fs::set_permissions(tree.path("c"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(watchers.heard(), [""; 0]);
    pause.end();
    let heard = watchers.heard();
    assert_eq!(
        Watchers::heard_by(&heard, 0),
        [
            "MODIFY a",
            "MODIFY b",
            "CLOSE_WRITE a",
            "CLOSE_WRITE b",
            "ATTRIB c"
        ]
    );
    assert_eq!(
        Watchers::heard_by(&heard, 1),
        ["MODIFY", "CLOSE_WRITE", "ATTRIB"]
    );
    // Its file has gone: the watch ends, as it would have.
    assert_eq!(Watchers::heard_by(&heard, 2), ["DELETE_SELF", "IGNORED"]);
}

#[test]
fn a_watched_directory_that_was_removed_ends_after_the_pause_and_not_before() {
    let tree = before_deploy();
    let mut watchers = Watchers::new(&[(USUAL, &tree.path("old")), (USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    fs::remove_dir_all(tree.path("old")).unwrap();
    tree.write("old/again", "");
    assert_eq!(watchers.heard(), [""; 0]);
    pause.end();
    let heard = watchers.heard();
    assert_eq!(Watchers::heard_by(&heard, 0), ["DELETE_SELF", "IGNORED"]);
    assert_eq!(
        Watchers::heard_by(&heard, 1),
        ["MOVED_FROM,ISDIR old", "MOVED_TO,ISDIR old"]
    );
}

/// Of each kind that took the place of another, where one of them is a directory.
#[test]
fn who_watches_a_directory_hears_that_what_was_replaced_in_it_went_and_of_what_kind_it_was() {
    let tree = Tree::new();
    for name in ["other/old", "file/old"] {
        tree.write(name, "");
    }
    tree.write("dir", "");
    let mut watchers = Watchers::new(&[(USUAL, tree.app()), ("0x2", tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    for name in ["other", "file"] {
        fs::remove_dir_all(tree.path(name)).unwrap();
    }
    fs::remove_file(tree.path("dir")).unwrap();
    for name in ["other/new", "dir/new"] {
        tree.write(name, "new");
    }
    tree.write("file", "new");
    let before = tree.content();
    let said = pause.end();
    let heard = watchers.heard();
    for (name, was, is) in [
        ("dir", "", ",ISDIR"),
        ("file", ",ISDIR", ""),
        ("other", ",ISDIR", ",ISDIR"),
    ] {
        let about = Watchers::heard_by(&heard, 0).into_iter();
        let about: Vec<_> = about
            .filter(|line| line.split(' ').nth(1) == Some(name))
            .collect();
        let wanted = [
            format!("MOVED_FROM{was} {name}"),
            format!("MOVED_TO{is} {name}"),
        ];
        assert_eq!(about, wanted, "{said}\n{heard:?}");
    }
    assert_eq!(Watchers::heard_by(&heard, 1), ["MODIFY file"], "{heard:?}");
    assert_eq!(tree.content(), before);
    assert_eq!(fs::read_dir(tree.above()).unwrap().count(), 1);
}

#[test]
fn changes_in_directories_below_are_told_where_they_are_and_nowhere_else() {
    let tree = before_deploy();
    let below = tree.path("old");
    let mut watchers = Watchers::new(&[(ALL, tree.app()), (ALL, &below), (USUAL, tree.above())]);
    let pause = Pause::of(tree.app(), &[]);
    tree.write("old/new", "");
    tree.write("old/inside", "written");
    pause.end();
    let heard = watchers.heard();
    assert_eq!(
        Watchers::heard_by(&heard, 1),
        ["MOVED_TO new", "MODIFY inside", "CLOSE_WRITE inside"]
    );
    assert_eq!(Watchers::heard_by(&heard, 0), [""; 0], "{heard:?}");
    // It is outside, and watched: nothing of ours may be put there.
    assert_eq!(Watchers::heard_by(&heard, 2), [""; 0], "{heard:?}");
}

#[test]
fn nothing_of_ours_is_left_and_who_watches_above_hears_nothing() {
    let tree = before_deploy();
    let mut watchers = Watchers::new(&[(ALL, tree.above()), (USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    tree.write("new", "");
    fs::create_dir(tree.path("pkg")).unwrap();
    let seen = |dir: &Path| fs::read_dir(dir).unwrap().count();
    let before = (seen(tree.above()), seen(tree.app()));
    watchers.heard();
    pause.end();
    let heard = watchers.heard();
    assert_eq!((seen(tree.above()), seen(tree.app())), before);
    assert_eq!(
        Watchers::heard_by(&heard, 1),
        ["MOVED_TO new", "MOVED_TO,ISDIR pkg"]
    );
    // The time of the directory is put back, which is all that is seen from above.
    let from_above = Watchers::heard_by(&heard, 0);
    let of_looks = [
        "OPEN,ISDIR app",
        "ACCESS,ISDIR app",
        "CLOSE_NOWRITE,ISDIR app",
    ];
    let quiet = |line: &&str| *line == "ATTRIB,ISDIR app" || of_looks.contains(line);
    assert!(from_above.iter().all(quiet), "{heard:?}");
}

#[test]
fn a_program_that_runs_is_told_and_not_opened() {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[("0xa", tree.app()), ("0x8", tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    tree.write("tool", "#!/bin/sh\n");
    tree.write("a", "#!/bin/sh\n");
    for name in ["tool", "a"] {
        fs::set_permissions(tree.path(name), Permissions::from_mode(0o755)).unwrap();
    }
    pause.end();
    let heard = watchers.heard();
    assert_eq!(Watchers::heard_by(&heard, 0), ["MODIFY a", "MODIFY tool"]);
    assert_eq!(
        Watchers::heard_by(&heard, 1),
        ["CLOSE_WRITE a", "CLOSE_WRITE tool"]
    );
}

#[test]
fn one_or_none_of_the_changes_is_told_where_that_is_asked_for() {
    let deployed = |replay: &str| {
        let tree = before_deploy();
        let mut watchers = Watchers::new(&[(USUAL, tree.app()), ("0x80", tree.app())]);
        watchers.add(0, USUAL, &tree.path("old"));
        let pause = Pause::of(tree.app(), &["--replay", replay]);
        deploy(&tree);
        tree.write("old/new", "");
        pause.end();
        watchers.heard()
    };
    // What has ended has ended.
    assert_eq!(deployed("none"), ["0 DELETE_SELF", "0 IGNORED"]);
    let one = deployed("one");
    assert_eq!(Watchers::heard_by(&one, 0).len(), 3, "{one:?}");
    assert_eq!(Watchers::heard_by(&one, 1).len(), 1, "{one:?}");
}

#[test]
fn watches_placed_meanwhile_are_muted_too() {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    tree.write("new/inside", "");
    watchers.add(0, USUAL, &tree.path("new"));
    tree.write("b", "seen by who comes later");
    tree.write("c", "seen by who comes later");
    tick();
    let mut later = Watchers::new(&[(USUAL, tree.app()), (USUAL, &tree.path("c"))]);
    let muted = |watchers: &Watchers| {
        support::watches(watchers.0.pid())
            .iter()
            .all(|watch| watch.mask == 0)
    };
    support::wait_until("both are muted", || muted(&watchers) && muted(&later));
    tree.write("new/inside", "written");
    tree.write("a", "written");
    assert_eq!(watchers.heard(), [""; 0]);
    assert_eq!(later.heard(), [""; 0]);
    let said = pause.end();
    assert!(
        said.contains("muted 3 watches more, placed meanwhile"),
        "{said}"
    );
    let (first, again) = (watchers.heard(), later.heard());
    assert_eq!(
        first,
        [
            "0 MODIFY inside",
            "0 CLOSE_WRITE inside",
            "0 MOVED_TO,ISDIR new",
            "0 MODIFY a",
            "0 MODIFY b",
            "0 MODIFY c",
            "0 CLOSE_WRITE a",
            "0 CLOSE_WRITE b",
            "0 CLOSE_WRITE c",
        ]
    );
    // It began to watch when the others were as they are.
    assert_eq!(again, ["0 MODIFY a", "0 CLOSE_WRITE a"], "{said}");
}

#[test]
fn what_sets_rights_to_what_they_were_is_no_write() {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(USUAL, tree.app()), ("0x8a", tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    for name in ["a", "b"] {
        let there = fs::metadata(tree.path(name)).unwrap().permissions();
        fs::set_permissions(tree.path(name), there).unwrap();
    }
    pause.end();
    assert_eq!(watchers.heard(), ["0 ATTRIB a", "0 ATTRIB b"]);
}

#[test]
fn the_tree_keeps_its_times_where_everything_above_is_watched_and_entries_go_aside_in_it() {
    for top_is_watched in [false, true] {
        let tree = Tree::new();
        tree.write("sub/x", "");
        let sub = tree.path("sub");
        // No other place is left: in each of these a directory that goes would be heard.
        let elsewhere = ["/var/tmp", "/tmp", "/dev/shm"].map(Path::new);
        let above = tree.app().ancestors().skip(1).chain(elsewhere);
        let mut watches: Vec<_> = above.map(|dir| ("0x200", dir)).collect();
        watches.push((USUAL, &sub));
        if top_is_watched {
            watches.push((USUAL, tree.app()));
        }
        let mut watchers = Watchers::new(&watches);
        let pause = Pause::of(tree.app(), &[]);
        tree.write("sub/new", "new");
        let then = tree.content();
        let said = pause.end();
        let heard = watchers.heard();
        assert!(
            heard.iter().any(|line| line.ends_with("MOVED_TO new")),
            "{heard:?}: {said}"
        );
        assert_eq!(tree.content(), then, "{said}");
    }
}

#[test]
fn one_change_is_told_though_the_first_of_what_is_watched_has_not_changed() {
    let tree = Tree::new();
    let (a, b, c) = (tree.path("a"), tree.path("b"), tree.path("c"));
    // One instance: files, as node has them.
    let mut watchers = Watchers::new(&[(USUAL, &a)]);
    watchers.add(0, USUAL, &b);
    watchers.add(0, USUAL, &c);
    let pause = Pause::of(tree.app(), &["--replay", "one"]);
    tree.write("b", "written");
    tree.write("c", "written");
    let said = pause.end();
    assert_eq!(watchers.heard(), ["0 MODIFY"], "{said}");
}

/// A file system may give a new file the number of the one that has just gone, as ext4 does.
#[test]
fn a_name_that_is_removed_and_made_again_is_another_one_whatever_its_number() {
    const NAMES: &str = "0x3c0";
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(NAMES, tree.app()), (USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    let gone = |name: &str| fs::remove_file(tree.path(name)).unwrap();
    gone("a");
    tree.write("a", "a");
    gone("b");
    symlink("a", tree.path("b")).unwrap();
    gone("c");
    fs::create_dir(tree.path("c")).unwrap();
    let said = pause.end();
    let mut heard = watchers.heard();
    heard.sort();
    let wanted = [
        "0 MOVED_FROM c",
        "0 MOVED_TO a",
        "0 MOVED_TO b",
        "0 MOVED_TO,ISDIR c",
        "1 CLOSE_WRITE a",
        "1 MODIFY a",
        "1 MODIFY b",
        "1 MOVED_FROM c",
        "1 MOVED_TO,ISDIR c",
    ];
    assert_eq!(heard, wanted, "{said}");
}

#[test]
fn the_looks_for_one_process_are_not_heard_by_another_one() {
    let tree = before_deploy();
    let mut watchers = [(); 3].map(|()| Watchers::new(&[(ALL, tree.app())]));
    let pids = watchers.each_ref().map(|one| one.0.pid().to_string());
    let args: Vec<_> = pids.iter().flat_map(|pid| ["--pid", pid]).collect();
    let pause = Pause::of(tree.app(), &args);
    for one in &mut watchers {
        assert_eq!(one.heard(), [""; 0]);
    }
    pause.end();
    for one in &mut watchers {
        assert_eq!(one.heard(), [""; 0]);
        assert_eq!(masks(one.0.pid()), [0xfff]);
    }
}
