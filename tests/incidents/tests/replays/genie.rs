//! Incident 3: two servers, a stale PID file, a stale port file, 991 open session files.

use std::fs;
use std::path::Path;
use std::process::Command;

use incidents::genie::{Claiming, Genie, Home, crash, make_old};
use incidents::{Part, Product, Table};
use serde_json::Value;
use support::Victim;

use crate::common;

/// What fdscan must not say of a server that is in order.
const CODES: [&str; 4] = [
    "duplicate-instance",
    "claim-stale",
    "file-handle-leak",
    "orphaned-server",
];

fn home(claiming: Claiming) -> Option<Home> {
    let home = Home::new(claiming);
    if home.is_none() {
        support::skip("Node is not installed");
    }
    home
}

/// Two commands at once, each of which finds no server and starts one. The first that claims is held there,
/// until the second has looked.
struct Race {
    starts: [Genie; 2],
    pids: [u32; 2],
}

impl Race {
    fn faulty(commands: [&mut Command; 2]) -> Race {
        let mut starts = commands.map(Genie::start);
        let pids = starts.each_mut().map(|start| start.pid_that("held"));
        Race { starts, pids }
    }

    fn correct(home: &Home) -> Race {
        let mut first = home.start("status", &["--hold"]);
        let held = first.pid_that("held");
        let mut second = home.start("status", &["--hold"]);
        let waits = second.pid_that("waits");
        Race {
            starts: [first, second],
            pids: [held, waits],
        }
    }

    /// Lets the first and then the second one go on.
    fn run(&mut self) {
        for (start, pid) in self.starts.iter_mut().zip(self.pids) {
            start.go_on();
            assert_eq!(start.pid_that("serving"), pid);
        }
    }
}

#[track_caller]
fn is_in_order(product: &Product, pid: u32) {
    let process = product.fdscan_json(pid);
    for code in CODES {
        common::no_finding(&process, code);
    }
}

/// The claim at a path, as `fdscan claims` judges it.
fn claim(product: &Product, path: &Path) -> Value {
    let text = product.fdscan(&["claims", path.to_str().unwrap(), "--json"]);
    let mut scan: Value = serde_json::from_str(&text).unwrap();
    scan["claims"][0].take()
}

#[track_caller]
fn verdict(product: &Product, path: &Path, wanted: &str) -> Value {
    let claim = claim(product, path);
    assert_eq!(claim["verdict"], wanted, "{claim:#}");
    claim
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// What fdscan says of one server beside another: a command that ends the one that no claim names.
#[track_caller]
fn names_the_unclaimed(process: &Value, pair: [u32; 2], unclaimed: u32, pid_file: &Path) {
    let finding = common::finding(process, "duplicate-instance");
    let evidence = &finding["evidence"];
    assert_eq!(finding["severity"], "warning");
    assert_eq!(evidence["pids"], serde_json::json!(pair));
    assert_eq!(evidence["unclaimed_pid"], unclaimed);
    assert_eq!(evidence["claims"][0]["path"], pid_file.to_str().unwrap());
    assert_eq!(finding["remedy"], format!("kill {unclaimed}"));
}

/// The faulty claim: both win, and a stop command ends one of them.
fn two_starts(product: &Product, table: &mut Table) -> Option<()> {
    let home = home(Claiming::Faulty)?;
    let mut commands = [(); 2].map(|()| home.command("status", &["--hold"]));
    let mut race = Race::faulty(commands.each_mut());
    // Neither is a server yet.
    for pid in race.pids {
        is_in_order(product, pid);
    }
    race.run();
    let [lost, named] = race.pids;
    assert_eq!(
        fs::read_to_string(home.pid_file()).unwrap(),
        named.to_string()
    );
    table.row(
        Part::Bare,
        "two commands at once, each starts the server",
        format!("2 servers, PID {lost} and {named}; serve.pid names {named}"),
    );

    for (own, other) in [(lost, named), (named, lost)] {
        let process = product.fdscan_json(own);
        names_the_unclaimed(&process, [own, other], lost, &home.pid_file());
        common::no_finding(&process, "claim-stale");
    }
    let finding = product.fdscan_json(lost);
    let finding = common::finding(&finding, "duplicate-instance");
    table.row(
        Part::Diagnosis,
        "fdscan of either of two servers",
        format!(
            "duplicate-instance; this helps: `{}`",
            text(&finding["remedy"])
        ),
    );

    let remedy = text(&finding["remedy"]);
    let run = Command::new("sh").args(["-c", remedy]).status().unwrap();
    assert!(run.success());
    race.starts[0].ended();
    is_in_order(product, named);
    verdict(product, &home.pid_file(), "live");
    assert_eq!(home.run("stop"), format!("stopped {named}"));
    race.starts[1].ended();
    table.row(
        Part::Remedy,
        format!("`{remedy}`"),
        format!("1 server, PID {named}; `stop` ends it"),
    );
    Some(())
}

/// A command that runs between two stops starts the server again.
fn stops(product: &Product, table: &mut Table) -> Option<()> {
    let faulty = home(Claiming::Faulty)?;
    let mut ended = Vec::new();
    for _ in 0..3 {
        let mut command = faulty.start("status", &[]);
        let pid = command.pid_that("serving");
        assert_eq!(faulty.run("stop"), format!("stopped {pid}"));
        command.ended();
        ended.push(pid.to_string());
    }
    table.row(
        Part::Bare,
        "`stop` three times, another command after each",
        format!(
            "PIDs {} ended: each command started it again",
            ended.join(", ")
        ),
    );

    let correct = home(Claiming::Correct)?;
    let mut command = correct.start("status", &[]);
    let pid = command.pid_that("serving");
    assert_eq!(correct.run("stop"), format!("stopped {pid}"));
    command.ended();
    for _ in 0..2 {
        assert_eq!(correct.run("status"), "stopping");
        assert_eq!(correct.run("stop"), "nothing");
    }
    let sentinel = verdict(product, &correct.sentinel(), "in_progress");
    assert_eq!(sentinel["kind"], "sentinel");
    table.row(
        Part::Remedy,
        "`stop` with a sentinel that holds for 30 s, commands after it",
        format!("PID {pid} ended, no command starts it; fdscan claims: in progress"),
    );
    // A stop that crashed blocks for 30 s and no longer.
    make_old(&correct.sentinel());
    verdict(product, &correct.sentinel(), "expired");
    let mut command = correct.start("status", &[]);
    is_in_order(product, command.pid_that("serving"));
    verdict(product, &correct.sentinel(), "absent");
    table.row(
        Part::Remedy,
        "a sentinel that a crashed `stop` left behind",
        "fdscan claims: expired; the next command starts the server",
    );
    command.end();
    Some(())
}

/// A crash leaves both files behind; then the PID is another process's.
fn stale_files(product: &Product, table: &mut Table) -> Option<()> {
    let home = home(Claiming::Faulty)?;
    let mut server = home.start("status", &[]);
    let dead = server.pid_that("serving");
    let address = fs::read_to_string(home.port_file()).unwrap();
    crash(dead);
    server.ended();

    let mut client = home.start("ask", &[]);
    assert_eq!(client.refused(), address.trim());
    table.row(
        Part::Bare,
        "the server is killed, a client asks",
        format!("ECONNREFUSED {}, again and again", address.trim()),
    );
    let pid_claim = verdict(product, &home.pid_file(), "stale");
    assert_eq!(pid_claim["pid"], dead);
    let port_claim = verdict(product, &home.port_file(), "stale");
    assert_eq!(port_claim["address"], address.trim());
    table.row(
        Part::Diagnosis,
        "fdscan claims ~/.genie",
        format!(
            "serve.pid stale: {} pgserve.port stale: {}",
            text(&pid_claim["why"]),
            text(&port_claim["why"])
        ),
    );

    // As if the kernel had given the PID to somebody else: that began later.
    let mut sleep = Command::new("sleep");
    let stranger = Victim::spawn(sleep.arg("600").current_dir("/"));
    fs::write(home.pid_file(), stranger.pid().to_string()).unwrap();
    make_old(&home.pid_file());
    assert_eq!(home.run("status"), format!("runs {}", stranger.pid()));
    table.row(
        Part::Bare,
        "its PID is given to a `sleep`, a command looks",
        format!(
            "\"runs\", PID {}; `stop` would end the sleep",
            stranger.pid()
        ),
    );
    let reused = verdict(product, &home.pid_file(), "reused");
    assert_eq!(reused["holders"][0]["pid"], stranger.pid());

    // Whoever works there is told as well, by way of its client.
    let process = product.fdscan_json(client.pid());
    let findings = process["findings"].as_array().unwrap();
    let stale: Vec<_> = findings
        .iter()
        .filter(|finding| finding["code"] == "claim-stale")
        .flat_map(|finding| finding["evidence"]["claims"].as_array().unwrap())
        .map(|claim| (text(&claim["path"]), text(&claim["verdict"])))
        .collect();
    let (pid_file, port_file) = (home.pid_file(), home.port_file());
    assert_eq!(
        stale,
        [
            (port_file.to_str().unwrap(), "stale"),
            (pid_file.to_str().unwrap(), "reused")
        ],
        "{findings:#?}"
    );
    table.row(
        Part::Diagnosis,
        "fdscan of a client of such a server",
        "claim-stale: pgserve.port stale, serve.pid reused",
    );
    client.end();

    // The correct claim says which process it meant, so the file is not a server's.
    let correct = Home::new(Claiming::Correct)?;
    fs::write(correct.pid_file(), format!("{}:1", stranger.pid())).unwrap();
    fs::write(correct.port_file(), &address).unwrap();
    verdict(product, &correct.pid_file(), "reused");
    let mut server = correct.start("status", &[]);
    let pid = server.pid_that("serving");
    is_in_order(product, pid);
    verdict(product, &correct.pid_file(), "live");
    verdict(product, &correct.port_file(), "live");
    assert_eq!(correct.start("ask", &[]).pid_that("answered"), pid);
    table.row(
        Part::Remedy,
        "stale files, the claim is PID:START",
        format!("the next command starts the server, PID {pid}; a client is answered"),
    );
    server.end();
    Some(())
}

/// What was taken for a hang.
fn sessions(product: &Product, table: &mut Table) -> Option<()> {
    let home = home(Claiming::Correct)?;
    let mut server = home.start("status", &["--sessions", "991"]);
    let pid = server.pid_that("serving");
    let process = product.fdscan_json(pid);
    table.row(
        Part::Bare,
        "a server that closes no session file",
        format!("{} descriptors", process["fds"]["open"]),
    );
    let finding = common::finding(&process, "file-handle-leak");
    let evidence = &finding["evidence"];
    assert_eq!(
        (&evidence["handles"], &evidence["files"]),
        (&991.into(), &991.into())
    );
    assert_eq!(evidence["pattern"], "*.jsonl");
    let sessions = home.state().join("sessions");
    assert_eq!(evidence["directory"], sessions.to_str().unwrap());
    table.row(
        Part::Diagnosis,
        "fdscan of the server with the session files",
        "file-handle-leak: 991 of 991 files *.jsonl",
    );
    for code in ["duplicate-instance", "claim-stale", "orphaned-server"] {
        common::no_finding(&process, code);
    }
    server.end();
    Some(())
}

/// The correct claim, at every moment of two starts at once.
fn correct_starts(product: &Product, table: &mut Table) -> Option<()> {
    let home = home(Claiming::Correct)?;
    let mut race = Race::correct(&home);
    let [first, second] = race.pids;
    // The claim is there and still empty.
    assert_eq!(fs::read_to_string(home.pid_file()).unwrap(), "");
    verdict(product, &home.pid_file(), "in_progress");
    for pid in race.pids {
        is_in_order(product, pid);
    }
    let [claims, waits] = &mut race.starts;
    claims.go_on();
    assert_eq!(claims.pid_that("serving"), first);
    assert_eq!(waits.pid_that("already"), first);
    waits.ended();
    is_in_order(product, first);
    verdict(product, &home.pid_file(), "live");
    verdict(product, &home.port_file(), "live");
    table.row(
        Part::Remedy,
        "O_EXCL: two commands at once",
        format!("1 server, PID {first}; {second} waits while the claim is empty, then leaves"),
    );
    table.row(
        Part::Remedy,
        "fdscan of both, while the claim is empty and after",
        "no finding; serve.pid in progress, then live",
    );
    assert_eq!(home.run("stop"), format!("stopped {first}"));
    race.starts[0].ended();
    Some(())
}

#[test]
fn each_failure_is_named_and_the_correct_claim_raises_nothing() {
    let product = common::product();
    let mut table = Table::new("3 genie");
    let steps = [two_starts, stops, stale_files, sessions, correct_starts];
    // One that cannot run has said why.
    if steps
        .iter()
        .all(|step| step(&product, &mut table).is_some())
    {
        table.print();
    }
}

/// Whatever stands in the PID file, held open or not.
#[test]
fn two_servers_are_named_whatever_their_pid_file_looks_like() {
    let product = common::product();
    for options in [
        &["--format", "newline"][..],
        &["--format", "json"],
        &["--keep"],
    ] {
        let Some(home) = home(Claiming::Faulty) else {
            return;
        };
        let options = [&["--hold"], options].concat();
        let mut commands = [(); 2].map(|()| home.command("status", &options));
        let mut race = Race::faulty(commands.each_mut());
        race.run();
        let [lost, named] = race.pids;
        for (own, other) in [(lost, named), (named, lost)] {
            let process = product.fdscan_json(own);
            names_the_unclaimed(&process, [own, other], lost, &home.pid_file());
        }
        race.starts.into_iter().for_each(Genie::end);
    }
}

/// One by `node genie.mjs` where the script lies, one from elsewhere, with the state in GENIE_HOME.
#[test]
fn two_servers_are_named_wherever_they_were_started() {
    let product = common::product();
    let Some(home) = home(Claiming::Faulty) else {
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let victims = Path::new(env!("CARGO_MANIFEST_DIR")).join("victims");
    let link = elsewhere.path().join("genie");
    std::os::unix::fs::symlink(victims.join("genie.mjs"), &link).unwrap();
    let start = |script: &Path, cwd: &Path| {
        let usual = home.command("status", &["--hold"]);
        let mut command = Command::new(usual.get_program());
        command
            .arg(script)
            .args(usual.get_args().skip(1))
            .current_dir(cwd)
            .env("HOME", elsewhere.path())
            .env("GENIE_HOME", home.state())
            .env_remove("NODE_OPTIONS");
        command
    };
    let mut race = Race::faulty([
        &mut start(Path::new("genie.mjs"), &victims),
        &mut start(&link, elsewhere.path()),
    ]);
    race.run();
    let [lost, named] = race.pids;
    for (own, other) in [(lost, named), (named, lost)] {
        let process = product.fdscan_json(own);
        names_the_unclaimed(&process, [own, other], lost, &home.pid_file());
    }
}

/// The server that no PID file names, when the port file leads clients to it.
#[test]
fn a_server_that_clients_are_led_to_is_not_to_be_killed() {
    let product = common::product();
    let Some(home) = home(Claiming::Faulty) else {
        return;
    };
    let mut commands = [(); 2].map(|()| home.command("status", &["--hold"]));
    let mut race = Race::faulty(commands.each_mut());
    race.starts[0].go_on();
    race.starts[0].pid_that("serving");
    let port = fs::read_to_string(home.port_file()).unwrap();
    race.starts[1].go_on();
    race.starts[1].pid_that("serving");
    fs::write(home.port_file(), port).unwrap();
    let process = product.fdscan_json(race.pids[1]);
    let finding = common::finding(&process, "duplicate-instance");
    assert_eq!(finding["evidence"]["unclaimed_pid"], race.pids[0]);
    assert!(finding["remedy"].is_null(), "{finding:#}");
    let message = text(&finding["message"]);
    assert!(
        message.contains("pgserve.port leads clients to it"),
        "{message}"
    );
}

/// Two users' servers, or one user's with two states.
#[test]
fn servers_with_states_of_their_own_are_in_order() {
    let product = common::product();
    for claiming in [Claiming::Faulty, Claiming::Correct] {
        let (Some(one), Some(two)) = (home(claiming), home(claiming)) else {
            return;
        };
        let mut servers = [&one, &two].map(|home| home.start("status", &[]));
        let pids = servers.each_mut().map(|server| server.pid_that("serving"));
        for pid in pids {
            is_in_order(&product, pid);
        }
    }
}
