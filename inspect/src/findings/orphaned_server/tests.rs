use super::*;
use crate::findings::fixture::{Fixture, claim};
use crate::model::{ProcessRef, Respawn, Respawns, SameProgram, StartedBy, UnitKind, Verdict};

fn relative(pid: u32) -> ProcessRef {
    ProcessRef {
        pid,
        comm: "p".into(),
    }
}

/// A bootstrap of its own, below this supervisor.
fn started_by(supervisor: u32) -> StartedBy {
    StartedBy {
        parent: Some(relative(48)),
        supervisor: Some(relative(supervisor)),
        below_its_parent: false,
    }
}

/// Incident 4 as seen from the orphan: its own session, adopted by init long after the boot.
fn orphan() -> Fixture {
    let mut fixture = Fixture::new();
    let surroundings = &mut fixture.process.surroundings;
    surroundings.listeners = vec![Listener {
        fd: 3,
        protocol: "tcp",
        address: Some("127.0.0.1".into()),
        port: Some(8787),
        inode: 1,
    }];
    surroundings.origin = Some(Origin {
        parent: relative(1),
        parent_is_init: true,
        is_init: false,
        leads_session: true,
        leader_alive: true,
        parent_in_session: false,
        after_parent: 100_000,
        unit: None,
        own_service: false,
        ignores_hangup: false,
    });
    fixture
}

fn sibling() -> SameProgram {
    SameProgram {
        pid: 50,
        started_by: started_by(49),
        same_command: true,
        wants_its_place: true,
        same_cwd: true,
        younger: true,
        terminal: false,
        listeners: Vec::new(),
        shared: Vec::new(),
        claims: Vec::new(),
        settled: false,
    }
}

fn severity(fixture: &Fixture) -> Option<Severity> {
    fixture.look(look).first().map(|finding| finding.severity)
}

#[test]
fn a_listener_without_a_service_manager_may_be_in_the_way_of_others() {
    let mut fixture = orphan();
    assert!(may_be_in_the_way(&fixture.process, &[]));
    let finding = fixture.look(look).pop();
    assert!(!may_be_in_the_way(&fixture.process, finding.as_slice()));
    let surroundings = |fixture: &mut Fixture, respawns, own_service| {
        let around = &mut fixture.process.surroundings;
        around.respawns = respawns;
        around.origin.as_mut().unwrap().own_service = own_service;
    };
    surroundings(&mut fixture, Some(Respawns::default()), false);
    assert!(!may_be_in_the_way(&fixture.process, &[]));
    surroundings(&mut fixture, None, true);
    assert!(!may_be_in_the_way(&fixture.process, &[]));
}

#[test]
fn with_a_failing_sibling_it_is_a_warning_that_names_the_supervisor() {
    let mut fixture = orphan();
    fixture.process.surroundings.same_program = vec![sibling()];
    let finding = fixture.only(look);
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.evidence["port"], 8787);
    assert_eq!(finding.evidence["siblings"][0], 50);
    assert_eq!(finding.evidence["supervisor"]["pid"], 49);
    assert_eq!(finding.remedy.as_deref(), Some("kill 42"));
    assert!(finding.message.contains("'sport = :8787'"));
}

#[test]
fn failed_starts_are_counted_and_the_supervisor_is_named() {
    let mut fixture = orphan();
    let start = |pid, started_by| Respawn { pid, started_by };
    fixture.process.surroundings.respawns = Some(Respawns {
        seconds: 2.0,
        ended: vec![start(60, StartedBy::default()), start(70, started_by(49))],
    });
    let finding = fixture.only(look);
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.evidence["starts_in_vain"], 2);
    assert_eq!(finding.evidence["siblings"], json!([60, 70]));
    assert!(
        finding.message.contains(
            "Within 2.0 s its command was started 2 times and ended each time, because that place is taken: p (PID 49) starts it in vain."
        ),
        "{}",
        finding.message
    );
}

#[test]
fn only_a_longer_look_says_that_nobody_tries() {
    let mut fixture = orphan();
    let once = fixture.only(look);
    assert!(once.message.contains("`fdscan 42 --for 15` shows whether"));
    assert!(once.evidence["starts_in_vain"].is_null());
    fixture.process.surroundings.respawns = Some(Respawns::default());
    let waited = fixture.only(look);
    assert_eq!(waited.severity, Severity::Info);
    assert_eq!(waited.evidence["starts_in_vain"], 0);
}

#[test]
fn the_orphan_of_a_subreaper_is_recognised_by_the_origin_of_its_rivals() {
    let mut fixture = orphan();
    let origin = fixture.process.surroundings.origin.as_mut().unwrap();
    origin.parent_is_init = false;
    fixture.process.surroundings.same_program = vec![sibling()];
    assert_eq!(severity(&fixture), None);
    fixture.process.surroundings.same_program[0]
        .started_by
        .below_its_parent = true;
    assert_eq!(severity(&fixture), Some(Severity::Warning));
}

#[test]
fn the_orphan_of_a_service_is_ended_by_its_service_manager() {
    for (of_user, wanted) in [
        (
            false,
            "systemctl kill webui.service && systemctl restart webui.service",
        ),
        (
            true,
            "systemctl --user kill webui.service && systemctl --user restart webui.service",
        ),
    ] {
        let mut fixture = orphan();
        fixture.process.surroundings.same_program = vec![sibling()];
        let origin = fixture.process.surroundings.origin.as_mut().unwrap();
        let name = "webui.service".into();
        origin.unit = Some(Unit::systemd(UnitKind::Service, name, of_user));
        assert_eq!(fixture.only(look).remedy.as_deref(), Some(wanted));
    }
}

#[test]
fn a_client_an_older_or_another_server_is_not_a_failing_sibling() {
    let changes: [fn(&mut SameProgram, &Listener); 5] = [
        |other, _| other.wants_its_place = false,
        |other, _| other.terminal = true,
        |other, _| other.younger = false,
        |other, _| other.same_command = false,
        |other, listener| other.listeners.push(listener.clone()),
    ];
    for change in changes {
        let mut fixture = orphan();
        let mut other = sibling();
        change(&mut other, &fixture.process.surroundings.listeners[0]);
        fixture.process.surroundings.same_program = vec![other];
        assert_eq!(severity(&fixture), Some(Severity::Info));
    }
}

#[test]
fn a_worker_of_another_server_is_not_a_failing_sibling() {
    let mut fixture = orphan();
    let mut other = sibling();
    other.pid = 48;
    other.listeners = fixture.process.surroundings.listeners.clone();
    fixture.process.surroundings.same_program = vec![sibling(), other];
    assert_eq!(severity(&fixture), Some(Severity::Info));
}

#[test]
fn daemons_the_system_started_are_not_orphans() {
    let changes: [fn(&mut Process, &mut Origin); 8] = [
        |_, origin| origin.ignores_hangup = true,
        |process, _| process.surroundings.cwd = Some("/".into()),
        |_, origin| origin.own_service = true,
        |_, origin| origin.after_parent = 3,
        |_, origin| origin.is_init = true,
        // A supervisor that gives its children sessions of their own, as s6 does.
        |_, origin| origin.parent_is_init = false,
        |_, origin| (origin.leads_session, origin.parent_in_session) = (false, true),
        |process, _| process.surroundings.listeners[0].protocol = "unix",
    ];
    for (n, change) in changes.iter().enumerate() {
        let mut fixture = orphan();
        let mut origin = fixture.process.surroundings.origin.clone().unwrap();
        change(&mut fixture.process, &mut origin);
        fixture.process.surroundings.origin = Some(origin);
        assert_eq!(severity(&fixture), None, "change {n}");
    }
}

#[test]
fn a_daemon_that_a_pid_file_names_is_not_an_orphan() {
    for (verdict, pid, wanted) in [
        (Verdict::Live, 42, None),
        (Verdict::Held, 42, None),
        (Verdict::Live, 43, Some(Severity::Info)),
        (Verdict::Reused, 42, Some(Severity::Info)),
    ] {
        let mut fixture = orphan();
        let mut claim = claim("/s/serve.pid", verdict);
        claim.pid = Some(pid);
        fixture.process.surroundings.claims = vec![claim];
        assert_eq!(severity(&fixture), wanted, "{verdict:?} {pid}");
        // A second start of the command that has not listened yet.
        fixture.process.surroundings.same_program = vec![sibling()];
        let wanted = wanted.map(|_| Severity::Warning);
        assert_eq!(severity(&fixture), wanted, "{verdict:?} {pid}");
    }
}

#[test]
fn a_classic_double_fork_below_a_subreaper_is_an_orphan() {
    let mut fixture = orphan();
    let origin = fixture.process.surroundings.origin.as_mut().unwrap();
    (
        origin.parent_is_init,
        origin.leads_session,
        origin.leader_alive,
    ) = (false, false, false);
    assert_eq!(severity(&fixture), Some(Severity::Info));
}
