//! Incident 1: `apx dev start` regenerates for ever, because its own reads wake it.

use std::collections::BTreeMap;

use incidents::apx::{Apx, DIRECTORIES, Tree};

use crate::common;

#[test]
fn bare_it_loops_without_one_modification_and_fdscan_says_why() {
    let tree = Tree::new();
    let mut apx = Apx::start(&common::product(), &tree, false);
    // What notify asks for: the root's own end too, below it what incident 1 shows.
    let below = DIRECTORIES - 1;
    assert_eq!(apx.masks(), BTreeMap::from([(0xfee, 1), (0x3ee, below)]));

    let seen = apx.watch_it_loop(5);
    for regeneration in &seen.regenerations {
        assert_eq!(regeneration.changes, 0, "{regeneration:?}");
        assert!(regeneration.opens > 0, "{regeneration:?}");
    }
    let opens: usize = seen.regenerations.iter().map(|r| r.opens).sum();
    println!(
        "{} regenerations, {opens} OPEN events, no modification, {:.1?}, CPU {:.1?}",
        seen.regenerations.len(),
        seen.elapsed,
        seen.cpu
    );

    let process = common::product().fdscan_json(apx.pid());
    assert_eq!(process["inotify"][0]["watch_count"], DIRECTORIES);
    let finding = common::finding(&process, "watch-wakes-on-read");
    let masks = finding["evidence"]["masks"].as_array().unwrap();
    let ours = masks.iter().find(|m| m["mask"] == "0x3ee");
    let ours = ours.unwrap_or_else(|| panic!("0x3ee is not in {finding:#}"));
    assert_eq!(ours["watches"], below);
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(remedy.contains("LD_PRELOAD="), "{remedy}");

    // The reporter's proof by hand, in one command.
    let events = common::product().fdscan_events(apx.pid(), 8);
    let total = events["total"].as_u64().unwrap();
    let message = events["conclusion"]["message"].as_str().unwrap();
    println!("fdscan events: {message}");
    assert!(total > 0, "{events:#}");
    assert!(message.contains("events are reads"), "{events:#}");
    assert!(message.ends_with(": strip open."), "{events:#}");
}

#[test]
fn with_the_preload_reads_cause_nothing_and_each_edit_one_regeneration() {
    let tree = Tree::new();
    let mut apx = Apx::start(&common::product(), &tree, true);
    let below = DIRECTORIES - 1;
    assert_eq!(apx.masks(), BTreeMap::from([(0xfca, 1), (0x3ca, below)]));

    let quiet = apx.read_and_edit();
    assert!(quiet.files_read > 0);
    // Nothing for the generation at start-up, which reads the program, and nothing for the test's reads.
    let causes: Vec<_> = quiet
        .regenerations
        .iter()
        .map(|r| r.paths.clone())
        .collect();
    assert_eq!(
        causes,
        [["src/router.py"], ["src/models.py"]],
        "{:#?}",
        quiet.regenerations
    );
    assert!(quiet.regenerations.iter().all(|r| r.opens == 0));

    let process = common::product().fdscan_json(apx.pid());
    assert_eq!(process["inotify"][0]["watch_count"], DIRECTORIES);
    common::no_finding(&process, "watch-wakes-on-read");
    common::no_finding(&process, "watch-wakes-on-attrib");
}
