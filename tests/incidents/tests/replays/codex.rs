//! Incident 5: Codex watches the directory in which it logs what it sees there.

use incidents::codex::{Codex, Edits, Event, Home};
use incidents::{Part, Product, Table, Way};
use inspect::words::{bytes, number};
use serde_json::Value;

use crate::common::{self, Linkage, Reach};

/// Enough to see that nothing but the bound ends the loop, and no more than some 20 MB.
const ROWS: u64 = 4000;
/// More than are logged before it is healed.
const MANY_ROWS: u64 = 1_000_000;
/// For how long `fdscan events` listens, in seconds.
const LISTEN: u32 = 1;
/// A page of the WAL with its header (sqlite.org/fileformat2): what a row adds at the least.
const FRAME: u64 = 24 + 4096;

#[test]
fn it_logs_its_own_log_and_with_each_remedy_only_edits_of_its_configuration() {
    let mut table = Table::new("5 Codex");
    for linkage in Linkage::ALL {
        let Some(product) = linkage.product("codex") else {
            continue;
        };
        let mut replay = Replay {
            linkage,
            product: &product,
            table: &mut table,
        };
        replay.started_by(Way::Bare);
        replay.diagnosed_and_healed_while_it_loops();
        replay.started_by(Way::Preload);
        replay.started_by(Way::Run);
    }
    table.print();
}

/// Where names cannot tell: its database is held open and never closed, an edited file is.
#[test]
fn with_its_home_settled_the_log_stays_quiet_though_no_name_is_ignored() {
    let home = Home::new();
    let rules = [
        ("WATCHFIX_SETTLE", home.path()),
        ("WATCHFIX_IGNORE", "none".as_ref()),
    ];
    let mut codex = Codex::start(&common::product(), &home, ROWS, Way::Preload, &rules);
    only_edits_arrive(&codex.edit_config(), Reach::Events);
    assert_eq!(about_the_log(&codex.logged()), 0);
}

#[test]
fn with_its_home_dropped_nothing_in_it_is_reported() {
    let home = Home::new();
    let rules = [("WATCHFIX_DROP", home.path())];
    let mut codex = Codex::start(&common::product(), &home, ROWS, Way::Preload, &rules);
    let edits = codex.edit_config();
    let events = edits.events.iter();
    let of_home: Vec<_> = events.filter(|e| e.path.starts_with(home.path())).collect();
    assert!(of_home.is_empty(), "{of_home:#?}");

    // The first row names the home itself; it is not an event.
    let logged = codex.logged();
    let of_home = logged
        .iter()
        .filter(|(path, _)| path.starts_with(home.path().to_str().unwrap()));
    assert_eq!(of_home.map(|(_, rows)| rows).sum::<u32>(), 1, "{logged:?}");
}

struct Replay<'a> {
    linkage: Linkage,
    product: &'a Product,
    table: &'a mut Table,
}

impl Replay<'_> {
    fn started_by(&mut self, way: Way) {
        let home = Home::new();
        let codex = self.start(&home, ROWS, way);
        match self.linkage.reach(way) {
            Reach::Nothing => self.logs_its_own_log(codex, &home, way),
            reach => {
                let own = self.logs_edits_alone(codex, reach, &way.to_string());
                assert_eq!(own, 0, "rows about the log");
            }
        }
    }

    fn diagnosed_and_healed_while_it_loops(&mut self) {
        let home = Home::new();
        let mut codex = self.start(&home, MANY_ROWS, Way::Heal);
        assert_eq!(codex.masks(), masks(Reach::Nothing));
        codex.wait_for_wal(ROWS * FRAME);
        let events = self.product.fdscan_events(codex.pid(), LISTEN);
        let message = events["conclusion"]["message"].as_str().unwrap();
        assert!(message.contains("logs_2.sqlite-wal"), "{events:#}");
        // As root it is known who writes, else who has it open for that.
        assert!(message.ends_with(" itself."), "{events:#}");
        self.row(Part::Diagnosis, "`fdscan events PID`", message.to_owned());

        let Some(said) = common::heal(self.product, codex.pid()) else {
            return;
        };
        assert!(said.starts_with("healed 2 of 2 watches in "), "{said}");
        assert!(said.contains("0xfee -> 0xfcc, settled"), "{said}");
        self.row(Part::Remedy, "`watchfix heal PID`", said);
        // What was to be logged of the loop comes before the events of these edits.
        codex.edit_config();
        let own = self.logs_edits_alone(codex, Reach::Masks, "healed");
        assert!(
            own > ROWS / 2,
            "{own} rows about the log before it was healed"
        );
    }

    fn logs_its_own_log(&mut self, mut codex: Codex<'_>, home: &Home, way: Way) {
        assert_eq!(codex.masks(), masks(Reach::Nothing));
        let seen = codex.watch_it_loop();
        assert_eq!(seen.rows, ROWS);
        // Who looks through /tmp meanwhile opens the home, too.
        let read = |event: &Event| event.kind == "Access(Open(Any))";
        assert!(seen.others.iter().all(read), "{:#?}", seen.others);
        assert!(seen.wal_bytes > ROWS * FRAME, "{}", seen.wal_bytes);
        let process = self.product.fdscan_json(codex.pid());
        let said = names_the_log(&process, home);
        let logged = codex.logged();
        // The first row is not an event.
        let others = 1 + seen.others.len() as u64;
        assert_eq!(about_the_log(&logged), ROWS - others, "{logged:?}");
        let mut seen = format!(
            "{} rows in {}, {} a second, all about the log; WAL {}, {} a second",
            number(ROWS),
            common::seconds(seen.elapsed),
            number(common::per_second(ROWS, seen.elapsed)),
            bytes(seen.wal_bytes),
            bytes(common::per_second(seen.wal_bytes, seen.elapsed)),
        );
        match way {
            Way::Preload => {
                let said = common::preload_is_ineffective(&process);
                seen += &format!("; `fdscan PID`: {said}");
                self.row(Part::Remedy, "preload", seen);
            }
            _ => {
                self.row(Part::Bare, "nobody edits", seen);
                self.row(Part::Diagnosis, "`fdscan PID`", said);
            }
        }
    }

    /// From now on. Returns how many rows there are about the log, which is how many there were.
    fn logs_edits_alone(&mut self, mut codex: Codex<'_>, reach: Reach, what: &str) -> u64 {
        assert_eq!(codex.masks(), masks(reach));
        let edits = codex.edit_config();
        only_edits_arrive(&edits, reach);
        let process = self.product.fdscan_json(codex.pid());
        common::no_finding(&process, "sqlite-self-watch");
        let seen = format!(
            "`config.toml` written in place and renamed over: {}; {} rows in all, WAL grows by {}",
            edits.of_config().join(", "),
            edits.events.len(),
            bytes(edits.wal_growth),
        );
        self.row(Part::Remedy, what, seen);
        about_the_log(&codex.logged())
    }

    fn start<'h>(&self, home: &'h Home, rows: u64, way: Way) -> Codex<'h> {
        // The test harness shows it with a failure.
        println!("{}, {way}", self.linkage);
        Codex::start(self.product, home, rows, way, &[])
    }

    fn row(&mut self, part: Part, what: &str, seen: String) {
        let what = format!("{}, {what}", self.linkage);
        self.table.row(part, what, seen);
    }
}

/// The home's mask, and that of the other directory.
fn masks(reach: Reach) -> [u32; 2] {
    match reach {
        Reach::Nothing => [0xfee, 0xfee],
        // Its home is settled.
        Reach::Masks => [0xfcc, 0xfce],
        Reach::Events => [0xfce, 0xfce],
    }
}

fn names_the_log(process: &Value, home: &Home) -> String {
    let finding = common::finding(process, "sqlite-self-watch");
    assert_eq!(&process["findings"][0], finding, "it is the worst");
    assert_eq!(finding["severity"], "critical");
    let evidence = &finding["evidence"];
    assert_eq!(evidence["inode"], home.inode());
    assert_eq!(evidence["path"], home.path().to_str().unwrap());
    assert_eq!(evidence["database"], home.database().to_str().unwrap());
    assert_eq!(evidence["wal_bytes"], home.wal_bytes());
    common::message(process, finding)
}

fn only_edits_arrive(edits: &Edits, reach: Reach) {
    // In place it is written and closed, by renaming moved over.
    let told = edits.of_config();
    let written: &[_] = match reach {
        Reach::Masks => &["Access(Close(Write))"],
        _ => &["Modify(Data(Any))", "Access(Close(Write))"],
    };
    let replaced = ["Modify(Name(To))", "Modify(Name(Both))"];
    assert_eq!(told, [written, &replaced].concat(), "{:#?}", edits.events);

    // Every row is one of the events printed, so none is about the log, though each wrote to it.
    let rows = edits.rows();
    let in_turn: Vec<u64> = (rows[0]..).take(rows.len()).collect();
    assert_eq!(rows, in_turn, "{:#?}", edits.events);
    // A row changes its page, and when that is full at most three others.
    let least = rows.len() as u64 * FRAME;
    let growth = edits.wal_growth;
    assert!((least..=4 * least).contains(&growth), "{growth}: {rows:?}");
}

/// How many of the rows logged.
fn about_the_log(logged: &[(String, u32)]) -> u64 {
    let of_log = logged.iter().filter(|(path, _)| path.contains(".sqlite"));
    of_log.map(|(_, rows)| u64::from(*rows)).sum()
}
