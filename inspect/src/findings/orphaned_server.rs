//! `orphaned-server`: a server that nobody supervises holds a port, and a new start of it cannot listen.
//!
//! Meaning: The process that started it is gone, or is not the supervisor that should run it now. That supervisor
//! starts it again and again, and each start ends because the port is in use (incident 4).
//!
//! Evidence: `listeners` (where it listens) and `port` (TCP, or null). `parent` is its parent now (PID and name).
//! `session`, `leads_session` and `session_leader_alive` tell where it came from. `siblings` are up to five PIDs that
//! tried to take its place. `starts_in_vain` counts starts that ended during `--for`, and `seconds` is its duration;
//! both are null after a single look, which sees only siblings that still run. `supervisor` is the process that starts
//! them (PID and name). A start counts if it has the same command line (where
//! that has a relative path, also the same directory or the same port), or if the same program, in the same directory,
//! was given the same port: as a word of its command, or by PORT. One in another network namespace, one that listens itself and one
//! that ends with success (seen from Linux 6.15 on) do not count.
//!
//! Severity: warning if another start that still runs or has failed was seen. Info for an orphan with a TCP port and no
//! such rival.
//!
//! Remedy: with a rival, `kill PID`. For a systemd service, `systemctl kill` and `systemctl restart` of the unit. First
//! check who is connected: `ss -tn state established 'sport = :PORT'`, on a Mac `lsof -nP -iTCP:PORT`. Without a rival there is no command; `--for 15`
//! shows whether a supervisor keeps trying.
//!
//! Not to be confused with: a daemon that is meant to run alone (nohup, daemon(3), the main process of a service, one
//! that a valid PID file names), which is not reported without a rival. The first process of a container, which is
//! never reported. ssh-agent and tmux, which have no TCP port. `duplicate-instance`, where both listen.

mod rivals;

use self::rivals::{Rivals, is_claimed};
use super::{Facts, Finding, Severity, quote};
use crate::model::{Listener, Origin, Process, Unit};
use crate::words::plural;
use serde_json::json;

/// A process that starts this soon after its parent was started as part of the parent's own start.
const SAME_GENERATION: u64 = 60;
/// So many failed starts are not a mistake. They show that it does not belong to the supervisor that should run it,
/// even if its parent still runs: npm's `sh -c`, the shell of a terminal, a parent that reloads.
const AGAIN: usize = 2;
/// How many siblings are named.
const NAMED: usize = 5;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let Some(origin) = &process.surroundings.origin else {
        return Vec::new();
    };
    let rivals = Rivals::of(process);
    // The first process of a container is adopted by the container runtime.
    let orphan = is_orphan(origin, &rivals) || rivals.ended.len() >= AGAIN;
    if process.surroundings.listeners.is_empty() || origin.is_init || !orphan {
        return Vec::new();
    }
    if rivals.is_empty() && !is_worth_knowing(process, origin) {
        return Vec::new();
    }
    vec![finding(facts, origin, &rivals)]
}

/// Whether its parent did not start it but adopted it. A process that leads its own session may have been started that
/// way, unless its parent adopts all orphans: init does, and so does an ancestor of the process that starts its rivals
/// (prctl(2), PR_SET_CHILD_SUBREAPER). While the leader of its session runs, somebody may want it as it is, unless starts
/// failed.
fn is_orphan(origin: &Origin, rivals: &Rivals<'_>) -> bool {
    match origin.leads_session {
        true => was_adopted(origin) || rivals.started_by().any(|by| by.below_its_parent),
        false => was_adopted(origin) && (!origin.leader_alive || !rivals.ended.is_empty()),
    }
}

/// Whether its parent certainly did not start it.
fn was_adopted(origin: &Origin) -> bool {
    match origin.leads_session {
        true => origin.parent_is_init,
        false => !origin.parent_in_session,
    }
}

/// Without a sibling in sight: whether it holds a TCP port and was not meant to run alone. Daemons that the system
/// started, daemons of a login that only listen on a unix socket (ssh-agent, tmux), and processes that were put into
/// the background on purpose are meant to: nohup(1) ignores SIGHUP, daemon(3) changes to `/`.
fn is_worth_knowing(process: &Process, origin: &Origin) -> bool {
    let port = process
        .surroundings
        .listeners
        .iter()
        .any(|l| l.protocol.starts_with("tcp"));
    let on_purpose = origin.ignores_hangup
        || process
            .surroundings
            .cwd
            .as_ref()
            .is_some_and(|cwd| cwd.as_bytes() == b"/");
    port && !on_purpose
        && !is_claimed(process)
        && !origin.own_service
        && origin.after_parent > SAME_GENERATION
}

fn finding(facts: &Facts<'_>, origin: &Origin, rivals: &Rivals<'_>) -> Finding {
    let process = facts.process;
    let listeners = &process.surroundings.listeners;
    let main = listeners
        .iter()
        .find(|l| l.protocol.starts_with("tcp"))
        .or(listeners.first());
    let place = main.map_or_else(String::new, place_of);
    // Ending it helps the next start and hurts the clients that are connected.
    let check = match main.and_then(|listener| listener.port) {
        Some(port) if !rivals.is_empty() => format!(
            " Before you end it, check who is connected to it ({}), and that its successor is the one you want.",
            facts.remedies.connections(port)
        ),
        _ => String::new(),
    };
    let parent = &origin.parent;
    let whence = match was_adopted(origin) {
        true => format!(
            "and the process that started it is gone: its parent is {} (PID {}), which adopted it",
            parent.comm, parent.pid
        ),
        false => format!(
            "below {} (PID {}), and not below the process that should run it now",
            parent.comm, parent.pid
        ),
    };
    let alive = rivals.alive.iter().map(|other| other.pid);
    let ended = rivals.ended.iter().map(|start| start.pid);
    let respawns = process.surroundings.respawns.as_ref();
    Finding {
        code: "orphaned-server",
        severity: if rivals.is_empty() {
            Severity::Info
        } else {
            Severity::Warning
        },
        message: format!(
            "It listens on {place}, {whence}. {}{check}",
            what_of(facts, rivals)
        ),
        evidence: json!({
            "listeners": listeners,
            "port": main.and_then(|listener| listener.port),
            "parent": origin.parent,
            "session": process.surroundings.session,
            "leads_session": origin.leads_session,
            "session_leader_alive": origin.leader_alive,
            "siblings": alive.chain(ended).take(NAMED).collect::<Vec<_>>(),
            "starts_in_vain": respawns.map(|respawns| respawns.ended.len()),
            "seconds": respawns.map(|respawns| respawns.seconds),
            "supervisor": rivals.supervisor(),
        }),
        remedy: (!rivals.is_empty()).then(|| remedy(process.pid, origin.unit.as_ref())),
        remedy_live: None,
        change: None,
    }
}

/// Whether a supervisor may be trying in vain to start what listens here, which only a longer look sees: no service
/// manager runs it, and it was not reported yet.
pub fn may_be_in_the_way(process: &Process, findings: &[Finding]) -> bool {
    let around = &process.surroundings;
    let kept = |origin: &Origin| origin.own_service || origin.is_init;
    let tcp = around
        .listeners
        .iter()
        .any(|l| l.protocol.starts_with("tcp"));
    tcp && around.respawns.is_none()
        && around.origin.as_ref().is_some_and(|origin| !kept(origin))
        && findings
            .iter()
            .all(|finding| finding.code != "orphaned-server")
}

/// Which other processes try to take its place.
fn what_of(facts: &Facts<'_>, rivals: &Rivals<'_>) -> String {
    let process = facts.process;
    let respawns = process.surroundings.respawns.as_ref();
    let who = match (respawns, rivals.ended, rivals.alive.first()) {
        (Some(respawns), [_, ..], _) => format!(
            "Within {:.1} s its command was started {} and ended each time, because that place is taken",
            respawns.seconds,
            plural(respawns.ended.len(), "time", "times"),
        ),
        (_, _, Some(other)) => format!(
            "Process {} runs the same command and cannot listen there",
            other.pid
        ),
        (Some(respawns), ..) => {
            let seconds = respawns.seconds;
            return format!(
                "Nobody restarts or stops it, and another start of the same server could not listen there. Within {seconds:.1} s there was none."
            );
        }
        (None, ..) => {
            return format!(
                "Nobody is left to restart or stop it, and another start of the same server cannot listen there: {} shows whether a supervisor keeps trying.",
                facts.remedies.mention(&format!("{} --for 15", process.pid)),
            );
        }
    };
    match rivals.supervisor() {
        Some(by) => format!("{who}: {} (PID {}) starts it in vain.", by.comm, by.pid),
        None => format!("{who}."),
    }
}

/// The command that frees the port. A service manager ends everything in the unit and starts it once; `restart` alone
/// would leave the orphan if the unit has `KillMode=process` (systemd.kill(5)). Without one, SIGTERM ends it in order,
/// and the supervisor's next start can bind.
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
mod tests;
