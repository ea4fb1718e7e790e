//! Sockets: where they listen, and what is at their other ends.

use super::bytes::Bytes;
use super::layout::{InSockInfo, SocketFdInfo, SocketInfo, TcpSockInfo, UnSockInfo};
use crate::model::{Descriptor, Endpoint, Kind, Listener, Name, TcpState};
use std::collections::HashSet;
use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// SOCKINFO_IN, _TCP and _UN (bsd/sys/proc_info.h): which part of the union is there.
const IN: i32 = 1;
const TCP: i32 = 2;
const UN: i32 = 3;
/// INI_IPV4 (bsd/sys/proc_info.h); a socket of IPv6 that takes both has both flags.
const IPV4: u8 = 1;
/// AF_INET6 (bsd/sys/socket.h).
const INET6: i32 = 30;
/// IPPROTO_UDP.
const UDP: i32 = 17;
/// SO_ACCEPTCONN (bsd/sys/socket.h).
const ACCEPTS: i16 = 2;
/// TSI_S_LISTEN, TSI_S_ESTABLISHED, TSI_S__CLOSE_WAIT (bsd/sys/proc_info.h).
const LISTEN: i32 = 1;
const ESTABLISHED: i32 = 4;
const CLOSE_WAIT: i32 = 5;

/// One socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// The kernel's handle of it: equal for all its descriptors, in all processes.
    pub handle: u64,
    /// `tcp`, `tcp6`, `udp`, `udp6` or `unix`; `None` for other families.
    pub protocol: Option<&'static str>,
    pub listens: bool,
    pub state: Option<TcpState>,
    pub local: Option<SocketAddr>,
    pub peer: Option<SocketAddr>,
    /// The path of a unix socket.
    pub path: Option<Name>,
}

/// A socket_fdinfo; `None` if the bytes are too few.
pub fn parse(answer: &[u8]) -> Option<Socket> {
    let socket = Bytes(answer.get(offset_of!(SocketFdInfo, psi)..)?);
    let family = socket.i32(offset_of!(SocketInfo, soi_family))?;
    let part = Bytes(socket.0.get(offset_of!(SocketInfo, soi_proto)..)?);
    let mut found = Socket {
        handle: socket.u64(offset_of!(SocketInfo, soi_so))?,
        protocol: None,
        listens: false,
        state: None,
        local: None,
        peer: None,
        path: None,
    };
    match socket.i32(offset_of!(SocketInfo, soi_kind))? {
        TCP => {
            let state = part.i32(offset_of!(TcpSockInfo, tcpsi_state))?;
            found.protocol = Some(if family == INET6 { "tcp6" } else { "tcp" });
            found.state = Some(match state {
                LISTEN => TcpState::Listen,
                ESTABLISHED => TcpState::Established,
                CLOSE_WAIT => TcpState::CloseWait,
                _ => TcpState::Other,
            });
            found.listens = state == LISTEN;
            (found.local, found.peer) = addresses(part, family)?;
        }
        IN if socket.i32(offset_of!(SocketInfo, soi_protocol))? == UDP => {
            found.protocol = Some(if family == INET6 { "udp6" } else { "udp" });
            (found.local, found.peer) = addresses(part, family)?;
            // UDP has no listening state: a socket without a peer receives from everyone.
            found.listens = found.local.is_some() && found.peer.is_none();
        }
        UN => {
            let options = socket.i16(offset_of!(SocketInfo, soi_options))?;
            found.protocol = Some("unix");
            found.listens = options & ACCEPTS != 0;
            found.path = path(part);
        }
        _ => {}
    }
    Some(found)
}

/// The own address and the peer's; `None` for a port of 0, which is none.
fn addresses(part: Bytes<'_>, family: i32) -> Option<(Option<SocketAddr>, Option<SocketAddr>)> {
    let is_4 = family != INET6 && part.0.get(offset_of!(InSockInfo, insi_vflag))? & IPV4 != 0;
    let address = |address: usize, port: usize| {
        let port = part.port(port)?;
        let ip = match is_4 {
            // The last word of the 16 bytes.
            true => IpAddr::from(Ipv4Addr::from(part.address::<4>(address + 12)?)),
            false => IpAddr::from(Ipv6Addr::from(part.address::<16>(address)?)),
        };
        Some(Some(SocketAddr::new(ip, port)).filter(|_| port != 0))
    };
    let own = address(
        offset_of!(InSockInfo, insi_laddr),
        offset_of!(InSockInfo, insi_lport),
    )?;
    let peer = address(
        offset_of!(InSockInfo, insi_faddr),
        offset_of!(InSockInfo, insi_fport),
    )?;
    Some((own, peer))
}

/// sockaddr_un (bsd/sys/un.h): its length, its family, and a path that need not end with a NUL.
fn path(part: Bytes<'_>) -> Option<Name> {
    let at = offset_of!(UnSockInfo, unsi_addr);
    let length = usize::from(*part.0.get(at)?);
    part.text(at + 2, length.saturating_sub(2)).map(Name::from)
}

impl Socket {
    /// Its descriptor. Its name is the same for every descriptor of it.
    pub fn descriptor(&self, fd: i32) -> Descriptor {
        Descriptor {
            target: format!("socket:[{:x}]", self.handle).as_str().into(),
            ..Descriptor::of_kind(fd, Kind::Socket)
        }
    }

    fn listener(&self, fd: i32) -> Option<Listener> {
        let protocol = self.protocol.filter(|_| self.listens)?;
        let ip = self.local.map(|local| local.ip().to_string());
        Some(Listener {
            fd,
            protocol,
            address: ip.as_deref().map(Name::from).or_else(|| self.path.clone()),
            port: self.local.map(|local| local.port()),
            inode: self.handle,
        })
    }

    fn endpoint(&self, all: &[(i32, Socket)]) -> Option<Endpoint> {
        let protocol = match self.protocol? {
            "unix" => "unix",
            "udp" | "udp6" => "udp",
            _ => "tcp",
        };
        let port = |socket: &Socket| socket.local.map(|local| local.port());
        let own = port(self);
        let accepted = match protocol {
            "tcp" => all
                .iter()
                .any(|(_, other)| other.state == Some(TcpState::Listen) && port(other) == own),
            // An accepted socket has the path of its listener.
            _ => self.path.is_some(),
        };
        Some(Endpoint {
            inode: self.handle,
            protocol,
            state: self.state,
            peer: self.peer,
            accepted,
        })
    }
}

/// Those that listen, each once.
pub fn listeners(all: &[(i32, Socket)]) -> Vec<Listener> {
    let mut seen = HashSet::new();
    all.iter()
        .filter_map(|(fd, socket)| socket.listener(*fd))
        .filter(|listener| seen.insert(listener.inode))
        .collect()
}

/// All of them with their other ends, each once.
pub fn endpoints(all: &[(i32, Socket)]) -> Vec<Endpoint> {
    let mut seen = HashSet::new();
    all.iter()
        .filter(|(_, socket)| seen.insert(socket.handle))
        .filter_map(|(_, socket)| socket.endpoint(all))
        .collect()
}
