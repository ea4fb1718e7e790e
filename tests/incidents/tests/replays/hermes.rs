//! Incident 4: hermes-webui leaks SQLite connections, and an orphan keeps its port from every restart.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use incidents::hermes::{Hermes, Orphans, Server};
use incidents::{Part, Product, Table};
use serde_json::{Value, json};
use support::{DEADLINE, Victim};

use crate::common;

/// Connections that are leaked: some 300 descriptors, two thirds of what the report had.
const LEAKED: usize = 150;
/// From so many on, fdscan calls them a leak.
const FIRST_SEEN: usize = 32;
/// The loop that docs/incidents/4-hermes.md has in place of a cron job, in more of a hurry.
const WATCHDOG: &str = r#"
    while sleep 0.1; do
        pid=$(lsof -t -i "tcp:$port" -s tcp:listen) &&
            "$fdscan" watch "$pid" --interval 0.1 --until "$until" --exec 'kill "$FDSCAN_PID"'
    done"#;

/// What fdscan prints as JSON, and of that the first element of the list `key`.
fn first(product: &Product, args: &[&str], key: &str) -> Value {
    let text = product.fdscan(&[args, &["--json"]].concat());
    let mut report: Value = serde_json::from_str(&text).unwrap();
    report[key][0].take()
}

fn for_two_seconds(product: &Product, pid: u32) -> Value {
    first(product, &[&pid.to_string(), "--for", "2"], "processes")
}

fn wal(product: &Product, hermes: &Hermes) -> Value {
    let path = hermes.database();
    first(product, &["wal", path.to_str().unwrap()], "databases")
}

/// What `fdscan top` finds of a process.
fn found_by_top(product: &Product, pid: u32) -> Value {
    let text = product.fdscan(&["top", "--json", "--limit", "0"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let rows = report["processes"].as_array().unwrap();
    let row = rows.iter().find(|row| row["pid"] == pid);
    row.unwrap_or_else(|| panic!("{pid} is not in {rows:#?}"))["findings"].clone()
}

/// The exit status of `fdscan check PID`, and what it prints.
fn check(product: &Product, pid: u32) -> (Option<i32>, String) {
    let mut command = Command::new(&product.fdscan);
    let run = command.args(["check", &pid.to_string()]).output().unwrap();
    (run.status.code(), String::from_utf8(run.stdout).unwrap())
}

fn codes(findings: &Value) -> Vec<&str> {
    let list = findings.as_array().unwrap().iter();
    list.map(|finding| finding["code"].as_str().unwrap())
        .collect()
}

fn open(hermes: &Hermes) -> usize {
    hermes.descriptors().values().sum()
}

/// The whole incident, as its page tells it.
#[test]
fn leak_orphan_port_and_race_are_named_and_ended_and_the_fixed_server_has_no_finding() {
    let product = common::product();
    let mut table = Table::new("4 hermes");
    let mut hermes = Hermes::start(Server::Leaky, Orphans::GoWhereTheyGo);
    let before = open(&hermes);
    let first_seen = leak(&product, &hermes);
    assert_eq!(first_seen, Some(FIRST_SEEN));
    table.row(
        Part::Bare,
        format!("{LEAKED} of {} requests never close", 3 * LEAKED),
        format!("{before} descriptors before, {} after", open(&hermes)),
    );
    table.row(
        Part::Diagnosis,
        "`fdscan PID`, after each request",
        format!("calls it a leak from {FIRST_SEEN} connections on"),
    );
    names_the_leak(&product, &hermes, &mut table);
    names_the_race_and_ends_it(&product, &mut hermes, &mut table);
    if support::tool("lsof").is_some() {
        watchdog_restarts_it(&product, &mut hermes, &mut table);
    } else {
        support::skip("lsof, by which the watchdog finds who listens, is not installed");
    }
    drop(hermes);

    let fixed = Hermes::start(Server::Fixed, Orphans::GoWhereTheyGo);
    assert_eq!(leak(&product, &fixed), None);
    table.row(
        Part::Remedy,
        "the same requests to the fixed server",
        format!("{} descriptors, no finding", open(&fixed)),
    );
    table.print();
}

/// Two of three requests find their session and close their connection. Returns at how many of the others
/// something is found besides the orphan.
fn leak(product: &Product, hermes: &Hermes) -> Option<usize> {
    let mut first_seen = None;
    for missed in 1..=LEAKED {
        hermes.client().miss();
        hermes.client().visit("one");
        if first_seen.is_none() && (FIRST_SEEN - 2..FIRST_SEEN + 2).contains(&missed) {
            let process = product.fdscan_json(hermes.server());
            let found = codes(&process["findings"]);
            first_seen = found.contains(&"sqlite-handle-leak").then_some(missed);
        }
    }
    first_seen
}

/// The arithmetic is that of /proc/PID/fd, counted by hand.
fn names_the_leak(product: &Product, hermes: &Hermes, table: &mut Table) {
    let by_hand = hermes.descriptors();
    let process = product.fdscan_json(hermes.server());
    let finding = common::finding(&process, "sqlite-handle-leak");
    let evidence = &finding["evidence"];
    assert_eq!(finding["severity"], "warning");
    assert_eq!(evidence["connections"], LEAKED);
    assert_eq!(evidence["database"], hermes.database().to_str().unwrap());
    for (file, count) in [
        ("state.db", "handles"),
        ("state.db-wal", "wal_handles"),
        ("state.db-shm", "shm_handles"),
    ] {
        assert_eq!(evidence[count], by_hand[file], "{file} of {by_hand:?}");
        assert_eq!(process["sqlite"][0][count], by_hand[file]);
    }
    let all: usize = by_hand.values().sum();
    assert_eq!(process["fds"]["open"], all);
    let said = finding["message"].as_str().unwrap();
    assert!(
        said.contains(&format!(" of the {all} it has open")),
        "{said}"
    );
    table.row(
        Part::Diagnosis,
        "the same, in place of `lsof`, `sort`, `uniq -c`",
        format!(
            "state.db {}, -wal {}, -shm {}: {LEAKED} connections, of {all} descriptors",
            evidence["handles"], evidence["wal_handles"], evidence["shm_handles"],
        ),
    );

    let log = wal(product, hermes);
    assert_eq!(codes(&log["findings"]), ["sqlite-handle-leak"]);
    assert_eq!(log["findings"][0]["evidence"]["pid"], hermes.server());
    let found = found_by_top(product, hermes.server());
    assert_eq!(codes(&found), ["sqlite-handle-leak"]);
    let (status, said) = check(product, hermes.server());
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("sqlite-handle-leak"), "{said}");
    let what = "`fdscan wal state.db`, `fdscan top`, `fdscan check PID`";
    table.row(Part::Diagnosis, what, "each names it; check exits 1");
}

/// The finding about the orphan once somebody was started in vain meanwhile, and the supervisor was seen to
/// do it: on a busy machine that may take longer than two seconds.
fn race(product: &Product, pid: u32) -> Value {
    let begun = Instant::now();
    loop {
        let process = for_two_seconds(product, pid);
        let mut findings = process["findings"].as_array().unwrap().iter();
        let orphan = findings.find(|finding| finding["code"] == "orphaned-server");
        if let Some(orphan) = orphan
            && orphan["evidence"]["starts_in_vain"].as_u64() > Some(0)
            && !orphan["evidence"]["supervisor"].is_null()
        {
            return orphan.clone();
        }
        assert!(begun.elapsed() < DEADLINE, "nobody starts it: {process:#}");
    }
}

/// That the finding names the orphan's port, who is started in vain, and by whom.
fn names_the_race(product: &Product, hermes: &mut Hermes) -> Value {
    let finding = race(product, hermes.server());
    let evidence = &finding["evidence"];
    assert_eq!(finding["severity"], "warning", "{finding:#}");
    assert_eq!(evidence["port"], hermes.port());
    assert_eq!(
        evidence["supervisor"],
        json!({ "pid": hermes.supervisor(), "comm": "supervisor.sh" })
    );
    assert_eq!(finding["remedy"], format!("kill {}", hermes.server()));
    // Whoever it names has said of itself that it cannot listen.
    for sibling in evidence["siblings"].as_array().unwrap() {
        let sibling = sibling.as_u64().unwrap() as u32;
        while !hermes.starts_in_vain().contains(&sibling) {
            hermes.wait_for_start_in_vain();
        }
    }
    finding
}

fn names_the_race_and_ends_it(product: &Product, hermes: &mut Hermes, table: &mut Table) {
    let (orphan, port) = (hermes.server(), hermes.port());
    let finding = names_the_race(product, hermes);
    let evidence = &finding["evidence"];
    table.row(
        Part::Diagnosis,
        "`fdscan PID --for 2`",
        format!(
            "orphan on port {port}; started in vain meanwhile: {} in {} s, by {} (PID {})",
            evidence["starts_in_vain"],
            evidence["seconds"],
            evidence["supervisor"]["comm"].as_str().unwrap(),
            evidence["supervisor"]["pid"],
        ),
    );
    // Its remedy: the next start gets the port.
    let remedy = finding["remedy"].as_str().unwrap();
    let run = Command::new("sh").args(["-c", remedy]).status().unwrap();
    assert!(run.success(), "{remedy}");
    hermes.wait_for_server();
    assert_ne!(hermes.server(), orphan);
    assert_eq!(hermes.port(), port);
    table.row(
        Part::Remedy,
        "its command, `kill PID`",
        format!(
            "the next start has the port, and {} descriptors",
            open(hermes)
        ),
    );
}

fn watchdog_restarts_it(product: &Product, hermes: &mut Hermes, table: &mut Table) {
    for until in ["connections > 100", "fds > 200"] {
        let mut command = Command::new("sh");
        command.args(["-c", WATCHDOG]).env("until", until);
        command.env("port", hermes.port().to_string());
        let mut watchdog = Victim::spawn(command.env("fdscan", &product.fdscan));
        watchdog.line_with("fds ");
        let leaky = hermes.server();
        for _ in 0..100 {
            hermes.client().miss();
        }
        let before = open(hermes);
        if until.starts_with("connections") {
            // A hundred are not more than a hundred, in however many readings.
            for _ in 0..4 {
                watchdog.line_with(", connections 100");
            }
        }
        hermes.client().miss();
        let said = watchdog.line_with(" has held for ");
        let who = format!("Process {leaky} (python3)");
        assert!(said.contains(&who), "{said}");
        hermes.wait_for_server();
        assert_ne!(hermes.server(), leaky);
        // It watches the next one.
        watchdog.line_with("fds ");
        let now = open(hermes);
        assert!(now + 200 <= before, "{before} before, {now} now");
        let process = product.fdscan_json(hermes.server());
        common::no_finding(&process, "sqlite-handle-leak");
        table.row(
            Part::Remedy,
            format!("`fdscan watch PID --until '{until}' --exec 'kill \"$FDSCAN_PID\"'`"),
            format!("restarted once: {before} descriptors, then {now}"),
        );
    }
}

#[test]
fn an_orphan_the_supervisor_itself_took_in_is_known_all_the_same() {
    let product = common::product();
    let mut hermes = Hermes::start(Server::Leaky, Orphans::GoToTheSupervisor);
    let finding = names_the_race(&product, &mut hermes);
    assert_eq!(finding["evidence"]["parent"]["pid"], hermes.supervisor());
}

/// That nothing is found, whatever is asked.
fn is_in_order(product: &Product, hermes: &Hermes, when: &str) {
    let pid = hermes.server();
    let seen = [
        product.fdscan_json(pid)["findings"].take(),
        product.fdscan_json(hermes.supervisor())["findings"].take(),
        for_two_seconds(product, pid)["findings"].take(),
        wal(product, hermes)["findings"].take(),
        found_by_top(product, pid),
    ];
    let nothing = seen.iter().all(|findings| codes(findings).is_empty());
    assert!(nothing, "{when}: {seen:#?}");
    let (status, said) = check(product, pid);
    assert_eq!(status, Some(0), "{when}: {said}");
}

/// A flag that is raised when this is dropped: also when a claim fails.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_fixed_server_raises_nothing_at_any_time() {
    let product = common::product();
    let hermes = Hermes::start(Server::Fixed, Orphans::GoWhereTheyGo);
    let process = product.fdscan_json(hermes.server());
    assert!(codes(&process["findings"]).is_empty(), "{process:#}");
    hermes.client().visit("one");
    is_in_order(&product, &hermes, "after its start");

    let request = hermes.client().follow("one");
    for _ in 0..10 {
        hermes.client().miss();
        hermes.client().visit("one");
    }
    let holders = &wal(&product, &hermes)["holders"];
    assert_eq!(holders[0]["wal_handles"], 1, "that of the request");
    is_in_order(&product, &hermes, "during a request");
    drop(request);

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = Raised(&done);
        for n in 0..4 {
            let (client, done) = (hermes.client(), done.0);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    client.miss();
                    client.visit(&format!("s{n}"));
                }
            });
        }
        is_in_order(&product, &hermes, "under load");
    });
    is_in_order(&product, &hermes, "after all that");
}
