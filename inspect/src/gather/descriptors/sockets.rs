//! /proc/PID/net/{tcp,tcp6,udp,udp6,unix}: the listeners in the process's own network namespace.

use crate::gather::subject::lines::each_line;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Descriptor, Kind, Listener, Name};
use procfs::FromBufReadSI;
use procfs::net::{TcpNetEntries, UdpNetEntries};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// `tcp`, `tcp6`, `udp`, `udp6` or `unix`.
    pub protocol: &'static str,
    /// Address and port; `None` for a unix socket.
    pub address: Option<SocketAddr>,
    /// The path of a unix socket; an abstract one begins with `@`.
    pub path: Option<Name>,
    /// The user who created it; not known for a unix socket.
    pub uid: Option<u32>,
    /// The socket's inode, as in the link `socket:[N]`.
    pub inode: u64,
}

/// Everything that listens in one network namespace.
#[derive(Debug, Default)]
pub struct Tables {
    list: Vec<Listening>,
    /// The requested lines, with their tables.
    kept: Vec<(&'static str, Vec<u8>)>,
}

impl Tables {
    /// Reads the tables of a process's namespace. A table that cannot be read is empty: IPv6 may be missing.
    pub fn of(dir: &ProcDir) -> Tables {
        Tables::keeping(dir, &HashSet::new())
    }

    /// Reads the tables of sockets that have a port.
    pub fn with_ports(dir: &ProcDir) -> Tables {
        Tables::keeping_ports(dir, &HashSet::new())
    }

    /// Like `of`, but also keeps the lines of the sockets in `wanted`, because reading a table of thousands again takes
    /// long.
    pub fn keeping(dir: &ProcDir, wanted: &HashSet<u64>) -> Tables {
        let mut tables = Tables::keeping_ports(dir, wanted);
        if let Ok(file) = dir.open_file(b"net/unix", libc::O_RDONLY) {
            // A table that ends early still shows the lines before.
            let _ = each_line(&file, &mut Vec::new(), |line| {
                tables.list.extend(unix(line));
                let is_wanted = |fields: UnixFields<'_>| wanted.contains(&fields.inode);
                if !wanted.is_empty() && unix_fields(line).is_some_and(is_wanted) {
                    tables.kept.push(("unix", line.to_vec()));
                }
            });
        }
        tables
    }

    fn keeping_ports(dir: &ProcDir, wanted: &HashSet<u64>) -> Tables {
        let mut list = Vec::new();
        let mut kept = Vec::new();
        let mut keep = |protocol, inode: Option<u64>, line: &[u8]| {
            if inode.is_some_and(|inode| wanted.contains(&inode)) {
                kept.push((protocol, line.to_vec()));
            }
        };
        // Field 10 (net/ipv4/tcp_ipv4.c, `get_tcp4_sock`). It is not read if no socket is wanted.
        let inode = |line: &[u8]| {
            let mut fields = line.split(|&b| b == b' ').filter(|field| !field.is_empty());
            let field = fields.nth(9).filter(|_| !wanted.is_empty())?;
            std::str::from_utf8(field).ok()?.parse().ok()
        };
        for protocol in ["tcp", "tcp6"] {
            // Field 4 is the state; 0A is TCP_LISTEN (include/net/tcp_states.h).
            let text = table(
                dir,
                protocol,
                |fields| fields.nth(3) == Some(b"0A"),
                |line| keep(protocol, inode(line), line),
            );
            let entries = TcpNetEntries::from_buf_read(&text[..], procfs::current_system_info());
            let entries = entries.map(|entries| entries.0).unwrap_or_default();
            list.extend(
                entries
                    .iter()
                    .map(|e| inet(protocol, e.local_address, e.uid, e.inode)),
            );
        }
        for protocol in ["udp", "udp6"] {
            // UDP has no listening state: a socket without a peer receives datagrams from everyone.
            let text = table(
                dir,
                protocol,
                |fields| fields.nth(2).is_some_and(|peer| peer.ends_with(b":0000")),
                |line| keep(protocol, inode(line), line),
            );
            let entries = UdpNetEntries::from_buf_read(&text[..], procfs::current_system_info());
            let entries = entries.map(|entries| entries.0).unwrap_or_default();
            list.extend(
                entries
                    .iter()
                    .map(|e| inet(protocol, e.local_address, e.uid, e.inode)),
            );
        }
        Tables { list, kept }
    }

    /// The lines of the requested sockets, with the names of their tables.
    pub fn kept(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.kept.iter().map(|(table, line)| (*table, &line[..]))
    }

    /// The listening sockets among a process's descriptors, each once.
    pub fn of_descriptors(&self, descriptors: &[Descriptor]) -> Vec<Listener> {
        let mut fds: HashMap<u64, i32> = HashMap::new();
        for descriptor in descriptors.iter().filter(|d| d.kind == Kind::Socket) {
            if let Some(inode) = socket_inode(descriptor.target.as_bytes()) {
                fds.entry(inode).or_insert(descriptor.fd);
            }
        }
        let mut found: Vec<_> = self
            .list
            .iter()
            .filter_map(|l| {
                Some(Listener {
                    fd: *fds.get(&l.inode)?,
                    protocol: l.protocol,
                    address: match &l.address {
                        Some(address) => Some(address.ip().to_string().as_str().into()),
                        None => l.path.clone(),
                    },
                    port: l.address.map(|a| a.port()),
                    inode: l.inode,
                })
            })
            .collect();
        found.sort_by_key(|listener| listener.fd);
        found
    }

    /// Who listens on `port`, for TCP or UDP, at any address.
    pub fn port(&self, port: u16) -> impl Iterator<Item = &Listening> {
        let has = move |l: &&Listening| l.address.is_some_and(|address| address.port() == port);
        self.list.iter().filter(has)
    }

    /// Who listens for TCP connections to `host` and `port`; without a host, at any address.
    pub fn tcp(&self, host: Option<IpAddr>, port: u16) -> impl Iterator<Item = &Listening> {
        self.list.iter().filter(move |l| {
            l.protocol.starts_with("tcp")
                && l.address.is_some_and(|a| {
                    a.port() == port && host.is_none_or(|host| reaches(host, a.ip()))
                })
        })
    }
}

/// Whether a connection to `host` ends at a socket bound to `bound`.
fn reaches(host: IpAddr, bound: IpAddr) -> bool {
    let (host, bound) = (host.to_canonical(), bound.to_canonical());
    // `::` accepts IPv4 as well, unless IPV6_V6ONLY is set, which the table does not show.
    host == bound || host.is_unspecified() || bound.is_unspecified()
}

/// The inode in `socket:[N]`.
pub fn socket_inode(link: &[u8]) -> Option<u64> {
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn inet(protocol: &'static str, address: SocketAddr, uid: u32, inode: u64) -> Listening {
    Listening {
        protocol,
        address: Some(address),
        path: None,
        uid: Some(uid),
        inode,
    }
}

/// The header and the relevant lines. A busy server has tens of thousands of others.
fn table(
    dir: &ProcDir,
    protocol: &str,
    matters: impl Fn(&mut dyn Iterator<Item = &[u8]>) -> bool,
    mut each: impl FnMut(&[u8]),
) -> Vec<u8> {
    let mut text = b"header\n".to_vec();
    let path = format!("net/{protocol}");
    if let Ok(file) = dir.open_file(path.as_bytes(), libc::O_RDONLY) {
        let _ = each_line(&file, &mut Vec::new(), |line| {
            let mut fields = line.split(|&b| b == b' ').filter(|field| !field.is_empty());
            if matters(&mut fields) {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
            each(line);
        });
    }
    text
}

/// A unix socket with a path.
pub struct UnixSocket {
    /// The path it was bound to.
    pub path: Name,
    /// Its inode, as in the link `socket:[N]`.
    pub inode: u64,
    /// Whether it listens or receives datagrams.
    pub served: bool,
    /// Whether it receives datagrams.
    pub datagrams: bool,
}

/// The unix sockets with a path in a process's network namespace. Empty if the table cannot be read.
pub fn unix_sockets(dir: &ProcDir) -> Vec<UnixSocket> {
    let mut list = Vec::new();
    if let Ok(file) = dir.open_file(b"net/unix", libc::O_RDONLY) {
        // A table that ends early still shows the lines before.
        let _ = each_line(&file, &mut Vec::new(), |line| {
            list.extend(unix_socket(line))
        });
    }
    list
}

/// `Num: RefCount Protocol Flags Type St Inode Path` (net/unix/af_unix.c, `unix_seq_show`). The procfs crate does not
/// read it: there, one path that is not UTF-8 makes the whole table fail.
fn unix_socket(line: &[u8]) -> Option<UnixSocket> {
    let fields = unix_fields(line)?;
    let path = Name::from(fields.path.filter(|path| !path.starts_with(b"@"))?);
    Some(UnixSocket {
        path,
        inode: fields.inode,
        served: fields.listens || fields.datagrams,
        datagrams: fields.datagrams,
    })
}

fn unix(line: &[u8]) -> Option<Listening> {
    let fields = unix_fields(line)?;
    fields.listens.then(|| Listening {
        protocol: "unix",
        address: None,
        path: fields.path.map(Name::from),
        uid: None,
        inode: fields.inode,
    })
}

struct UnixFields<'a> {
    listens: bool,
    datagrams: bool,
    inode: u64,
    path: Option<&'a [u8]>,
}

fn unix_fields(line: &[u8]) -> Option<UnixFields<'_>> {
    // __SO_ACCEPTCON of include/uapi/linux/net.h: it listens.
    const ACCEPTS: u32 = 1 << 16;
    let mut fields = line.splitn(8, |&b| b == b' ');
    // The inode is padded to five places.
    let text = |field: Option<&[u8]>| Some(std::str::from_utf8(field?).ok()?.to_owned());
    let flags = u32::from_str_radix(&text(fields.nth(3))?, 16).ok()?;
    let rest = line.splitn(7, |&b| b == b' ').nth(6)?.trim_ascii_start();
    let end = rest.iter().position(|&b| b == b' ').unwrap_or(rest.len());
    let inode = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
    let path = rest.get(end + 1..).filter(|path| !path.is_empty());
    Some(UnixFields {
        listens: flags & ACCEPTS != 0,
        // SOCK_DGRAM, in hexadecimal.
        datagrams: fields.next() == Some(b"0002"),
        inode,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_unix_listener_may_be_any_bytes() {
        let line = b"0000000000000000: 00000002 00000000 00010000 0001 01  4711 /run/a \xff.sock";
        let found = unix(line).unwrap();
        assert_eq!(found.inode, 4711);
        assert_eq!(found.path.unwrap().as_bytes(), b"/run/a \xff.sock");
        let other = b"0000000000000000: 00000003 00000000 00000000 0001 03 4712";
        assert_eq!(unix(other), None);
        assert_eq!(
            unix(b"Num       RefCount Protocol Flags    Type St Inode Path"),
            None
        );
    }

    #[test]
    fn a_wildcard_socket_is_reached_by_any_address() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(reaches(ip("127.0.0.1"), ip("0.0.0.0")));
        assert!(reaches(ip("127.0.0.1"), ip("::")));
        assert!(reaches(ip("127.0.0.1"), ip("::ffff:127.0.0.1")));
        assert!(!reaches(ip("127.0.0.1"), ip("127.0.0.2")));
        assert!(!reaches(ip("::1"), ip("127.0.0.1")));
    }
}
