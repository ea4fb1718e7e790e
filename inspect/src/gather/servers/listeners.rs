//! Who listens on a port: from the socket tables of network namespaces to the processes that have the sockets open.

use crate::gather::descriptors::sockets::{Listening, Tables, socket_inode};
use crate::gather::process::processes::Processes;
use crate::gather::subject::proc_dir::ProcDir;
use crate::sys;
use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;

/// Who listens on a port.
#[derive(Debug, Default)]
pub struct OnPort {
    /// The sockets; empty if nobody listens.
    pub sockets: Vec<Listening>,
    /// Whether they are in another network namespace than this program.
    pub elsewhere: bool,
    /// The processes that have one of them open, in ascending order, as far as their descriptors can be read.
    pub pids: Vec<u32>,
}

impl OnPort {
    /// `(tcp 0.0.0.0, tcp6 ::)`, each address once.
    pub fn place(&self) -> String {
        let mut places: Vec<String> = Vec::new();
        for socket in &self.sockets {
            let address = socket.address.map(|address| address.ip().to_string());
            let place = format!("{} {}", socket.protocol, address.unwrap_or_default());
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let elsewhere = match self.elsewhere {
            true => " in another network namespace",
            false => "",
        };
        format!("({}){elsewhere}", places.join(", "))
    }

    /// Why the listening processes are unknown, as the end of a sentence; empty if they are known.
    pub fn unseen(&self) -> String {
        if !self.pids.is_empty() {
            return String::new();
        }
        if self.sockets.iter().all(|socket| socket.inode == 0) {
            return " by the kernel itself: no process has that socket".into();
        }
        if sys::effective_user() == 0 {
            return ", and no process that may be seen here has that socket: it is the kernel's, or that of a process \
                    of another PID namespace"
                .into();
        }
        match self.sockets.iter().filter_map(|socket| socket.uid).min() {
            Some(uid) => format!(
                " by a process of user {uid} that this user may not look into; root may (the same command as root)"
            ),
            None => " by a process that this user may not look into; root may".into(),
        }
    }
}

/// Searches for the listeners on `port`, for TCP or UDP. It looks in this program's network namespace first, and if
/// nobody listens there, in the namespaces of other processes, as far as they can be read.
///
/// # Errors
/// The errno of opening or listing /proc.
pub fn on_port(port: u16) -> io::Result<OnPort> {
    let mut all = Processes::open()?;
    let own = ProcDir::open(std::process::id())?;
    let mut found = OnPort {
        sockets: Tables::with_ports(&own).port(port).cloned().collect(),
        ..OnPort::default()
    };
    if found.sockets.is_empty() {
        found.sockets = in_other_namespaces(&own, &all.pids()?, port);
        found.elsewhere = !found.sockets.is_empty();
    }
    // A socket that the kernel itself created has no inode.
    let inodes = found.sockets.iter().map(|socket| socket.inode);
    let inodes: HashSet<u64> = inodes.filter(|&inode| inode != 0).collect();
    found.pids = with_socket(&mut all, &inodes)?;
    Ok(found)
}

/// The processes that have one of these sockets open, as far as they can be seen.
///
/// # Errors
/// The errno of listing /proc.
pub fn with_socket(all: &mut Processes, inodes: &HashSet<u64>) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    if inodes.is_empty() {
        return Ok(found);
    }
    for pid in all.pids()? {
        // A process that ends meanwhile or cannot be inspected is not found.
        let _ = all.each_link(pid, None, |_, link| {
            match socket_inode(link).is_some_and(|inode| inodes.contains(&inode)) {
                true => {
                    found.push(pid);
                    ControlFlow::Break(())
                }
                false => ControlFlow::Continue(()),
            }
        });
    }
    Ok(found)
}

/// Reads each namespace once, through the first process in it.
fn in_other_namespaces(own: &ProcDir, pids: &[u32], port: u16) -> Vec<Listening> {
    let mut seen = HashSet::new();
    seen.extend(own.read_link("ns/net"));
    let mut found = Vec::new();
    for &pid in pids {
        let Ok(dir) = ProcDir::open(pid) else {
            continue;
        };
        if dir.read_link("ns/net").is_ok_and(|link| seen.insert(link)) {
            found.extend(Tables::with_ports(&dir).port(port).cloned());
        }
    }
    found
}
