//! `duplicate-instance`: another server of the same program works on the same state or port.
//!
//! Meaning: Two servers were started independently. It is up to chance which of them answers and which one a stop
//! command ends (incident 3). At most 4 are reported.
//!
//! Evidence: `pids` of both, `pid` and `parent` (PID and name) of the other one. `same_command` (same arguments) and
//! `same_cwd` (same working directory). `shared_databases` and `shared_claims` are files that both have open for
//! writing. `shared_ports` are TCP ports on which both listen with their own sockets. `other_listeners` is where the
//! other one listens. `claims` are files that name only one of the two, and `unclaimed_pid` is the other one; else both
//! are null. One look decides. Reported for a shared port, a shared PID or port file, or a shared database or lock file
//! if one of them listens; also for a claim on one of two processes with the same arguments, if both listen or both
//! have run for 30 s.
//!
//! Severity: warning with the same arguments, a shared port or a shared PID file. Else info: a web server and its
//! worker may share a database on purpose.
//!
//! Remedy: `kill` for the one that no claim names, unless a port or socket file leads clients to it. Else none: only
//! their owner knows which one is right.
//!
//! Not to be confused with: parent and child, or workers that share one inherited listening socket. Two builds that
//! wait for one lock file. `orphaned-server`, where the second one cannot listen.

use super::{Facts, Finding, Severity};
use crate::model::{ClaimOwner, Listener, Name, Process, SameProgram, SharedFile};
use crate::words::list_words;
use serde_json::json;

/// How many are reported.
const MOST: usize = 4;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let others = process.surroundings.same_program.iter();
    others
        .filter_map(|other| finding(process, other))
        .take(MOST)
        .collect()
}

fn finding(process: &Process, other: &SameProgram) -> Option<Finding> {
    // SO_REUSEPORT lets two sockets share a port. Each gets a part of the connections.
    let ports: Vec<u16> = process
        .surroundings
        .listeners
        .iter()
        .filter(|own| own.protocol.starts_with("tcp"))
        .filter(|own| {
            let place = |l: &Listener| (l.port, l.protocol, l.address.clone());
            other
                .listeners
                .iter()
                .any(|other| place(other) == place(own))
        })
        .filter_map(|own| own.port)
        .collect();
    let unclaimed = unclaimed(process, other);
    let serves = !process.surroundings.listeners.is_empty() || !other.listeners.is_empty();
    let pid_file = other.shared.iter().any(|file| {
        let name = file.path.base().to_ascii_lowercase();
        file.what == "claim" && !name.ends_with(b"lock") && !name.ends_with(b"lck")
    });
    // Two builds that wait for one lock are not servers. A process that listens, or that holds a PID file, is.
    let shares_state = serves && !other.shared.is_empty();
    if ports.is_empty() && !pid_file && !shares_state && unclaimed.is_none() {
        return None;
    }
    // A web server and its worker may share a database on purpose; with the same arguments they are one
    // server started twice.
    let sure = other.same_command || pid_file || !ports.is_empty();
    let files = |what: &str| -> Vec<&SharedFile> {
        other
            .shared
            .iter()
            .filter(|file| file.what == what)
            .collect()
    };
    Some(Finding {
        code: "duplicate-instance",
        severity: if sure {
            Severity::Warning
        } else {
            Severity::Info
        },
        message: message(other, &ports, unclaimed.as_ref()),
        evidence: json!({
            "pids": [process.pid, other.pid],
            "pid": other.pid,
            "parent": other.started_by.parent,
            "same_command": other.same_command,
            "same_cwd": other.same_cwd,
            "shared_databases": files("database").iter().map(|f| &f.path).collect::<Vec<_>>(),
            "shared_claims": files("claim").iter().map(|f| &f.path).collect::<Vec<_>>(),
            "shared_ports": ports,
            "other_listeners": other.listeners,
            "claims": unclaimed.as_ref().map(|_| &other.claims),
            "unclaimed_pid": unclaimed.as_ref().map(|unclaimed| unclaimed.pid),
        }),
        // Only their owner knows which of the two is right, unless neither a stop command nor a client can reach one
        // of them.
        remedy: unclaimed
            .filter(|unclaimed| unclaimed.reached_by.is_none())
            .map(|unclaimed| format!("kill {}", unclaimed.pid)),
        remedy_live: None,
        change: None,
    })
}

/// The one of the two that no claim names.
struct Unclaimed<'a> {
    pid: u32,
    /// The claim that names the other one.
    claim: &'a ClaimOwner,
    /// A port or socket file that still leads clients to it.
    reached_by: Option<&'a Name>,
}

fn unclaimed<'a>(process: &'a Process, other: &'a SameProgram) -> Option<Unclaimed<'a>> {
    let claim = other.claims.first()?;
    // A start that waits for the other one, or is about to give up, is not a server yet.
    let serve = !process.surroundings.listeners.is_empty() && !other.listeners.is_empty();
    if !other.same_command || !(serve || other.settled) {
        return None;
    }
    let pid = match claim.pid == other.pid {
        true => process.pid,
        false => other.pid,
    };
    let mut leads = process.surroundings.claims.iter().filter(|claim| {
        claim.pid.is_none() && claim.holders.iter().any(|holder| holder.pid == pid)
    });
    Some(Unclaimed {
        pid,
        claim,
        reached_by: leads.next().map(|claim| &claim.path),
    })
}

fn message(other: &SameProgram, ports: &[u16], unclaimed: Option<&Unclaimed<'_>>) -> String {
    let mut shares: Vec<String> = other
        .shared
        .iter()
        .map(|file| file.path.to_string())
        .collect();
    shares.extend(ports.iter().map(|port| format!("port {port}")));
    let words: Vec<&str> = shares.iter().map(String::as_str).collect();
    let same = match other.same_command {
        true => "program with the same arguments",
        false => "program",
    };
    let text = match words.is_empty() {
        true => format!(
            "Process {} runs the same {same} and was started on its own",
            other.pid
        ),
        false => format!(
            "Process {} runs the same {same}, was started on its own, and shares {} with it",
            other.pid,
            list_words(&words, "and"),
        ),
    };
    let Some(Unclaimed {
        pid,
        claim,
        reached_by,
    }) = unclaimed
    else {
        return text
            + ": it is up to chance which of the two answers, and which one a stop command ends.";
    };
    let clients = reached_by.map_or_else(String::new, |path| {
        format!(" But {path} leads clients to it: stop both, then start one.")
    });
    format!(
        "{text}. {} names process {}, but nothing names {pid}, so no stop command ends that one.{clients}",
        claim.path, claim.pid
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::{ClaimHolder, StartedBy, Verdict};

    fn listener(port: u16) -> Listener {
        Listener {
            fd: 3,
            protocol: "tcp",
            address: Some("127.0.0.1".into()),
            port: Some(port),
            inode: u64::from(port),
        }
    }

    /// A server on one port, and a second one of the same program on another.
    fn pair(shared: &[(&str, &'static str)], same_command: bool) -> Fixture {
        let mut fixture = Fixture::new();
        fixture.process.surroundings.listeners = vec![listener(1)];
        fixture.process.surroundings.same_program = vec![SameProgram {
            pid: 43,
            started_by: StartedBy::default(),
            same_command,
            wants_its_place: true,
            same_cwd: true,
            younger: true,
            terminal: false,
            listeners: vec![listener(2)],
            shared: shared
                .iter()
                .map(|&(path, what)| SharedFile {
                    path: path.into(),
                    what,
                })
                .collect(),
            claims: Vec::new(),
            settled: false,
        }];
        fixture
    }

    #[test]
    fn the_same_command_on_one_database_is_one_server_twice() {
        let finding = pair(&[("/s/a.db", "database")], true).only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.evidence["pids"][0], 42);
        assert_eq!(finding.evidence["pids"][1], 43);
    }

    #[test]
    fn another_command_on_one_database_is_info() {
        let finding = pair(&[("/s/a.db", "database")], false).only(look);
        assert_eq!(finding.severity, Severity::Info);
    }

    #[test]
    fn servers_that_share_nothing_are_two_servers() {
        assert!(pair(&[], true).look(look).is_empty());
    }

    #[test]
    fn two_that_listen_on_one_port_are_duplicates() {
        let mut fixture = pair(&[], false);
        fixture.process.surroundings.same_program[0].listeners = vec![listener(1)];
        assert_eq!(fixture.only(look).evidence["shared_ports"][0], 1);
    }

    #[test]
    fn programs_that_only_wait_for_one_lock_are_not_servers() {
        let mut fixture = pair(&[("/t/.cargo-lock", "claim")], true);
        fixture.process.surroundings.listeners.clear();
        fixture.process.surroundings.same_program[0]
            .listeners
            .clear();
        assert!(fixture.look(look).is_empty());
        fixture.process.surroundings.same_program[0].shared[0].path = "/t/serve.pid".into();
        assert_eq!(fixture.only(look).severity, Severity::Warning);
    }

    /// Two servers, and a PID file that names the other one.
    fn claimed() -> Fixture {
        let mut fixture = pair(&[], true);
        fixture.process.surroundings.same_program[0].claims = vec![ClaimOwner {
            path: "/s/serve.pid".into(),
            pid: 43,
        }];
        fixture
    }

    #[test]
    fn the_remedy_ends_the_one_that_no_claim_names() {
        let finding = claimed().only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.evidence["unclaimed_pid"], 42);
        assert_eq!(finding.evidence["claims"][0]["path"], "/s/serve.pid");
        assert_eq!(finding.remedy.as_deref(), Some("kill 42"));
        let mut other = claimed();
        other.process.surroundings.same_program[0].claims[0].pid = 42;
        assert_eq!(other.only(look).remedy.as_deref(), Some("kill 43"));
    }

    #[test]
    fn no_command_ends_the_one_that_clients_are_led_to() {
        let mut fixture = claimed();
        let holder = ClaimHolder {
            pid: 42,
            command: None,
            lock: None,
        };
        let mut port = crate::findings::fixture::claim("/s/pgserve.port", Verdict::Live);
        port.holders = vec![holder];
        fixture.process.surroundings.claims = vec![port];
        let finding = fixture.only(look);
        assert!(finding.remedy.is_none());
        assert!(finding.message.contains("/s/pgserve.port leads clients"));
    }

    #[test]
    fn a_start_that_waits_for_another_is_not_a_server() {
        let mut fixture = claimed();
        fixture.process.surroundings.listeners.clear();
        assert!(fixture.look(look).is_empty());
        fixture.process.surroundings.same_program[0].settled = true;
        assert_eq!(fixture.only(look).severity, Severity::Warning);
        fixture.process.surroundings.same_program[0].same_command = false;
        assert!(fixture.look(look).is_empty());
    }
}
