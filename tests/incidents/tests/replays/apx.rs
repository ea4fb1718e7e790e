//! Incident 1: `apx dev start` regenerates for ever, because its own reads wake it.

use std::collections::BTreeMap;

use incidents::apx::{Apx, DIRECTORIES, Tree};
use incidents::{Part, Product, Table, Way};
use inspect::words::number;
use serde_json::Value;

use crate::common::{self, Linkage, Reach};

/// For how long `fdscan events` listens, in seconds: for several regenerations.
const LISTEN: u32 = 4;

#[test]
fn reads_wake_it_for_ever_and_with_each_remedy_only_edits_do() {
    let mut table = Table::new("1 apx");
    // Of both: its five thousand directories take longer to make and to remove than all the rest.
    let tree = Tree::new();
    for linkage in Linkage::ALL {
        let Some(product) = linkage.product("apx") else {
            continue;
        };
        let mut replay = Replay {
            linkage,
            product: &product,
            tree: &tree,
            table: &mut table,
        };
        replay.diagnosed_and_healed_while_it_loops();
        replay.started_by(Way::Preload);
        replay.started_by(Way::Run);
    }
    table.print();
}

struct Replay<'a> {
    linkage: Linkage,
    product: &'a Product,
    tree: &'a Tree,
    table: &'a mut Table,
}

impl<'a> Replay<'a> {
    fn diagnosed_and_healed_while_it_loops(&mut self) {
        let mut apx = self.start(Way::Heal);
        let seen = reads_wake_it(&mut apx);
        self.row(Part::Bare, "nobody edits", seen);
        let process = self.product.fdscan_json(apx.pid());
        self.row(Part::Diagnosis, "`fdscan PID`", names_the_reads(&process));
        let events = self.product.fdscan_events(apx.pid(), LISTEN);
        self.row(Part::Diagnosis, "`fdscan events PID`", finds_reads(&events));

        let before = apx.regenerated();
        let Some(said) = common::heal(self.product, apx.pid()) else {
            return;
        };
        assert!(said.starts_with("healed 5,299 of 5,299 watches"), "{said}");
        self.row(Part::Remedy, "`watchfix heal PID`", said);
        // The last of them for the edit that tells that there are no more.
        let late = apx.catch_up() - before - 1;
        let seen = self.only_edits_wake_it(&mut apx, Reach::Masks);
        let seen = format!("{late} more regenerations for what had woken it before; then {seen}");
        self.row(Part::Remedy, "healed", seen);
        apx.end();
    }

    fn started_by(&mut self, way: Way) {
        let mut apx = self.start(way);
        let seen = match self.linkage.reach(way) {
            Reach::Nothing => {
                let seen = reads_wake_it(&mut apx);
                let process = self.product.fdscan_json(apx.pid());
                let said = common::preload_is_ineffective(&process);
                format!("{seen}; `fdscan PID`: {said}")
            }
            reach => self.only_edits_wake_it(&mut apx, reach),
        };
        self.row(Part::Remedy, &way.to_string(), seen);
        apx.end();
    }

    fn start(&self, way: Way) -> Apx<'a> {
        // The test harness shows it with a failure.
        println!("{}, {way}", self.linkage);
        Apx::start(self.product, self.tree, way)
    }

    fn row(&mut self, part: Part, what: &str, seen: String) {
        let what = format!("{}, {what}", self.linkage);
        self.table.row(part, what, seen);
    }

    fn only_edits_wake_it(&self, apx: &mut Apx<'_>, reach: Reach) -> String {
        assert_eq!(apx.masks(), masks(reach));
        let quiet = apx.read_and_edit();
        assert!(quiet.files_read > 0);
        // Nothing for the generations, which read the program, and nothing for the test's reads.
        let all = &quiet.regenerations;
        assert!(all.iter().all(|r| r.opens == 0), "{all:#?}");
        let (edits, late): (Vec<_>, Vec<_>) = all.iter().partition(|r| r.changes > 0);
        let changed: Vec<_> = edits.iter().map(|r| r.paths.clone()).collect();
        assert_eq!(changed, [["src/router.py"], ["src/models.py"]], "{all:#?}");
        // If the editing process loses its processor between its write and its close for longer than
        // the victim waits, the close is told apart. It is no other event.
        for close in late {
            assert_eq!(close.cause, "Access(Close(Write))", "{all:#?}");
            assert_eq!(close.paths, ["src/router.py"], "{all:#?}");
        }

        let process = self.product.fdscan_json(apx.pid());
        assert_eq!(process["inotify"][0]["watch_count"], DIRECTORIES);
        common::no_finding(&process, "watch-wakes-on-read");
        // Engines that see masks alone leave attrib, for the sake of `touch`.
        match reach {
            Reach::Masks => drop(common::finding(&process, "watch-wakes-on-attrib")),
            _ => common::no_finding(&process, "watch-wakes-on-attrib"),
        }
        format!(
            "{} files read, 2 files edited: {} regenerations, no OPEN event; {}, CPU {}",
            number(quiet.files_read as u64),
            all.len(),
            common::seconds(quiet.elapsed),
            common::percent(quiet.cpu, quiet.elapsed),
        )
    }
}

/// The root's and those of all directories below it.
fn masks(reach: Reach) -> BTreeMap<u32, usize> {
    let (root, below) = match reach {
        // What notify asks for: the root's own end too, below it what incident 1 shows.
        Reach::Nothing => (0xfee, 0x3ee),
        Reach::Masks | Reach::Events => (0xfce, 0x3ce),
    };
    BTreeMap::from([(root, 1), (below, DIRECTORIES - 1)])
}

fn reads_wake_it(apx: &mut Apx<'_>) -> String {
    assert_eq!(apx.masks(), masks(Reach::Nothing));
    let seen = apx.watch_it_loop(5);
    for regeneration in &seen.regenerations {
        assert_eq!(regeneration.changes, 0, "{regeneration:?}");
        assert!(regeneration.opens > 0, "{regeneration:?}");
    }
    let (count, opens) = (seen.regenerations.len(), seen.regenerations.iter());
    let opens = opens.map(|r| r.opens as u64).sum();
    format!(
        "{count} regenerations in {}, {} OPEN events a second, no modification; CPU {}",
        common::seconds(seen.elapsed),
        number(common::per_second(opens, seen.elapsed)),
        common::percent(seen.cpu, seen.elapsed),
    )
}

fn names_the_reads(process: &Value) -> String {
    assert_eq!(process["inotify"][0]["watch_count"], DIRECTORIES);
    let finding = common::finding(process, "watch-wakes-on-read");
    let masks = finding["evidence"]["masks"].as_array().unwrap();
    let below = masks.iter().find(|m| m["mask"] == "0x3ee");
    let below = below.unwrap_or_else(|| panic!("0x3ee is not in {finding:#}"));
    assert_eq!(below["watches"], DIRECTORIES - 1);
    common::message(process, finding)
}

/// The reporter's proof by hand, in one command.
fn finds_reads(events: &Value) -> String {
    assert!(events["total"].as_u64().unwrap() > 0, "{events:#}");
    let message = events["conclusion"]["message"].as_str().unwrap();
    assert!(message.contains("events are reads"), "{events:#}");
    assert!(message.ends_with(": strip open."), "{events:#}");
    message.to_owned()
}
