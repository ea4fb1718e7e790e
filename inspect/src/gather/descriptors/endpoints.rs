//! /proc/PID/net/{tcp,tcp6,udp,udp6,unix}: the states and peers of a process's sockets.

use crate::gather::descriptors::sockets::{Tables, socket_inode};
use crate::model::{Descriptor, Endpoint, Kind, TcpState};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// No conclusion is drawn from fewer sockets.
const WORTH_READING: usize = 64;

/// The sockets whose states are worth knowing, by inode: none if the process has few.
pub fn wanted(descriptors: &[Descriptor]) -> HashSet<u64> {
    let sockets = descriptors.iter().filter(|d| d.kind == Kind::Socket);
    let wanted: HashSet<u64> = sockets
        .filter_map(|d| socket_inode(d.target.as_bytes()))
        .collect();
    match wanted.len() {
        WORTH_READING.. => wanted,
        _ => HashSet::new(),
    }
}

/// The sockets of `wanted` that the tables list, each once.
pub fn of(tables: &Tables, mut wanted: HashSet<u64>) -> Vec<Endpoint> {
    let seen = tables.kept().filter_map(|(table, line)| match table {
        "unix" => unix(line),
        "udp" | "udp6" => inet(line, "udp", tables),
        _ => inet(line, "tcp", tables),
    });
    seen.filter(|endpoint| wanted.remove(&endpoint.inode))
        .collect()
}

/// `sl local rem st tx:rx tr:when retrnsmt uid timeout inode ...` (net/ipv4/tcp_ipv4.c, `get_tcp4_sock`;
/// net/ipv4/udp.c, `udp4_format_sock`).
fn inet(line: &[u8], protocol: &'static str, tables: &Tables) -> Option<Endpoint> {
    let text = std::str::from_utf8(line).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let local = address(fields.nth(1)?)?;
    let peer = address(fields.next()?)?;
    let state = fields.next()?;
    let inode = fields.nth(5)?.parse().ok()?;
    // include/net/tcp_states.h.
    let state = match state {
        "01" => TcpState::Established,
        "08" => TcpState::CloseWait,
        "0A" => TcpState::Listen,
        _ => TcpState::Other,
    };
    let is_tcp = protocol == "tcp";
    Some(Endpoint {
        inode,
        protocol,
        state: is_tcp.then_some(state),
        peer: (peer.port() != 0).then_some(peer),
        accepted: is_tcp && tables.tcp(Some(local.ip()), local.port()).next().is_some(),
    })
}

/// `Num: RefCount Protocol Flags Type St Inode Path` (net/unix/af_unix.c, `unix_seq_show`). An accepted socket has the
/// path of its listener.
fn unix(line: &[u8]) -> Option<Endpoint> {
    let mut fields = line.split(|&b| b == b' ').filter(|field| !field.is_empty());
    let inode = std::str::from_utf8(fields.nth(6)?).ok()?.parse().ok()?;
    Some(Endpoint {
        inode,
        protocol: "unix",
        state: None,
        peer: None,
        accepted: fields.next().is_some(),
    })
}

/// `0100007F:1F90`: the address as words of 32 bits in the byte order of the machine, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = words.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    };
    let ip = match words.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_read_with_its_state_peer_and_inode() {
        let line = b"   1: 0100007F:1F90 0100007F:D3A2 08 00000000:00000001 00:00000000 00000000  1000        0 31337 1 0 20 4 30 10 -1";
        let seen = inet(line, "tcp", &Tables::default()).unwrap();
        assert_eq!(seen.inode, 31337);
        assert_eq!(seen.state, Some(TcpState::CloseWait));
        assert_eq!(seen.peer, Some("127.0.0.1:54178".parse().unwrap()));
        assert!(!seen.accepted);
        assert_eq!(
            inet(
                b"  sl  local_address rem_address",
                "tcp",
                &Tables::default()
            ),
            None
        );
    }

    #[test]
    fn an_ipv4_peer_is_the_same_in_both_tables() {
        let mapped = address("0000000000000000FFFF00000100007F:0050");
        assert_eq!(mapped, address("0100007F:0050"));
        assert_eq!(address("01:0050"), None);
    }

    #[test]
    fn a_connected_unix_socket_with_a_path_was_accepted_on_it() {
        let accepted = b"0000000000000000: 00000003 00000000 00000000 0001 03  4711 /run/a.sock";
        assert!(unix(accepted).unwrap().accepted);
        let pair = b"0000000000000000: 00000003 00000000 00000000 0001 03 4712";
        assert!(!unix(pair).unwrap().accepted);
    }
}
