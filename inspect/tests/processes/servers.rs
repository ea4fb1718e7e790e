//! Orphans and duplicates: real servers on the loopback.

use crate::common::{Fixture, Process, Stage};

/// What fdscan says about the server a fixture started.
fn server(stage: &Stage, fixture: &Fixture) -> Process {
    stage.scan(&[fixture.fact("server"), "--json"]).process()
}

fn parent(pid: &str) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(1).unwrap().to_owned()
}

#[track_caller]
fn names_port_sibling_and_supervisor(process: &Process, fixture: &Fixture) {
    let evidence = &process.finding("orphaned-server", "warning")["evidence"];
    assert_eq!(evidence["port"], fixture.number("port"));
    assert_eq!(evidence["siblings"][0], fixture.number("sibling"));
    assert_eq!(evidence["supervisor"]["pid"], fixture.pid());
}

#[test]
fn an_orphan_that_keeps_its_port_from_a_respawned_server_is_a_warning() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan", "--respawn"]);
    let process = server(&stage, &fixture);
    names_port_sibling_and_supervisor(&process, &fixture);
    let listener = &process.0["listeners"][0];
    assert_eq!(listener["protocol"], "tcp");
    assert_eq!(listener["address"], "127.0.0.1");
    assert_eq!(listener["port"], fixture.number("port"));
}

#[test]
fn an_orphan_that_leads_its_session_is_known_by_its_parent_being_init() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan", "--respawn", "--leads"]);
    if parent(fixture.fact("server")) != "1" {
        return support::skip_optional("orphans are taken in by a subreaper here, not by init");
    }
    names_port_sibling_and_supervisor(&server(&stage, &fixture), &fixture);
}

#[test]
fn an_orphan_without_a_sibling_is_no_warning() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan"]);
    let process = server(&stage, &fixture);
    assert!(
        process
            .all("orphaned-server")
            .iter()
            .all(|f| f["severity"] == "info")
    );
}

#[test]
fn a_server_whose_supervisor_is_its_parent_is_no_orphan() {
    let stage = Stage::new();
    for args in [
        &["orphan", "--supervised"][..],
        &["orphan", "--supervised", "--respawn"],
    ] {
        let fixture = stage.mkfds(args);
        server(&stage, &fixture).must_not_raise("orphaned-server");
    }
}

#[test]
fn the_respawned_server_itself_is_no_orphan() {
    let stage = Stage::new();
    let fixture = stage.mkfds(&["orphan", "--respawn"]);
    let scan = stage.scan(&[fixture.fact("sibling"), "--json"]);
    scan.process().must_not_raise("orphaned-server");
}

#[test]
fn two_servers_on_one_database_are_duplicates_and_each_names_the_other() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let pair = [(); 2].map(|()| stage.mkfds_in(&dir, &["server", "--database"]));
    for (own, other) in [(0, 1), (1, 0)] {
        let process = server(&stage, &pair[own]);
        let evidence = &process.finding("duplicate-instance", "warning")["evidence"];
        assert_eq!(evidence["pids"][0], pair[own].number("server"));
        assert_eq!(evidence["pids"][1], pair[other].number("server"));
        let database = dir.join("state.db");
        assert_eq!(evidence["shared_databases"][0], database.to_str().unwrap());
    }
}

#[test]
fn two_servers_with_one_pid_file_are_duplicates() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let pair = [(); 2].map(|()| stage.mkfds_in(&dir, &["server", "--pid-file"]));
    let process = server(&stage, &pair[0]);
    let evidence = &process.finding("duplicate-instance", "warning")["evidence"];
    let claim = dir.join("serve.pid");
    assert_eq!(evidence["shared_claims"][0], claim.to_str().unwrap());
}

#[test]
fn two_servers_with_states_of_their_own_are_no_duplicates() {
    let stage = Stage::new();
    let pair = ["one", "two"].map(|name| {
        let dir = stage.make(name);
        stage.mkfds_in(&dir, &["server", "--database", "--pid-file"])
    });
    for fixture in &pair {
        server(&stage, fixture).must_not_raise("duplicate-instance");
    }
}

#[test]
fn a_worker_that_was_forked_with_everything_open_is_no_duplicate() {
    let stage = Stage::new();
    let dir = stage.make("state");
    let fixture = stage.mkfds_in(&dir, &["server", "--database", "--pid-file", "--worker"]);
    server(&stage, &fixture).must_not_raise("duplicate-instance");
    let worker = stage.scan(&[fixture.fact("worker"), "--json"]).process();
    worker.must_not_raise("duplicate-instance");
}
