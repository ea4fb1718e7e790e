//! Incident 1 as its own user meets it: no file handle may be opened, and to list a directory wakes the process.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Fixture, Process, Stage, Witness, inode, is_root, quiet};

/// `mkfds watch-tree` with so many directories in the root, and in each of those.
const TOPS: usize = 45;
const EACH: usize = 44;
const ALL: usize = 1 + TOPS + TOPS * EACH;

/// A watched tree beside directories of others, and somebody who watches those.
struct Scene {
    stage: Stage,
    root: PathBuf,
    fixture: Fixture,
    others: Witness,
}

impl Scene {
    fn new(uid: u32, mask: &str) -> Scene {
        let stage = Stage::unprivileged(uid);
        let base = stage.make("base");
        let root = stage.make("base/app");
        let other = stage.make("base/other");
        let deeper = stage.make("base/other/deeper");
        let (tops, each) = (TOPS.to_string(), EACH.to_string());
        let tree = [
            "watch-tree",
            "--tops",
            &tops,
            "--each",
            &each,
            "--mask",
            mask,
        ];
        let fixture = stage.mkfds_in(&root, &tree);
        let others = Witness::of([base, other, deeper]);
        Scene {
            stage,
            root,
            fixture,
            others,
        }
    }

    fn scan(&self, args: &[&str]) -> Process {
        let pid = self.fixture.pid().to_string();
        let args = [&[pid.as_str(), "--json"], args].concat();
        self.stage.scan_as_user(&args).process()
    }

    fn events(&self, args: &[&str]) -> Value {
        let pid = self.fixture.pid().to_string();
        let args = [&["events", &pid, "--json"], args].concat();
        self.stage.scan_as_user(&args).json()
    }

    /// The watched directories.
    fn directories(&self) -> Vec<PathBuf> {
        let below = |path: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
            let directories = entries.filter(|entry| entry.file_type().unwrap().is_dir());
            directories.map(|entry| entry.path()).collect()
        };
        let tops = below(&self.root);
        let leaves: Vec<_> = tops.iter().flat_map(|top| below(top)).collect();
        [vec![self.root.clone()], tops, leaves].concat()
    }

    /// Nobody outside the tree was told of a look.
    #[track_caller]
    fn nobody_else_is_woken(&mut self) {
        // The kernel tells the parent who opens a directory in it: that is the root's own event.
        let told = self.others.told();
        let told: Vec<_> = told.iter().filter(|(.., name)| name != "app").collect();
        assert!(told.is_empty(), "{told:?}");
    }

    fn queued(&mut self) -> String {
        self.fixture.victim.send("queued?");
        self.fixture.victim.line_with("queued=")
    }
}

/// Somebody who reads a file all the time, until it is dropped.
struct Reader {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn of(file: PathBuf) -> Reader {
        let done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                fs::read(&file).unwrap();
                // Queues hold 16,384 events.
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Reader {
            done,
            thread: Some(thread),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

#[track_caller]
fn all_are_found(process: &Process) {
    assert_eq!(process.watches().len(), ALL);
    for watch in process.watches() {
        let path = watch["path"].as_str().unwrap_or_else(|| panic!("{watch}"));
        assert_eq!(inode(Path::new(path)), watch["inode"], "{watch}");
    }
    assert_eq!(process.0["watch_trees"], json!([]));
}

fn found(process: &Process) -> usize {
    let watches = process.watches();
    watches.iter().filter(|w| w["path"].is_string()).count()
}

/// Each watched directory was opened once at most, and those without a directory in them never.
#[track_caller]
fn each_is_listed_once_at_most(told: &[(&Path, u32, String)]) {
    let mut opened: BTreeMap<&Path, usize> = BTreeMap::new();
    for (path, mask, name) in told {
        if mask & libc::IN_OPEN != 0 && name.is_empty() {
            *opened.entry(path).or_default() += 1;
        }
    }
    assert!(opened.values().all(|&times| times == 1), "{opened:?}");
    assert_eq!(opened.len(), 1 + TOPS, "{opened:?}");
}

#[test]
fn an_idle_process_is_not_woken_and_the_root_of_its_tree_is_the_answer() {
    let _quiet = quiet();
    let mut scene = Scene::new(60_501, "0x3ee");
    let process = scene.scan(&[]);
    let root = scene.root.to_str().unwrap().to_owned();
    assert_eq!(
        process.0["watch_trees"],
        json!([{ "tops": [root], "more_tops": 0, "watches": ALL, "found": 1 }])
    );
    let says = process.finding("watch-wakes-on-read", "info")["message"].clone();
    let place = format!("2,026 watches with mask 0x3ee in {root} and below fire");
    assert!(says.as_str().unwrap().starts_with(&place), "{says}");
    let gaps = process.0["incomplete"].to_string();
    assert!(gaps.contains("--wake allows it"), "{gaps}");
    assert_eq!(scene.queued(), "queued=0");
    scene.nobody_else_is_woken();

    let pid = scene.fixture.pid().to_string();
    let text = scene.stage.scan_as_user(&[&pid, "--all"]);
    // Long lines are wrapped.
    let words: Vec<_> = text.text().split_whitespace().collect();
    assert!(words.join(" ").contains(&format!("{root} and below")));
}

#[test]
fn whoever_is_woken_by_others_anyway_is_shown_with_all_of_its_tree() {
    let _quiet = quiet();
    let mut scene = Scene::new(60_502, "0x3ee");
    let mut watcher = Witness::of(scene.directories());
    let file = scene.root.join("file");
    fs::write(&file, "").unwrap();
    let reader = Reader::of(file);
    let mut process = scene.scan(&[]);
    // On a busy machine the reader may have slept all the time it was listened.
    let begun = Instant::now();
    while found(&process) < 2 && begun.elapsed() < support::DEADLINE {
        process = scene.scan(&[]);
    }
    drop(reader);
    all_are_found(&process);
    let told = watcher.told();
    let told: Vec<_> = told
        .into_iter()
        .filter(|(.., name)| name != "file")
        .collect();
    each_is_listed_once_at_most(&told);
    scene.nobody_else_is_woken();
}

#[test]
fn an_idle_process_is_woken_where_its_user_allows_it() {
    let _quiet = quiet();
    let mut scene = Scene::new(60_503, "0x3ee");
    let mut watcher = Witness::of(scene.directories());
    all_are_found(&scene.scan(&["--wake"]));
    each_is_listed_once_at_most(&watcher.told());
    scene.nobody_else_is_woken();
}

#[test]
fn events_that_listened_to_few_inodes_cannot_tell_and_says_what_can() {
    let _quiet = quiet();
    let mut scene = Scene::new(60_504, "0x3ee");
    let doc = scene.events(&["--for", "0.1"]);
    assert_eq!(
        (&doc["watched"], &doc["listened"]),
        (&ALL.into(), &1.into())
    );
    let says = doc["conclusion"]["message"].as_str().unwrap();
    assert!(says.starts_with("Cannot tell what wakes it"), "{says}");
    assert!(says.contains("the 1 of 2,026 watched inodes"), "{says}");
    let place = format!("in {} and below; --wake", scene.root.display());
    assert!(says.contains(&place), "{says}");
    let ask = doc["conclusion"]["ask"].as_str().unwrap();
    let end = format!("/fdscan events {}", scene.fixture.pid());
    assert!(ask.starts_with("sudo /") && ask.ends_with(&end), "{ask}");
    assert_eq!(scene.queued(), "queued=0");
    scene.nobody_else_is_woken();
    if is_root() {
        // What it says that can, can.
        let pid = scene.fixture.pid().to_string();
        let doc = scene
            .stage
            .scan(&["events", &pid, "--json", "--for", "0.1"])
            .json();
        assert_eq!(doc["listened"], ALL);
        assert_eq!(doc["conclusion"]["ask"], Value::Null);
    }
    let doc = scene.events(&["--for", "0.1", "--wake"]);
    assert_eq!(doc["listened"], ALL, "{:#}", doc["conclusion"]);
}

#[test]
fn events_listens_to_all_of_whoever_is_woken_anyway() {
    let _quiet = quiet();
    let scene = Scene::new(60_505, "0x3ee");
    let file = scene.root.join("file");
    fs::write(&file, "").unwrap();
    let reader = Reader::of(file);
    let mut doc = scene.events(&["--for", "2"]);
    // As above.
    let begun = Instant::now();
    while doc["listened"] == 1 && begun.elapsed() < support::DEADLINE {
        doc = scene.events(&["--for", "2"]);
    }
    drop(reader);
    assert_eq!(
        (&doc["watched"], &doc["listened"]),
        (&ALL.into(), &ALL.into())
    );
    let says = doc["conclusion"]["message"].as_str().unwrap();
    assert!(says.contains("are reads"), "{says}");
}

#[test]
fn what_has_a_usual_name_is_found_without_listing() {
    let _quiet = quiet();
    let stage = Stage::unprivileged(60_506);
    let dir = stage.make("project");
    let tree = ["watch-tree", "--tops", "2", "--each", "1"];
    let mut fixture = stage.mkfds_in(&dir, &tree);
    fs::rename(dir.join("d000000"), dir.join("src")).unwrap();
    fs::rename(dir.join("src/d000000"), dir.join("src/components")).unwrap();
    fixture.victim.send("queued?");
    let before = fixture.victim.line_with("queued=");
    let pid = fixture.pid().to_string();
    let process = stage.scan_as_user(&[&pid, "--json"]).process();
    let mut paths: Vec<_> = process
        .watches()
        .iter()
        .filter_map(|w| w["path"].as_str())
        .collect();
    paths.sort_unstable();
    let wanted = ["", "/src", "/src/components"].map(|name| format!("{}{name}", dir.display()));
    assert_eq!(paths, wanted);
    fixture.victim.send("queued?");
    assert_eq!(fixture.victim.line_with("queued="), before);
}

#[test]
fn a_quiet_walk_leaves_the_times_of_access_of_its_users_directories() {
    use std::os::unix::fs::MetadataExt;
    // The walks of others change them.
    let _quiet = quiet();
    let stage = Stage::unprivileged(60_507);
    let dir = stage.make("tree");
    let tree = [
        "watch-tree",
        "--tops",
        "3",
        "--each",
        "3",
        "--mask",
        "0x3ce",
    ];
    let fixture = stage.mkfds_in(&dir, &tree);
    let access = || -> Vec<_> {
        let tops = (0..3).map(|n| dir.join(format!("d{n:06}")));
        let all = tops.chain([dir.clone()]);
        all.map(|path| {
            fs::metadata(path)
                .map(|m| (m.atime(), m.atime_nsec()))
                .unwrap()
        })
        .collect()
    };
    let before = access();
    let process = stage.look_as_user(&fixture);
    assert!(
        process
            .watches()
            .iter()
            .all(|watch| watch["path"].is_string())
    );
    assert_eq!(access(), before);
}

#[test]
fn what_may_not_be_looked_into_is_not_said_to_be_without_findings() {
    if !is_root() {
        return support::skip("only root can start another user's process");
    }
    let stage = Stage::as_user(60_572);
    let own = stage.mkfds(&["idle"]);
    let others: Vec<_> = (0..2).map(|_| Stage::new().mkfds(&["idle"])).collect();
    let [one, two] = [&others[0], &others[1]].map(|other| other.pid().to_string());
    let own = own.pid().to_string();
    let own = own.as_str();
    for (asked, last) in [
        (&[one.as_str()][..], "1 process could not be looked into."),
        (&[&one, &two], "2 processes could not be looked into."),
        (
            &[own, &one],
            "No finding in 1 process; 1 could not be looked into.",
        ),
    ] {
        let scan = stage.scan_as_user(asked);
        assert_eq!(scan.code(), 4, "{}", scan.stderr);
        let text = scan.text();
        assert!(text.lines().any(|line| line.starts_with(last)), "{text}");
        let said = text.matches("It could not be looked into").count();
        let nothing = text.matches("No finding. Nothing wrong was found").count();
        let denied = asked.iter().filter(|pid| **pid != own).count();
        assert_eq!((said, nothing), (denied, asked.len() - denied), "{text}");
    }
    let top = stage.scan_as_user(&["top", "--limit", "0"]);
    assert!(top.text().contains(" not looked into. "), "{}", top.text());
}
