//! Socket files: whether a process listens on them, or they are left over.
//!
//! A path can lead to a unix socket of any network namespace (net/unix/af_unix.c, `unix_find_bsd`), so all namespaces
//! that can be seen are searched.

use super::judge::Judge;
use super::owners;
use super::socket_file::SocketFile;
use crate::formats::claims::claim;
use crate::gather::descriptors::sockets::{UnixSocket, unix_sockets};
use crate::gather::process::processes::Processes;
use crate::gather::process::status;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Claim, ClaimHolder, ClaimKind, Name, Verdict};
use crate::sys;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

impl Judge<'_> {
    /// Judges a socket file; `real` is its path without symbolic links.
    pub fn socket(&self, path: Name, real: &[u8], socket: &SocketFile) -> Claim {
        let mut claim = claim(path, Verdict::Unknown, String::new());
        claim.kind = ClaimKind::Socket;
        let age = socket
            .made
            .map(|made| SystemTime::now().duration_since(made).unwrap_or_default());
        claim.age_seconds = age.as_ref().map(Duration::as_secs);
        let mut look = Look::new(real, socket.file);
        if look.by_file() || look.namespace(self.view.dir()) || look.other_namespaces() {
            claim.verdict = Verdict::Live;
            claim.why = match look.datagrams {
                true => "It is bound: datagrams sent to it arrive.".into(),
                false => "Somebody listens on it.".into(),
            };
            claim.holders = look.holders;
            if claim.holders.is_empty() {
                claim.why += " This user may not see which process does.";
            }
        } else if look.blind {
            claim.verdict = Verdict::Stale;
            claim.why = "Nobody listens on it in the network namespaces that may be seen.".into();
        } else {
            self.stale(&mut claim, "Nobody listens on it.".into());
        }
        claim.severity = claim.verdict.severity();
        claim
    }
}

struct Look<'a> {
    real: &'a [u8],
    file: (u64, u64),
    seen: HashSet<Vec<u8>>,
    /// Whether a namespace could not be read.
    blind: bool,
    holders: Vec<ClaimHolder>,
    datagrams: bool,
}

impl<'a> Look<'a> {
    fn new(real: &'a [u8], file: (u64, u64)) -> Look<'a> {
        Look {
            real,
            file,
            seen: HashSet::new(),
            blind: false,
            holders: Vec::new(),
            datagrams: false,
        }
    }

    /// Whether the file itself is served in this program's own network namespace, whatever its name was when the socket
    /// was bound.
    fn by_file(&mut self) -> bool {
        let (device, inode) = self.file;
        let device = (libc::major(device), libc::minor(device));
        let all = sys::bound_sockets().unwrap_or_default();
        let mut served = all.iter().filter(|socket| {
            // The kernel reports only the lower half of the inode number. If the number is longer, the path is compared
            // instead.
            socket.served && socket.device == device && u64::from(socket.inode) == inode
        });
        let Some(socket) = served.next() else {
            return false;
        };
        self.holders = owners::of_socket(socket.socket);
        self.datagrams = socket.datagrams;
        true
    }

    /// Whether the file is served in the network namespace of a process.
    fn namespace(&mut self, dir: &ProcDir) -> bool {
        self.seen.extend(dir.read_link("ns/net").ok());
        let base = Name::from(self.real).base().to_vec();
        let all = unix_sockets(dir);
        let mut served = all
            .into_iter()
            .filter(|s| s.served && s.path.base() == base);
        served.any(|socket| self.is_it(&socket))
    }

    fn other_namespaces(&mut self) -> bool {
        let pids = Processes::open().and_then(|mut all| all.pids());
        for pid in pids.unwrap_or_default() {
            let Ok(dir) = ProcDir::open(pid) else {
                continue;
            };
            match dir.read_link("ns/net") {
                Ok(namespace) if self.seen.contains(&namespace) => {}
                Ok(_) => {
                    if self.namespace(&dir) {
                        return true;
                    }
                }
                // A zombie has neither namespace nor socket.
                Err(_) if status::has_ended(&dir) => {}
                Err(_) => self.blind = true,
            }
        }
        false
    }

    /// Whether a socket in the table is the file. The table has the path that the socket was bound to, which may be
    /// relative or from another mount namespace. The processes that have the socket open show what it means.
    fn is_it(&mut self, socket: &UnixSocket) -> bool {
        let holders = owners::of_socket(socket.inode);
        let files: Vec<_> = holders
            .iter()
            .filter_map(|holder| file_of(holder.pid, socket.path.as_bytes()))
            .collect();
        let same = match files.is_empty() {
            true => socket.path.as_bytes() == self.real,
            false => files.contains(&self.file),
        };
        if same {
            self.holders = holders;
            self.datagrams = socket.datagrams;
        }
        same
    }
}

/// The file that a path means to a process.
fn file_of(pid: u32, path: &[u8]) -> Option<(u64, u64)> {
    let dir = ProcDir::open(pid).ok()?;
    let mounts = Mounts::of(&dir, &mut Gaps::default());
    let stat = View::of(&dir, &mounts).stat(path, FinalLink::Follow).ok()?;
    Some((stat.st_dev, stat.st_ino))
}
