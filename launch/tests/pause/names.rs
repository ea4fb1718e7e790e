//! What watchers hear of files that were renamed, or have got another name.

use super::given::{Pause, Tree, USUAL, Watchers};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// link(2) changes a file's number of names, which only who watches the file itself hears.
#[test]
fn another_name_of_a_file_is_told_to_who_watches_the_file_and_the_new_name_to_who_watches_the_directory()
 {
    let tree = Tree::new();
    let mut watchers = Watchers::new(&[(USUAL, tree.app()), (USUAL, &tree.path("a"))]);
    let link = |name: &str| fs::hard_link(tree.path("a"), tree.path(name)).unwrap();
    link("bare");
    assert_eq!(watchers.heard(), ["0 CREATE bare", "1 ATTRIB"]);
    let pause = Pause::of(tree.app(), &[]);
    link("paused");
    assert_eq!(watchers.heard(), [""; 0]);
    let said = pause.end();
    let mut heard = watchers.heard();
    heard.sort();
    assert_eq!(heard, ["0 MOVED_TO paused", "1 ATTRIB"], "{said}");
}

#[test]
fn what_is_watched_itself_and_was_renamed_hears_that_it_moved() {
    let tree = Tree::new();
    tree.write("old/inside", "");
    tree.write("sub/file", "");
    let mut watchers = Watchers::new(&[
        (USUAL, tree.app()),
        (USUAL, &tree.path("old")),
        (USUAL, &tree.path("old/inside")),
        (USUAL, &tree.path("sub")),
        (USUAL, &tree.path("sub/file")),
        (USUAL, &tree.path("a")),
    ]);
    let pause = Pause::of(tree.app(), &[]);
    fs::rename(tree.path("old"), tree.path("new")).unwrap();
    fs::rename(tree.path("sub/file"), tree.path("file")).unwrap();
    assert_eq!(watchers.heard(), [""; 0]);
    let then = tree.content();
    let said = pause.end();
    let heard = watchers.heard();
    assert_eq!(tree.content(), then, "{said}");
    let by = |instance| Watchers::heard_by(&heard, instance);
    assert_eq!(
        by(0),
        ["DELETE,ISDIR old", "MOVED_TO file", "MOVED_TO,ISDIR new"]
    );
    assert_eq!(by(1), ["MOVE_SELF"], "{heard:?}");
    assert_eq!((by(2), by(5)), (vec![], vec![]), "{heard:?}");
    assert_eq!(by(3), ["DELETE file"]);
    assert_eq!(by(4), ["MOVE_SELF"]);
}

#[test]
fn a_symbolic_link_that_took_the_place_of_another_is_told_to_who_hears_no_modify() {
    let tree = Tree::new();
    symlink("a", tree.path("current")).unwrap();
    let masks = ["0x88", "0x8a", "0x80"];
    let watches: Vec<_> = masks.iter().map(|mask| (*mask, tree.app())).collect();
    let mut watchers = Watchers::new(&watches);
    let pause = Pause::of(tree.app(), &[]);
    symlink("b", tree.path("next")).unwrap();
    fs::rename(tree.path("next"), tree.path("current")).unwrap();
    assert_eq!(watchers.heard(), [""; 0], "during the pause");
    let said = pause.end();
    let heard = watchers.heard();
    for (at, event) in ["MOVED_TO current", "MODIFY current", "MOVED_TO current"]
        .iter()
        .enumerate()
    {
        assert_eq!(Watchers::heard_by(&heard, at), [*event], "{said}");
    }
}

/// Where everything else is watched, entries go aside in the tree itself.
#[test]
fn what_was_renamed_goes_aside_unheard_in_the_tree_too() {
    let tree = Tree::new();
    tree.write("sub/x", "");
    let elsewhere = ["/var/tmp", "/tmp", "/dev/shm"].map(Path::new);
    let above = tree.app().ancestors().skip(1).chain(elsewhere);
    let mut watches: Vec<_> = above.map(|dir| ("0x200", dir)).collect();
    let first = watches.len();
    let (sub, file) = (tree.path("sub"), tree.path("a"));
    // Who hears no name is told of none: the first that goes aside is what was renamed.
    watches.extend([("0x600", tree.app()), ("0x200", &sub), (USUAL, &file)]);
    let mut watchers = Watchers::new(&watches);
    let pause = Pause::of(tree.app(), &[]);
    fs::rename(&file, tree.path("sub/a")).unwrap();
    let then = tree.content();
    let said = pause.end();
    let heard = watchers.heard();
    let by = |instance| Watchers::heard_by(&heard, first + instance);
    assert_eq!(by(0), ["DELETE a"], "{said}");
    assert_eq!(by(1), [""; 0], "{said}");
    assert_eq!(by(2), ["MOVE_SELF"], "{said}");
    assert_eq!(tree.content(), then, "{said}");
}
