//! Claims judged: is anybody behind a PID, port, lock or socket file? (incident 3)
//!
//! It reads the file and the kernel's tables, never connects, never locks, never deletes.

pub mod content;
pub mod link;
mod named;
mod nearby;
mod owners;
pub(super) mod places;
pub(super) mod sided;
mod socket;
mod tie;

pub use content::kind_of;
pub use nearby::of_process;
pub use owners::identity;

use super::errno_text;
use super::mounts::Mounts;
use super::proc_dir::ProcDir;
use super::sockets::Tables;
use crate::model::{Claim, ClaimKind, Name, Place, Verdict};
use content::Content;
use socket::SocketFile;
use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long a sentinel holds and an empty claim may stay empty: the limit of incident 3.
pub const TTL: Duration = Duration::from_secs(30);

/// What claims are judged by.
pub struct Judge<'a> {
    /// Mounts of who the files belong to.
    pub mounts: &'a Mounts,
    /// Who listens there.
    pub tables: &'a OnceCell<Tables>,
    /// Where the tables are read, when they are needed.
    pub net: Option<&'a ProcDir>,
    /// PIDs mean what they mean to this program.
    pub same_pids: bool,
    /// How long a sentinel holds.
    pub ttl: Duration,
}

/// Judges the files at `paths`, in this order; of a directory, the claims in it.
pub fn judge_paths(paths: &[std::path::PathBuf], ttl: Duration) -> Vec<Claim> {
    let own = ProcDir::open(std::process::id()).ok();
    let mut gaps = super::Gaps::default();
    let mounts = own
        .as_ref()
        .map(|dir| Mounts::of(dir, &mut gaps))
        .unwrap_or_default();
    let judge = Judge {
        mounts: &mounts,
        tables: &OnceCell::new(),
        net: own.as_ref(),
        same_pids: true,
        ttl,
    };
    paths.iter().flat_map(|path| judge.path(path)).collect()
}

impl Judge<'_> {
    fn tables(&self) -> &Tables {
        self.tables
            .get_or_init(|| self.net.map(Tables::of).unwrap_or_default())
    }

    fn path(&self, path: &Path) -> Vec<Claim> {
        let found = std::fs::metadata(path);
        let name = Name::from(path.as_os_str().as_encoded_bytes());
        match found {
            Ok(meta) if meta.is_dir() => match self.directory(path) {
                Ok(list) => list,
                Err(e) => vec![self.unreadable(name, &e)],
            },
            Ok(meta) if meta.file_type().is_socket() => {
                let real = path.canonicalize().unwrap_or_default();
                let socket = SocketFile {
                    file: (meta.dev(), meta.ino()),
                    made: meta.modified().ok(),
                };
                vec![self.socket(name, real.as_os_str().as_encoded_bytes(), &socket)]
            }
            Ok(meta) if !meta.is_file() => {
                let why = "It is no regular file: nothing is read from it.".into();
                vec![self.claim(name, Verdict::Unknown, why)]
            }
            // O_NONBLOCK: it may have become a FIFO since.
            Ok(_) => match File::options()
                .read(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(path)
            {
                Ok(file) => vec![self.file(name, &path.canonicalize().unwrap_or_default(), &file)],
                Err(e) => vec![self.unreadable(name, &e)],
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => match std::fs::read_link(path) {
                Ok(text) => {
                    let made = std::fs::symlink_metadata(path).and_then(|meta| meta.modified());
                    vec![self.link(name, text.as_os_str().as_encoded_bytes(), made.ok())]
                }
                Err(_) => vec![self.unreadable(name, &e)],
            },
            Err(e) => vec![self.unreadable(name, &e)],
        }
    }

    fn directory(&self, path: &Path) -> io::Result<Vec<Claim>> {
        let mut names: Vec<_> = std::fs::read_dir(path)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| may_be_claim(path))
            .collect();
        names.sort();
        Ok(names.iter().flat_map(|path| self.path(path)).collect())
    }

    fn unreadable(&self, name: Name, error: &io::Error) -> Claim {
        if error.kind() == io::ErrorKind::NotFound {
            return self.claim(
                name,
                Verdict::Absent,
                "There is no such file: nobody claims anything.".into(),
            );
        }
        let why = format!("It cannot be read: {}.", errno_text(error));
        let mut claim = self.claim(name, Verdict::Unknown, why);
        claim.denied = error.kind() == io::ErrorKind::PermissionDenied;
        claim
    }

    fn claim(&self, path: Name, verdict: Verdict, why: String) -> Claim {
        Claim {
            kind: kind_of(path.base()).unwrap_or(ClaimKind::Unknown),
            path,
            verdict,
            severity: verdict.severity(),
            pid: None,
            start: None,
            address: None,
            holders: Vec::new(),
            age_seconds: None,
            why,
            remedy: None,
            place: Place::Written,
            denied: false,
        }
    }

    /// Judges an open regular file. `real` is its path without symbolic links, as descriptors show it.
    pub fn file(&self, name: Name, real: &Path, file: &File) -> Claim {
        let mut text = Vec::new();
        if let Err(e) = file.take(content::MOST_BYTES).read_to_end(&mut text) {
            return self.unreadable(name, &e);
        }
        let written = file.metadata().and_then(|meta| meta.modified()).ok();
        // A file from the future is new.
        let age = written.map(|t| SystemTime::now().duration_since(t).unwrap_or_default());
        let mut claim = self.claim(name, Verdict::Unknown, String::new());
        claim.age_seconds = age.map(|age| age.as_secs());
        let found = content::parse(&text);
        self.decide(&mut claim, &found, real, file);
        claim.severity = claim.verdict.severity();
        claim
    }

    fn decide(&self, claim: &mut Claim, found: &Content, real: &Path, file: &File) {
        if claim.kind == ClaimKind::Sentinel {
            return self.sentinel(claim);
        }
        let locked = identity(file, self.mounts)
            .and_then(|id| owners::of_lock(id, real.as_os_str().as_encoded_bytes()));
        if let Some(holders) = locked.as_ref().filter(|holders| !holders.is_empty()) {
            claim.pid = found
                .process()
                .map(|(pid, _)| pid)
                .filter(|_| claim.kind != ClaimKind::Port);
            claim.verdict = Verdict::Held;
            claim.why = "It is locked: who holds the lock is alive.".into();
            claim.holders = holders.clone();
            // A descriptor may be held where it cannot be seen: an unknown holder is none with a PID.
            claim.holders.retain(|holder| holder.pid > 0);
            return;
        }
        match (claim.kind, found.process(), found.address()) {
            (ClaimKind::Port, _, Some((host, port))) => self.port(claim, host, port),
            (ClaimKind::Unknown, None, Some((host, port))) => self.port(claim, host, port),
            (_, Some((pid, start)), _) => {
                self.process(claim, real.as_os_str().as_encoded_bytes(), pid, start);
            }
            (ClaimKind::Lock, ..) if locked.is_none() => {
                claim.why = "The kernel's locks cannot be read here.".into();
            }
            // What stands in a lock file means nothing: Cargo.lock and yarn.lock are none at all.
            (ClaimKind::Lock, ..) => {
                claim.verdict = Verdict::Free;
                claim.why = "Nobody has it locked.".into();
            }
            _ if *found == Content::Empty => self.empty(claim),
            (ClaimKind::Unknown, ..) => {
                claim.why = "It names neither a process nor an address.".into();
            }
            (kind, ..) => {
                claim.verdict = Verdict::Corrupt;
                let what = if kind == ClaimKind::Pid {
                    "PID"
                } else {
                    "port"
                };
                claim.why = format!("It names no {what}: it counts as absent.");
            }
        }
    }

    fn sentinel(&self, claim: &mut Claim) {
        let ttl = self.ttl.as_secs();
        (claim.verdict, claim.why) = match claim.age_seconds {
            Some(age) if age > ttl => (
                Verdict::Expired,
                format!("It is {age} s old and holds for {ttl} s: it counts as absent."),
            ),
            Some(age) => (
                Verdict::InProgress,
                format!("It is {age} s old and holds for {ttl} s."),
            ),
            None => (Verdict::Unknown, "Its age is not known.".into()),
        };
    }

    fn empty(&self, claim: &mut Claim) {
        (claim.verdict, claim.why) = match claim.age_seconds {
            Some(age) if age > self.ttl.as_secs() => (
                Verdict::Corrupt,
                format!("It is empty and {age} s old: who made it never wrote it."),
            ),
            _ => (
                Verdict::InProgress,
                "It is empty and new: somebody is about to write it.".into(),
            ),
        };
    }

    fn port(&self, claim: &mut Claim, host: Option<&str>, port: u16) {
        let address = match host {
            Some(host) if host.contains(':') => format!("[{host}]:{port}"),
            Some(host) => format!("{host}:{port}"),
            None => port.to_string(),
        };
        claim.address = Some(address.as_str().into());
        // A name is not looked up: that would ask a server.
        let ip = match host {
            None | Some("localhost" | "*") => None,
            Some(host) => host.parse::<IpAddr>().ok(),
        };
        let named = ip.is_none() && !matches!(host, None | Some("localhost" | "*"));
        let sockets: Vec<_> = self.tables().tcp(ip, port).collect();
        if sockets.is_empty() {
            let own = ip.is_none_or(|ip| ip.is_loopback() || ip.is_unspecified());
            if named || !own {
                claim.why =
                    "Nobody listens there on this machine; the address may be another one's."
                        .into();
            } else {
                claim.verdict = Verdict::Stale;
                claim.why = format!("Nobody listens on port {port} in this network namespace.");
            }
            return;
        }
        claim.verdict = Verdict::Live;
        claim.why = format!("Port {port} is listened on.");
        for socket in sockets {
            claim.holders.extend(owners::of_socket(socket.inode));
        }
        claim.holders.dedup();
        if claim.holders.is_empty() {
            claim.why += " By whom may not be seen by this user.";
        }
    }
}

/// Whether an entry of a directory is a claim: by its name, unless it is a socket.
fn may_be_claim(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.as_encoded_bytes()) else {
        return false;
    };
    let kind = std::fs::symlink_metadata(path).map(|meta| meta.file_type());
    match kind {
        Ok(kind) if kind.is_socket() => true,
        Ok(kind) if kind.is_symlink() && link::may_be_claim(name) && !path.exists() => true,
        _ => kind_of(name).is_some() && path.is_file(),
    }
}
