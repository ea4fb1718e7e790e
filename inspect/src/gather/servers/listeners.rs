//! Who listens on a port: from the tables of network namespaces to the processes that have the sockets open.

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
    /// The sockets; none if nobody listens.
    pub sockets: Vec<Listening>,
    /// They are in another network namespace than this program.
    pub elsewhere: bool,
    /// The processes that have one of them open, as far as their descriptors may be read, in ascending order.
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

    /// Why it is not known who listens, as the end of a sentence; empty where it is.
    pub fn unseen(&self, port: u16) -> String {
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
                " by a process of user {uid} that this user may not look into: root may (sudo fdscan :{port})"
            ),
            None => " by a process that this user may not look into: root may".into(),
        }
    }
}

/// Looks for who listens on `port`, for TCP or UDP: in this program's network namespace, and if nobody does there, in
/// those of other processes, as far as they may be looked into.
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
    // One that the kernel itself made has no inode.
    let inodes = found.sockets.iter().map(|socket| socket.inode);
    let inodes: HashSet<u64> = inodes.filter(|&inode| inode != 0).collect();
    found.pids = with_socket(&mut all, &inodes)?;
    Ok(found)
}

/// The processes that have one of these sockets open, as far as they may be seen.
///
/// # Errors
/// The errno of listing /proc.
pub fn with_socket(all: &mut Processes, inodes: &HashSet<u64>) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    if inodes.is_empty() {
        return Ok(found);
    }
    for pid in all.pids()? {
        // One that ends meanwhile, or may not be looked into, is not found.
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

/// Each namespace is read once, by way of the first process in it.
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
