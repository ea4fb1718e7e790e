//! Watchers whose reads `watchfix run` judges: its supervisor withholds what they would hear, and nothing is done to any file.

use super::ended::{kill, kill_both};
use super::given::{Pause, Tree, USUAL, User, Watchers, masks, program, watchfix};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use support::{first_child, wait_until};

/// Rules that are about nothing there.
const NO_RULES: &[&str] = &["--strip", "none", "--ignore", "*.nothing"];

/// hears under `watchfix run`.
fn supervised(watches: &[(&str, &Path)]) -> Watchers {
    Watchers::by(run(watchfix()), watches)
}

fn run(mut watchfix: Command) -> Command {
    watchfix.args(["run", "--engine", "seccomp"]).args(NO_RULES);
    watchfix.arg("--").arg(program());
    watchfix
}

fn supervisor(watchers: &Watchers) -> u32 {
    first_child(watchers.0.pid())
}

/// The program itself.
fn pid(watchers: &Watchers) -> u32 {
    first_child(supervisor(watchers))
}

/// Changes of every kind, some of them undone, and none of them with a name more than another.
fn deploy(tree: &Tree) {
    for text in ["one", "two", "three"] {
        tree.write("a", text);
    }
    tree.replace("b", "replaced");
    fs::set_permissions(tree.path("c"), Permissions::from_mode(0o600)).unwrap();
    tree.write("new", "new");
    tree.write("new", "and written again");
    tree.write("pkg/inside", "inside");
    tree.write("short-lived", "x");
    fs::remove_file(tree.path("short-lived")).unwrap();
    fs::create_dir(tree.path("short-lived")).unwrap();
    fs::remove_dir(tree.path("short-lived")).unwrap();
    fs::remove_file(tree.path("gone")).unwrap();
    tree.write("again", "written");
    fs::remove_file(tree.path("again")).unwrap();
    tree.write("again", "anew");
    fs::remove_dir_all(tree.path("old")).unwrap();
    symlink("a", tree.path("link")).unwrap();
    fs::rename(tree.path("from"), tree.path("to")).unwrap();
    fs::rename(tree.path("to"), tree.path("to-end")).unwrap();
    fs::write(tree.path("to-end"), "written").unwrap();
    fs::read(tree.path("c")).unwrap();
}

fn before_deploy() -> Tree {
    let tree = Tree::new();
    for name in ["gone", "old/inside", "from", "again"] {
        tree.write(name, "");
    }
    tree
}

/// What is true of each name in the end, of the lines that somebody heard: what it ended by, what it began by, and what
/// happened to it since. Who hears of all comings and goings is not told of what came and went.
fn truth(heard: &[String], hears_names: bool) -> BTreeMap<String, [BTreeSet<String>; 3]> {
    let mut truth: BTreeMap<String, [BTreeSet<String>; 3]> = BTreeMap::new();
    let mut new = BTreeSet::new();
    for line in heard {
        let (kind, name) = line.split_once(' ').unwrap_or((line, ""));
        let event = kind.split(',').next().unwrap();
        if matches!(event, "OPEN" | "ACCESS" | "CLOSE_NOWRITE") {
            continue;
        }
        let is_first = !truth.contains_key(name);
        let [ended, began, since] = truth.entry(name.to_owned()).or_default();
        let one = BTreeSet::from([kind.to_owned()]);
        match event {
            "CREATE" | "MOVED_TO" => {
                if is_first && event == "CREATE" {
                    new.insert(name.to_owned());
                }
                (*began, *since) = (one, BTreeSet::new());
            }
            "DELETE" | "MOVED_FROM" if hears_names && new.remove(name) => drop(truth.remove(name)),
            "DELETE" | "MOVED_FROM" => {
                (*ended, *began, *since) = (one, BTreeSet::new(), BTreeSet::new());
            }
            _ => since.extend(one),
        }
    }
    truth
}

/// Whether the lines of `part` are among those of `all`, in their order.
fn is_within(part: &[String], all: &[String]) -> bool {
    let mut rest = all.iter();
    part.iter().all(|line| rest.any(|other| other == line))
}

/// The last lines of a kind may be what is left of several: only names that are not written to keep their places.
fn without_writes(heard: &[String]) -> Vec<String> {
    let is_write = |line: &&String| line.contains("MODIFY") || line.contains("CLOSE_WRITE");
    heard
        .iter()
        .filter(|line| !is_write(line))
        .cloned()
        .collect()
}

#[test]
fn what_is_true_in_the_end_is_told_once_and_nothing_that_did_not_happen() {
    for masks_of in ["0xfff", USUAL, "0x3c2", "0x8", "0x302", "0x146"] {
        let tree = before_deploy();
        let hears_names = matches!(masks_of, "0xfff" | USUAL | "0x3c2");
        let watches = [
            (masks_of, tree.app()),
            (masks_of, &*tree.path("old")),
            (masks_of, &*tree.path("b")),
        ];
        let mut bare = Watchers::new(&watches);
        let mut watchers = supervised(&watches);
        let program = pid(&watchers);
        let before = masks(program);
        let pause = Pause::of(tree.app(), &["--pid", &program.to_string()]);
        assert!(
            pause.said().contains("paused 3 watches of 1 process"),
            "{}",
            pause.said()
        );
        deploy(&tree);
        assert_eq!(watchers.heard(), [""; 0], "{masks_of}");
        assert_eq!(bare.0.seen().len(), 4, "it has not been asked yet");
        // Some of it is read while it is withheld, and some when it ends.
        tree.write("a", "four");
        let changed = |name: &str| {
            let at = fs::symlink_metadata(tree.path(name)).unwrap();
            (at.ctime(), at.ctime_nsec())
        };
        let times = ["a", "b", "new", "pkg"].map(changed);
        let said = pause.end();
        assert!(said.contains("resumed 3 watches"), "{said}");
        assert_eq!(
            ["a", "b", "new", "pkg"].map(changed),
            times,
            "no file is touched"
        );
        assert_eq!(&masks(program)[..1], &before[..1]);
        let (heard, all) = (watchers.heard(), bare.heard());
        for instance in 0..3 {
            let of = |heard: &[String]| -> Vec<String> {
                let list = Watchers::heard_by(heard, instance);
                list.into_iter().map(str::to_owned).collect()
            };
            let (heard, all) = (of(&heard), of(&all));
            assert_eq!(
                truth(&heard, hears_names),
                truth(&all, hears_names),
                "{masks_of}: {heard:?} of {all:?}"
            );
            let kept = heard.iter().all(|line| all.contains(line));
            assert!(
                kept && is_within(&without_writes(&heard), &all),
                "{masks_of}: {heard:?} of {all:?}"
            );
            let once: BTreeSet<_> = heard.iter().collect();
            assert_eq!(once.len(), heard.len(), "{masks_of}: {heard:?}");
        }
        tree.write("c", "later");
        let later = watchers.heard();
        let mut all = bare.heard();
        all.retain(|line| later.contains(line));
        assert_eq!(later, all);
    }
}

#[test]
fn several_pauses_withhold_until_the_last_one_ends() {
    let tree = Tree::new();
    tree.write("sub/x", "");
    let mut watchers = supervised(&[(USUAL, tree.app()), (USUAL, &tree.path("sub"))]);
    let first = Pause::of(tree.app(), &["--replay", "none"]);
    let second = Pause::of(&tree.path("sub"), &[]);
    assert!(
        second.said().contains("paused 1 watch of 1 process"),
        "{}",
        second.said()
    );
    tree.write("a", "x");
    tree.write("sub/x", "x");
    let said = first.end();
    // What both are about is the other one's to tell.
    assert!(
        said.contains("resumed 2 watches") && !said.contains("another pause"),
        "{said}"
    );
    assert_eq!(watchers.heard(), [""; 0]);
    tree.write("a", "y");
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    second.end();
    assert_eq!(watchers.heard(), ["1 MODIFY x", "1 CLOSE_WRITE x"]);
}

#[test]
fn one_change_or_none_is_told_as_asked_for() {
    for (replay, wanted) in [("one", &["0 MODIFY a"][..]), ("none", &[])] {
        let tree = Tree::new();
        let mut watchers = supervised(&[(USUAL, tree.app())]);
        let pause = Pause::of(tree.app(), &["--replay", replay]);
        for name in ["a", "b"] {
            tree.write(name, "x");
        }
        pause.end();
        assert_eq!(watchers.heard(), wanted);
        tree.write("b", "y");
        assert_eq!(watchers.heard(), ["0 MODIFY b", "0 CLOSE_WRITE b"]);
    }
}

#[test]
fn what_is_watched_later_is_withheld_too_and_what_is_elsewhere_is_not() {
    let tree = Tree::new();
    tree.write("sub/x", "");
    let elsewhere = Tree::new();
    let mut watchers = supervised(&[(USUAL, tree.app())]);
    watchers.add(0, USUAL, elsewhere.app());
    let pause = Pause::of(tree.app(), &[]);
    watchers.add(0, USUAL, &tree.path("sub"));
    watchers.add(1, USUAL, &tree.path("sub"));
    let withheld = || {
        let (_, json, _) = super::given::pause(&["--list", "--json"]);
        json.matches(tree.path("sub").to_str().unwrap()).count() >= 2
    };
    wait_until("they are on record", withheld);
    tree.write("sub/x", "x");
    elsewhere.write("a", "x");
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    let said = pause.end();
    assert!(said.contains("muted 2 watches more"), "{said}");
    let told = |instance: u32| ["MODIFY", "CLOSE_WRITE"].map(|kind| format!("{instance} {kind} x"));
    assert_eq!(watchers.heard(), [told(0), told(1)].concat());
}

#[test]
fn an_instance_that_is_made_anew_meanwhile_is_withheld_from_again() {
    let tree = Tree::new();
    let mut watchers = supervised(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    watchers
        .0
        .send(&format!("again 0 {USUAL} {}", tree.app().display()));
    watchers.0.line_with("wd 1");
    wait_until("nothing is heard", || {
        tree.write("b", "x");
        watchers.heard().is_empty()
    });
    tree.write("a", "x");
    assert_eq!(watchers.heard(), [""; 0]);
    pause.end();
    let heard = watchers.heard();
    let told = ["MODIFY b", "CLOSE_WRITE b", "MODIFY a", "CLOSE_WRITE a"];
    assert_eq!(Watchers::heard_by(&heard, 0), told);
}

#[test]
fn an_instance_left_to_a_child_is_the_childs_to_be_told() {
    let tree = Tree::new();
    let mut watchers = supervised(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    tree.write("a", "x");
    assert_eq!(watchers.heard(), [""; 0]);
    watchers.0.send("child");
    watchers.0.line_with("CHILD");
    tree.write("b", "x");
    assert_eq!(watchers.heard(), [""; 0]);
    pause.end();
    let heard = watchers.heard();
    let told = ["MODIFY a", "CLOSE_WRITE a", "MODIFY b", "CLOSE_WRITE b"];
    assert_eq!(Watchers::heard_by(&heard, 0), told);
}

/// The kernel keeps 16,384 records of an instance nobody reads.
#[test]
fn more_changes_than_a_queue_has_room_for_are_withheld_for_who_reads_nothing() {
    let tree = Tree::new();
    let mut watchers = supervised(&[("0x102", tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    for number in 0..20_000 {
        fs::File::create(tree.path(&number.to_string())).unwrap();
    }
    pause.end();
    let heard = watchers.heard();
    let wanted: Vec<_> = (0..20_000)
        .map(|number| format!("0 CREATE {number}"))
        .collect();
    assert!(heard == wanted, "{} {:?}", heard.len(), heard.last());
}

#[test]
fn when_watchfix_and_the_guardian_are_killed_all_is_told_at_once() {
    let tree = Tree::new();
    let user = User::of(&tree);
    let watches = [(USUAL, tree.app())];
    let mut watchers = Watchers::by(run(user.watchfix()), &watches);
    let pause = Pause::by(user.watchfix(), tree.app(), &[]);
    assert!(
        pause.said().contains("paused 1 watch of 1 process"),
        "{}",
        pause.said()
    );
    tree.write("a", "x");
    assert_eq!(watchers.heard(), [""; 0]);
    kill_both(&pause);
    let mut heard = Vec::new();
    wait_until("all is told", || {
        heard.extend(watchers.heard());
        heard.len() == 2
    });
    assert_eq!(heard, ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    assert_eq!(masks(pid(&watchers)), [0xfce]);
    let output = user.watchfix().args(["pause", "--list"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("resumed 0 watches"), "{said}");
    assert_eq!(watchers.heard(), [""; 0]);
    assert_eq!(fs::read_dir(user.records()).unwrap().count(), 0);
}

#[test]
fn where_the_supervisor_is_killed_its_watches_are_muted_and_told_as_all_others() {
    for looks in [true, false] {
        let tree = Tree::new();
        let mut watchers = supervised(&[(USUAL, tree.app())]);
        let program = pid(&watchers);
        let pause = Pause::of(tree.app(), &[]);
        tree.write("a", "x");
        assert_eq!(watchers.heard(), [""; 0]);
        kill(supervisor(&watchers));
        if looks {
            wait_until("its mask is muted", || masks(program)[0] & 0xfff == 0);
            watchers.heard();
            tree.write("b", "x");
            assert_eq!(watchers.heard(), [""; 0]);
        }
        let said = pause.end();
        assert!(said.contains("resumed 1 watch;"), "{said}");
        let heard = watchers.heard();
        let written = if looks { &["a", "b"][..] } else { &["a"] };
        let told = ["MODIFY", "CLOSE_WRITE"];
        let told = told
            .iter()
            .flat_map(|kind| written.iter().map(move |name| format!("0 {kind} {name}")));
        assert_eq!(heard, told.collect::<Vec<_>>(), "{said}");
        assert_eq!(masks(program), [0xfce]);
    }
}

#[test]
fn what_is_done_to_tell_others_is_not_told_to_it_as_a_change() {
    let tree = before_deploy();
    let mut muted = Watchers::new(&[("0xfff", tree.app())]);
    let mut watchers = supervised(&[("0xfff", tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    assert!(
        pause.said().contains("paused 2 watches of 2 processes"),
        "{}",
        pause.said()
    );
    deploy(&tree);
    pause.end();
    let names = |heard: Vec<String>| -> BTreeSet<String> {
        let names = heard
            .iter()
            .filter_map(|line| Some(line.split(' ').nth(2)?.to_owned()));
        names.collect()
    };
    let mut heard = names(watchers.heard());
    // By this name another file may have been known.
    heard.remove("to");
    assert_eq!(heard, names(muted.heard()));
}

#[test]
fn fdscan_says_that_it_is_paused() {
    let tree = Tree::new();
    let watchers = supervised(&[(USUAL, tree.app())]);
    let pause = Pause::of(tree.app(), &[]);
    let scan = || {
        let mut fdscan = Command::new(support::binary("fdscan", "fdscan"));
        let output = fdscan
            .args([&pid(&watchers).to_string(), "--json"])
            .output();
        let json: serde_json::Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        json["processes"][0]["paused"].clone()
    };
    assert_eq!(scan()["watches"], 1);
    pause.end();
    assert!(scan().is_null());
}
