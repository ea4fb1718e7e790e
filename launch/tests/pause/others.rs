//! Somebody else writes all the time, while pauses come and go: nothing of it is lost, and nothing else is heard.

use super::given::{ALL, Tree, Watchers, pause};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// MODIFY CLOSE_WRITE MOVED_FROM MOVED_TO CREATE DELETE.
const MASK: &str = "0x3ca";

const DIRS: usize = 8;
const PAUSES: usize = 8;

/// What a file that was made is called, and whether it is gone.
type Made = BTreeMap<(usize, String), bool>;

/// Makes files, writes to another one, and removes some, until it is to stop.
fn write_until(stop: &AtomicBool, tree: &Tree) -> Made {
    let mut made = Made::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let at = |number: usize| (number % DIRS, format!("f{number}"));
        let path = |(dir, name): &(usize, String)| tree.path(&format!("d{dir}/{name}"));
        let new = at(number);
        fs::write(path(&new), "").unwrap();
        fs::write(path(&(new.0, "m".to_owned())), new.1.as_bytes()).unwrap();
        made.insert(new, false);
        // Some 20 ms later, so that it may be made before, in and after the moment in which a pause begins.
        if let Some(before) = number.checked_sub(20).filter(|before| before % 3 == 0) {
            let old = at(before);
            fs::remove_file(path(&old)).unwrap();
            made.insert(old, true);
        }
        // As often as a busy build: the queues must not overflow.
        thread::sleep(std::time::Duration::from_millis(1));
    }
    made
}

#[test]
fn what_others_change_while_pauses_begin_and_end_is_heard() {
    let tree = Tree::new();
    for dir in 0..DIRS {
        tree.write(&format!("d{dir}/m"), "");
    }
    let dirs: Vec<_> = (0..DIRS).map(|dir| tree.path(&format!("d{dir}"))).collect();
    let watches: Vec<_> = dirs.iter().map(|dir| (MASK, dir.as_path())).collect();
    let reading: Vec<_> = dirs.iter().map(|dir| (ALL, dir.as_path())).collect();
    // The looks at what the first one watches come before those for the other one, who would hear them.
    let mut watchers = [&watches, &reading].map(|watches| Watchers::new(watches));
    let pids = watchers.each_ref().map(|one| one.0.pid().to_string());
    let app = tree.text("");
    let stop = AtomicBool::new(false);
    let made = thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&stop, &tree));
        for _ in 0..PAUSES {
            // A search for what other processes watch would be heard by other tests.
            let args = ["--pid", &pids[0], "--pid", &pids[1], &app, "--", "true"];
            let (status, _, said) = pause(&args);
            assert_eq!(status, 0, "{said}");
            assert!(
                said.contains("paused 16 watches") && said.contains("resumed 16 watches"),
                "{said}"
            );
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    for watchers in &mut watchers {
        is_heard(watchers, &made);
    }
}

/// Nothing of it is missing, and nothing else is there.
#[track_caller]
fn is_heard(watchers: &mut Watchers, made: &Made) {
    let mut heard: BTreeMap<(usize, String), BTreeSet<String>> = BTreeMap::new();
    for line in watchers.heard() {
        let words: Vec<_> = line.split(' ').collect();
        let [instance, event, name] = words[..] else {
            panic!("{line}");
        };
        let key = (instance.parse().unwrap(), name.to_owned());
        heard.entry(key).or_default().insert(event.to_owned());
    }
    let mut lost = Vec::new();
    for (file, &is_gone) in made {
        let events = heard.remove(file).unwrap_or_default();
        let heard = |event: &str| events.contains(event);
        let came = heard("CREATE") || heard("MOVED_TO");
        let complete = match is_gone {
            // One that came and went in one pause is nobody's.
            true => !came || heard("DELETE"),
            false => came && !heard("DELETE"),
        };
        if !complete || heard("MOVED_FROM") {
            lost.push((file, is_gone, events));
        }
    }
    assert!(lost.is_empty(), "of {}: {lost:?}", made.len());
    // What is left is the file that was written to.
    assert!(heard.keys().all(|(_, name)| name == "m"), "{heard:?}");
}
