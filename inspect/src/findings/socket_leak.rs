//! `socket-leak`: sockets are not closed although their peers are gone, or become more and more.
//!
//! Meaning: The process keeps sockets that it does not need any more. At the limit on descriptors, accept and connect
//! fail.
//!
//! Evidence: `kind`: "close-wait" (the peer has closed, the process has not), "unix" (without a path: pairs and
//! clients), "unix-accepted" (accepted, or with a path), "accepted" and "outgoing" (TCP), "udp", or "other" (neither
//! bound nor connected). `handles` is how many are open. `peer` is the address most of them are connected to,
//! `peer_handles` how many are. `soft_limit` is RLIMIT_NOFILE, `percent_of_limit` their share of it. `growth` is null
//! without `--for`, else it has `seconds` and how many `more` sockets of any kind there were after them. Reported from
//! 128 of one kind on. That is enough for "close-wait", "other" and pairs with both ends here. Of the other kinds only
//! the largest is reported, if half of the soft limit is in use and sockets are the most frequent descriptors, or if
//! `--for` saw 16 more sockets.
//!
//! Severity: warning. If these are at least half of what `fd-limit-near` counts, the severity is that of the limit
//! finding. Info if `--for` saw none added and less than half of the soft limit is in use, unless they are in
//! CLOSE_WAIT: they are kept open.
//!
//! Remedy: no command closes sockets from outside. A restart frees them. The program must close its end; an idle
//! timeout ends unused connections.
//!
//! Not to be confused with: TIME_WAIT, which belongs to the kernel and has no descriptor. A busy server with many
//! established connections. Pairs that are shared with children.

use super::file_handle_leak::MANY;
use super::{Facts, Finding, descriptor_leak, growth, leak};
use crate::model::{Endpoint, Kind, TcpState};
use crate::words::number;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// A group of sockets that are open for the same reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Group {
    /// Their peers have closed them. Only this process keeps them open.
    CloseWait,
    /// Unix sockets without a path: pairs, and clients.
    UnixUnnamed,
    /// Connections this process made.
    Outgoing,
    /// Connections it accepted.
    Accepted,
    /// Unix sockets it accepted, or that have a path.
    UnixNamed,
    Udp,
    /// Listed in no table: neither bound nor connected, or of another family.
    Other,
}

impl Group {
    fn of(socket: &Endpoint) -> Group {
        match (socket.protocol, socket.state) {
            (_, Some(TcpState::CloseWait)) => Group::CloseWait,
            ("unix", _) if socket.accepted => Group::UnixNamed,
            ("unix", _) => Group::UnixUnnamed,
            ("udp", _) => Group::Udp,
            _ if socket.accepted => Group::Accepted,
            _ => Group::Outgoing,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Group::CloseWait => "close-wait",
            Group::UnixUnnamed => "unix",
            Group::Outgoing => "outgoing",
            Group::Accepted => "accepted",
            Group::UnixNamed => "unix-accepted",
            Group::Udp => "udp",
            Group::Other => "other",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Group::CloseWait => "connections its peers have closed (CLOSE_WAIT)",
            Group::UnixUnnamed => "unix sockets without a path (pairs and clients)",
            Group::Outgoing => "TCP connections it made",
            Group::Accepted => "TCP connections it accepted",
            Group::UnixNamed => "unix sockets it accepted or bound",
            Group::Udp => "UDP sockets",
            Group::Other => "sockets that are neither bound nor connected",
        }
    }

    /// Whether many of them are a leak whatever the limit is. A server has many connections, but it has no use for one
    /// whose peer is gone, nor for hundreds of pairs with itself.
    fn is_a_leak_by_number(self, sockets: &[&Endpoint]) -> bool {
        match self {
            Group::CloseWait | Group::Other => true,
            Group::UnixUnnamed => own_pairs(sockets) * 2 >= MANY,
            _ => false,
        }
    }
}

/// How many pairs have both ends here. The kernel creates one end after the other, so their inode numbers are adjacent
/// (net/socket.c, `__sys_socketpair`). A process that gave one end to a child has every second number.
fn own_pairs(sockets: &[&Endpoint]) -> usize {
    let mut inodes: Vec<u64> = sockets.iter().map(|socket| socket.inode).collect();
    inodes.sort_unstable();
    let (mut pairs, mut last) = (0, None);
    for inode in inodes {
        match last {
            Some(before) if before + 1 == inode => (pairs, last) = (pairs + 1, None),
            _ => last = Some(inode),
        }
    }
    pairs
}

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let descriptors = process.descriptors.iter();
    let sockets = descriptors.filter(|d| d.kind == Kind::Socket).count();
    if sockets < MANY {
        return Vec::new();
    }
    let mut groups: HashMap<Group, Vec<&Endpoint>> = HashMap::new();
    let sockets_of_peers = process.surroundings.sockets.iter();
    for socket in sockets_of_peers.filter(|s| s.state != Some(TcpState::Listen)) {
        groups.entry(Group::of(socket)).or_default().push(socket);
    }
    let listed: HashSet<u64> = process
        .surroundings
        .sockets
        .iter()
        .map(|s| s.inode)
        .collect();
    let sizes = groups.iter().map(|(group, list)| (*group, list.len()));
    let mut sizes: Vec<_> = sizes
        .chain([(Group::Other, sockets.saturating_sub(listed.len()))])
        .filter(|&(_, count)| count >= MANY)
        .collect();
    sizes.sort_by_key(|&(group, count)| (std::cmp::Reverse(count), group));
    let crowded = descriptor_leak::is_dominant(facts, sockets);
    let grows = descriptor_leak::grows(process, Kind::Socket);
    let largest = sizes.first().map(|&(group, _)| group);
    sizes
        .into_iter()
        .filter(|&(group, _)| {
            let own = groups.get(&group).map_or(&[][..], Vec::as_slice);
            group.is_a_leak_by_number(own) || (largest == Some(group) && (crowded || grows))
        })
        .map(|(group, count)| finding(facts, group, count, groups.get(&group)))
        .collect()
}

fn finding(
    facts: &Facts<'_>,
    group: Group,
    count: usize,
    sockets: Option<&Vec<&Endpoint>>,
) -> Finding {
    let limit = facts.process.fds.soft_limit;
    let percent = limit.filter(|&n| n > 0).map(|n| count as u64 * 100 / n);
    let share = percent.map_or_else(String::new, |p| format!(", {p} % of its limit"));
    let peer = sockets.and_then(|sockets| commonest_peer(sockets));
    let with = peer.map_or_else(String::new, |(ip, many)| {
        format!(". {} of them are with {ip}", number(many as u64))
    });
    let grown = facts.process.growth.as_ref().map(|growth| {
        let more = growth.of_kind(Kind::Socket);
        (growth.seconds, more, growth.limits.descriptors)
    });
    let since = grown.map_or_else(String::new, |(seconds, more, ahead)| {
        growth::sentence(seconds, more, ahead).replacen(" none", " no socket", 1)
    });
    let more = grown.map(|(_, more, _)| more);
    // A socket whose peer is gone is useless, however few there are.
    let kept = group != Group::CloseWait && leak::is_kept(facts.process, more);
    let what_ends_it = match group {
        Group::CloseWait => {
            "The program does not close its own ends. No command closes them from outside. A restart frees them; to keep them from coming back, the program must close each socket when its peer has closed.".to_owned()
        }
        Group::Accepted => {
            "Either it serves that many clients, or connections are not closed: an idle timeout in the program ends unused ones.".to_owned()
        }
        _ => format!(
            "They are {}. No command closes them from outside. A restart frees them; to keep them from coming back, the program must close each one.",
            leak::leaked(facts.process, more)
        ),
    };
    let leaked = format!(". {what_ends_it}");
    let (severity, judged) = leak::verdict(kept, &leaked, &since);
    Finding {
        code: "socket-leak",
        severity,
        message: format!(
            "{} {} are open at once{share}{with}{judged}",
            number(count as u64),
            group.what(),
        ),
        evidence: json!({
            "kind": group.name(),
            "handles": count,
            "peer": peer.map(|(ip, _)| ip.to_string()),
            "peer_handles": peer.map(|(_, many)| many),
            "soft_limit": limit,
            "percent_of_limit": percent,
            "growth": grown.map(|(seconds, more, ahead)| growth::evidence(seconds, more, ahead)),
        }),
        remedy: None,
        remedy_live: None,
        change: None,
    }
}

/// The host that most of them are connected to, and how many are.
fn commonest_peer(sockets: &[&Endpoint]) -> Option<(IpAddr, usize)> {
    let mut hosts: HashMap<IpAddr, usize> = HashMap::new();
    for peer in sockets.iter().filter_map(|socket| socket.peer) {
        *hosts.entry(peer.ip()).or_default() += 1;
    }
    hosts.into_iter().max_by_key(|&(ip, many)| (many, ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Severity;
    use crate::findings::fixture::Fixture;

    fn with(count: usize, state: TcpState, accepted: bool) -> Fixture {
        let mut fixture = Fixture::new();
        for inode in 0..count as u64 {
            fixture = fixture.with_descriptor(Kind::Socket, &format!("socket:[{inode}]"));
            fixture.process.surroundings.sockets.push(Endpoint {
                inode,
                protocol: "tcp",
                state: Some(state),
                peer: Some("10.0.0.7:443".parse().unwrap()),
                accepted,
            });
        }
        fixture.process.fds.open = Some(count as u64);
        fixture.process.fds.soft_limit = Some(4096);
        fixture
    }

    #[test]
    fn connections_that_their_peers_have_closed_are_a_leak_at_any_limit() {
        let finding = with(600, TcpState::CloseWait, true).only(look);
        assert_eq!(finding.evidence["kind"], "close-wait");
        assert_eq!(finding.evidence["peer"], "10.0.0.7");
        let said = finding.message;
        assert!(
            said.starts_with("600 connections its peers have closed (CLOSE_WAIT) are open at once, 14 % of its limit. 600 of them are with 10.0.0.7."),
            "{said}"
        );
        assert!(with(127, TcpState::CloseWait, true).look(look).is_empty());
    }

    #[test]
    fn a_count_that_does_not_grow_is_kept_open_unless_the_peers_have_closed() {
        let grown = |mut fixture: Fixture| {
            fixture.process.growth = Some(crate::model::Growth::default());
            fixture.only(look).severity
        };
        let mut unused = with(200, TcpState::Other, false);
        unused.process.surroundings.sockets.clear();
        assert_eq!(unused.only(look).severity, Severity::Warning);
        assert_eq!(grown(unused), Severity::Info);
        let closed = with(200, TcpState::CloseWait, true);
        assert_eq!(grown(closed), Severity::Warning);
    }

    #[test]
    fn pairs_with_itself_are_a_leak_and_pairs_with_children_are_not() {
        for (step, leaks) in [(1, true), (2, false)] {
            let mut fixture = with(440, TcpState::Other, false);
            for socket in &mut fixture.process.surroundings.sockets {
                (socket.protocol, socket.state, socket.peer) = ("unix", None, None);
                socket.inode *= step;
            }
            assert_eq!(fixture.look(look).len(), usize::from(leaks));
        }
    }

    #[test]
    fn a_busy_server_has_no_leak_until_half_of_its_limit_is_in_use() {
        for accepted in [true, false] {
            let mut fixture = with(600, TcpState::Established, accepted);
            assert!(fixture.look(look).is_empty());
            fixture.process.fds.soft_limit = Some(1201);
            assert!(fixture.look(look).is_empty());
            fixture.process.fds.soft_limit = Some(1200);
            let kind = if accepted { "accepted" } else { "outgoing" };
            assert_eq!(fixture.only(look).evidence["kind"], kind);
        }
    }
}
