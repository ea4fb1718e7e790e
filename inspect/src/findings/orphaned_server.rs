//! `orphaned-server`: a server nobody supervises holds a port, and its supervisor starts it again and
//! again in vain (incident 4).

use super::{Facts, Finding, Severity, quote};
use crate::model::{Kin, Listener, Origin, Process, Unit};
use serde_json::json;

/// What begins so soon after its parent was started by it as part of its own start.
const SAME_GENERATION: u64 = 60;
/// Siblings named.
const NAMED: usize = 5;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let Some(origin) = &process.around.origin else {
        return Vec::new();
    };
    // The first process of a container is taken in by what runs the container.
    if process.around.listeners.is_empty() || origin.is_init || !is_orphan(origin) {
        return Vec::new();
    }
    let siblings: Vec<&Kin> = process
        .around
        .kin
        .iter()
        .filter(|kin| is_failing(kin) && !is_worker(kin, &process.around.kin))
        .collect();
    if siblings.is_empty() && !is_worth_knowing(process, origin) {
        return Vec::new();
    }
    vec![finding(process, origin, &siblings)]
}

/// Its parent did not start it: it was handed on when who made its session ended. Who leads a session of
/// its own may have been started so, unless its parent takes in everyone's orphans.
fn is_orphan(origin: &Origin) -> bool {
    if origin.leads_session {
        origin.parent_is_init
    } else {
        !origin.leader_alive && !origin.parent_in_session
    }
}

/// The same command, started later and from elsewhere, that should listen and does not. Somebody at a
/// terminal is a client (tmux), not a server that fails.
fn is_failing(kin: &Kin) -> bool {
    kin.same_command && kin.younger && !kin.terminal && kin.listeners.is_empty()
}

/// The child of another server of the same program, which listens for it.
fn is_worker(kin: &Kin, all: &[Kin]) -> bool {
    let parent = kin.parent.as_ref().map(|parent| parent.pid);
    all.iter()
        .any(|other| Some(other.pid) == parent && !other.listeners.is_empty())
}

/// Without a sibling in sight: a port that outlives who opened it. Daemons the system started, those of a
/// login that listen on a unix socket alone (ssh-agent, tmux), and what was put into the background on
/// purpose are meant to be so: nohup(1) ignores SIGHUP, daemon(3) goes to `/`.
fn is_worth_knowing(process: &Process, origin: &Origin) -> bool {
    let port = process
        .around
        .listeners
        .iter()
        .any(|l| l.protocol.starts_with("tcp"));
    let on_purpose = origin.ignores_hangup
        || process
            .around
            .cwd
            .as_ref()
            .is_some_and(|cwd| cwd.as_bytes() == b"/");
    port && !on_purpose && !origin.own_service && origin.after_parent > SAME_GENERATION
}

fn finding(process: &Process, origin: &Origin, siblings: &[&Kin]) -> Finding {
    let listeners = &process.around.listeners;
    let main = listeners
        .iter()
        .find(|l| l.protocol.starts_with("tcp"))
        .or(listeners.first());
    let place = main.map_or_else(String::new, place_of);
    let supervisor = siblings
        .iter()
        .filter_map(|kin| kin.parent.as_ref())
        .find(|parent| parent.pid != 1);
    let what = match (siblings.first(), supervisor) {
        (None, _) => {
            "Nobody restarts or stops it, and another start of the same server cannot bind.".into()
        }
        (Some(kin), None) => format!(
            "Process {} runs the same command and cannot listen there.",
            kin.pid
        ),
        (Some(kin), Some(parent)) => format!(
            "Process {}, which {} (PID {}) started with the same command, cannot listen there and is started in vain.",
            kin.pid, parent.comm, parent.pid
        ),
    };
    // Ending it helps the next start and hurts who is connected.
    let check = match main.and_then(|listener| listener.port) {
        Some(port) if !siblings.is_empty() => format!(
            " Before you end it, see who is connected to it (ss -tn state established 'sport = :{port}'), and that its successor is the one you want."
        ),
        _ => String::new(),
    };
    let pids: Vec<u32> = siblings.iter().take(NAMED).map(|kin| kin.pid).collect();
    Finding {
        code: "orphaned-server",
        severity: if siblings.is_empty() {
            Severity::Info
        } else {
            Severity::Warning
        },
        message: format!(
            "It listens on {place}, and who started it is gone: its parent is {} (PID {}), which took it in. {what}{check}",
            origin.parent.comm, origin.parent.pid,
        ),
        evidence: json!({
            "listeners": listeners,
            "port": main.and_then(|listener| listener.port),
            "parent": origin.parent,
            "session": process.around.session,
            "leads_session": origin.leads_session,
            "session_leader_alive": origin.leader_alive,
            "siblings": pids,
            "supervisor": supervisor,
        }),
        remedy: (!siblings.is_empty()).then(|| remedy(process.pid, origin.unit.as_ref())),
        remedy_live: None,
    }
}

/// What frees the port. Its service manager ends everything in the unit and starts it once, in its own
/// way; `restart` alone would leave the orphan where the unit says `KillMode=process`
/// (systemd.kill(5)). Elsewhere SIGTERM ends it in order, and the supervisor's next start binds.
fn remedy(pid: u32, unit: Option<&Unit>) -> String {
    match unit {
        None => format!("kill {pid}"),
        Some(unit) => {
            let control = if unit.of_user {
                "systemctl --user"
            } else {
                "systemctl"
            };
            let name = quote(&unit.name);
            format!("{control} kill {name} && {control} restart {name}")
        }
    }
}

fn place_of(listener: &Listener) -> String {
    let address = listener
        .address
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    match listener.port {
        Some(port) if address.contains(':') => format!("{} [{address}]:{port}", listener.protocol),
        Some(port) => format!("{} {address}:{port}", listener.protocol),
        None => format!("{} {address}", listener.protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::Relative;

    fn relative(pid: u32) -> Relative {
        Relative {
            pid,
            comm: "p".into(),
        }
    }

    /// What incident 4 looks like from the orphan: its own session, taken in by init long after the boot.
    fn orphan() -> Fixture {
        let mut fixture = Fixture::new();
        let around = &mut fixture.process.around;
        around.listeners = vec![Listener {
            fd: 3,
            protocol: "tcp",
            address: Some("127.0.0.1".into()),
            port: Some(8787),
            inode: 1,
        }];
        around.origin = Some(Origin {
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

    fn sibling() -> Kin {
        Kin {
            pid: 50,
            parent: Some(relative(49)),
            same_command: true,
            same_cwd: true,
            younger: true,
            terminal: false,
            listeners: Vec::new(),
            shared: Vec::new(),
        }
    }

    fn severity(fixture: &Fixture) -> Option<Severity> {
        fixture.look(look).first().map(|finding| finding.severity)
    }

    #[test]
    fn with_a_failing_sibling_it_is_a_warning_that_names_the_supervisor() {
        let mut fixture = orphan();
        fixture.process.around.kin = vec![sibling()];
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.evidence["port"], 8787);
        assert_eq!(finding.evidence["siblings"][0], 50);
        assert_eq!(finding.evidence["supervisor"]["pid"], 49);
        assert_eq!(finding.remedy.as_deref(), Some("kill 42"));
        assert!(finding.message.contains("'sport = :8787'"));
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
            fixture.process.around.kin = vec![sibling()];
            let origin = fixture.process.around.origin.as_mut().unwrap();
            let name = "webui.service".into();
            origin.unit = Some(Unit { name, of_user });
            assert_eq!(fixture.only(look).remedy.as_deref(), Some(wanted));
        }
    }

    #[test]
    fn a_client_an_older_or_another_server_is_no_failing_sibling() {
        let changes: [fn(&mut Kin, &Listener); 4] = [
            |kin, _| kin.terminal = true,
            |kin, _| kin.younger = false,
            |kin, _| kin.same_command = false,
            |kin, listener| kin.listeners.push(listener.clone()),
        ];
        for change in changes {
            let mut fixture = orphan();
            let mut kin = sibling();
            change(&mut kin, &fixture.process.around.listeners[0]);
            fixture.process.around.kin = vec![kin];
            assert_eq!(severity(&fixture), Some(Severity::Info));
        }
    }

    #[test]
    fn a_worker_of_another_server_is_no_failing_sibling() {
        let mut fixture = orphan();
        let mut other = sibling();
        other.pid = 49;
        other.listeners = fixture.process.around.listeners.clone();
        fixture.process.around.kin = vec![sibling(), other];
        assert_eq!(severity(&fixture), Some(Severity::Info));
    }

    #[test]
    fn daemons_the_system_started_are_no_orphans() {
        let changes: [fn(&mut Process, &mut Origin); 8] = [
            |_, origin| origin.ignores_hangup = true,
            |process, _| process.around.cwd = Some("/".into()),
            |_, origin| origin.own_service = true,
            |_, origin| origin.after_parent = 3,
            |_, origin| origin.is_init = true,
            // A supervisor that gives its children sessions of their own, as s6 does.
            |_, origin| origin.parent_is_init = false,
            |_, origin| (origin.leads_session, origin.parent_in_session) = (false, true),
            |process, _| process.around.listeners[0].protocol = "unix",
        ];
        for (n, change) in changes.iter().enumerate() {
            let mut fixture = orphan();
            let mut origin = fixture.process.around.origin.clone().unwrap();
            change(&mut fixture.process, &mut origin);
            fixture.process.around.origin = Some(origin);
            assert_eq!(severity(&fixture), None, "change {n}");
        }
    }

    #[test]
    fn a_classic_double_fork_below_a_subreaper_is_an_orphan() {
        let mut fixture = orphan();
        let origin = fixture.process.around.origin.as_mut().unwrap();
        (
            origin.parent_is_init,
            origin.leads_session,
            origin.leader_alive,
        ) = (false, false, false);
        assert_eq!(severity(&fixture), Some(Severity::Info));
    }
}
