//! Incident 5 with a victim no preload reaches, already looping.

use super::stage::heal;
use incidents::Product;
use incidents::codex::{Codex, Home, Preload};
use std::time::Instant;
use support::DEADLINE;

/// More than it logs before it is healed.
const ROWS: u64 = 100_000_000;

#[test]
fn a_static_program_that_logs_its_own_log_is_diagnosed_and_healed_while_it_loops() {
    let victim = match support::static_binary("incidents", "codex") {
        Ok(victim) => victim,
        Err(why) => return support::skip(&format!("no static victim can be built: {why}")),
    };
    let product = Product {
        fdscan: support::binary("inspect", "fdscan"),
        libwatchfix: support::libwatchfix().to_path_buf(),
        victims: victim.parent().unwrap().to_path_buf(),
    };
    let home = Home::new();
    let mut codex = Codex::start(&product, &home, ROWS, &Preload::None);
    let pid = codex.pid();
    let start = Instant::now();
    // It loops: nobody touches its home, and its log grows.
    while home.wal_bytes() < 4_000_000 {
        assert!(start.elapsed() < DEADLINE);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }

    let process = product.fdscan_json(pid);
    assert_eq!(process["linkage"], "static");
    let findings = process["findings"].as_array().unwrap();
    let worst = findings.first().expect("a finding");
    assert_eq!(worst["code"], "sqlite-self-watch");
    assert_eq!(worst["remedy_live"], format!("watchfix heal {pid}"));

    let said = heal(pid, &[]).good();
    assert!(said.contains("0xfee -> 0xfcc, settled"), "{said}");

    // What was logged of the loop comes before this edit's events.
    codex.edit_config();
    let quiet = home.wal_bytes();
    let edits = codex.edit_config();
    let kinds: Vec<_> = edits.of_config().map(|e| e.kind.as_str()).collect();
    // In place: it is closed after writing. By renaming: it is moved over.
    for wanted in ["Access(Close(Write))", "Modify(Name(To))"] {
        assert!(
            kinds.iter().any(|k| k.starts_with(wanted)),
            "no {wanted} in {kinds:?}"
        );
    }
    let rows: Vec<u64> = edits.events.iter().map(|e| e.row).collect();
    let expected: Vec<u64> = (rows[0]..).take(rows.len()).collect();
    assert_eq!(rows, expected, "a row between them is about the log itself");
    assert!(home.wal_bytes() - quiet < 200_000, "a few rows, no loop");
    // The same process: its counting goes on, and it ends when it is told to.
    assert_eq!(codex.pid(), pid);
    assert!(rows[0] > 100);
    let logged = codex.logged();
    assert!(
        logged
            .iter()
            .any(|(path, n)| path.contains(".sqlite") && *n > 100)
    );
}
