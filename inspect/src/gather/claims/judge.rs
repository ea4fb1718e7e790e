//! The judgement of a claim by its file and the kernel's tables.

use super::owners;
use super::port::{bare_port, port_of};
use super::socket_file::SocketFile;
use crate::formats::claims::content::{self, Content};
use crate::formats::claims::{claim, kind_of, verdicts};
use crate::gather::descriptors::census::identity;
use crate::gather::descriptors::sockets::Tables;
use crate::gather::subject::gaps::{Gaps, errno_text};
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view;
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Claim, ClaimKind, Name, Verdict};
use crate::sys;
use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What is needed to judge claims.
pub struct Judge<'a> {
    /// The process whose view of files and network counts.
    pub view: &'a View<'a>,
    /// The listeners there.
    pub tables: &'a OnceCell<Tables>,
    /// Whether PIDs in the claims belong to this program's PID namespace.
    pub same_pids: bool,
    /// How long a stop file is valid.
    pub ttl: Duration,
}

/// Judges the files at `paths`, in this order. For a directory, judges the claims in it.
pub fn judge_paths(paths: &[PathBuf], ttl: Duration) -> Vec<Claim> {
    let paths = paths.iter().map(|path| path.as_os_str().as_encoded_bytes());
    let own = match ProcDir::open(std::process::id()) {
        Ok(own) => own,
        Err(e) => {
            let why = format!("/proc cannot be read: {}.", errno_text(&e));
            let unknown = |path: &[u8]| claim(path.into(), Verdict::Unknown, why.clone());
            return paths.map(unknown).collect();
        }
    };
    let mounts = Mounts::of(&own, &mut Gaps::default());
    let judge = Judge {
        view: &View::of(&own, &mounts),
        tables: &OnceCell::new(),
        same_pids: true,
        ttl,
    };
    paths.flat_map(|path| judge.path(path)).collect()
}

impl Judge<'_> {
    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::of(self.view.dir()))
    }

    /// Judges what the user named.
    fn path(&self, path: &[u8]) -> Vec<Claim> {
        let found = view::named(self.view, path, FinalLink::Follow);
        if let Ok(found) = &found
            && sys::is_directory(found.as_fd())
        {
            return self
                .directory(path, found.as_fd())
                .unwrap_or_else(|e| vec![self.unreadable(path.into(), &e)]);
        }
        if let Some(port) = port_of(path)
            && found
                .as_ref()
                .is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
        {
            return vec![bare_port(path.into(), port)];
        }
        vec![self.one(path, found, || {
            view::named(self.view, path, FinalLink::Stay)
        })]
    }

    /// Judges what was found at a path. If there is nothing, `link` finds the link that leads there.
    fn one(
        &self,
        path: &[u8],
        found: io::Result<OwnedFd>,
        link: impl FnOnce() -> io::Result<OwnedFd>,
    ) -> Claim {
        let name = Name::from(path);
        let judged = match found {
            Err(e) if e.kind() == io::ErrorKind::NotFound => link()
                .and_then(|link| self.text_of(name.clone(), link.as_fd()))
                .map_err(|_| e),
            found => found.and_then(|found| self.found(name.clone(), found.as_fd())),
        };
        judged.unwrap_or_else(|e| self.unreadable(name, &e))
    }

    fn text_of(&self, name: Name, link: BorrowedFd<'_>) -> io::Result<Claim> {
        let stat = sys::stat_at(link, b"", 0)?;
        let mut text = Vec::new();
        sys::read_link_at(link, b"", &mut text)?;
        Ok(self.link(name, &text, SocketFile::of(&stat).made))
    }

    fn found(&self, name: Name, found: BorrowedFd<'_>) -> io::Result<Claim> {
        let stat = sys::stat_at(found, b"", 0)?;
        let real = || view::real_path(found).unwrap_or_default();
        Ok(match stat.st_mode & libc::S_IFMT {
            libc::S_IFSOCK => self.socket(name, &real(), &SocketFile::of(&stat)),
            libc::S_IFREG => {
                let file = view::open_regular(found, 0)?;
                self.file(name, Path::new(OsStr::from_bytes(&real())), &file)
            }
            _ => {
                let why = "It is not a regular file: nothing is read from it.".into();
                claim(name, Verdict::Unknown, why)
            }
        })
    }

    /// Judges the claims in a directory. The owners of its links are not known, so links are only followed to file
    /// systems that are known to answer.
    fn directory(&self, path: &[u8], directory: BorrowedFd<'_>) -> io::Result<Vec<Claim>> {
        let list = sys::open_at(directory, b".", libc::O_RDONLY | libc::O_DIRECTORY)?;
        let mut names = Vec::new();
        sys::each_entry(list.as_fd(), &mut Vec::new(), |entry| {
            names.push(entry.name.to_vec());
            ControlFlow::Continue(())
        })?;
        names.sort();
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let claims = names.iter().filter_map(|name| {
            let path = [path, b"/", name].concat();
            // An entry that another mount covers belongs to another directory.
            let flags = libc::O_PATH | libc::O_NOFOLLOW;
            let entry = sys::find_on_mount(directory, name, flags).ok()?;
            let kind = sys::stat_at(entry.as_fd(), b"", 0).ok()?.st_mode & libc::S_IFMT;
            let is_link = kind == libc::S_IFLNK;
            let found = match is_link {
                true => self.view.find(&path, FinalLink::Follow),
                false => entry.try_clone(),
            };
            let dangling = found
                .as_ref()
                .is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
            let is_file = |found: &OwnedFd| {
                let stat = sys::stat_at(found.as_fd(), b"", 0);
                stat.is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
            };
            let is_claim = match &found {
                Ok(_) if kind == libc::S_IFSOCK => true,
                Ok(found) => kind_of(name).is_some() && is_file(found),
                Err(_) if dangling => is_link && content::may_be_link(name),
                Err(e) => view::is_unsafe(e) && kind_of(name).is_some(),
            };
            is_claim.then(|| self.one(&path, found, || entry.try_clone()))
        });
        Ok(claims.collect())
    }

    fn unreadable(&self, name: Name, error: &io::Error) -> Claim {
        if error.kind() == io::ErrorKind::NotFound {
            return claim(
                name,
                Verdict::Absent,
                "There is no such file, and so no claim.".into(),
            );
        }
        let why = match view::left_out(error) {
            Some(why) => format!("It is left out: {why}."),
            None => format!("It cannot be read: {}.", errno_text(error)),
        };
        let mut claim = claim(name, Verdict::Unknown, why);
        claim.denied = error.kind() == io::ErrorKind::PermissionDenied;
        claim
    }

    /// Judges an open regular file. `real` is its path without symbolic links, as descriptors show it.
    pub fn file(&self, name: Name, real: &Path, file: &File) -> Claim {
        let mut text = Vec::new();
        if let Err(e) = file.take(content::MOST_BYTES).read_to_end(&mut text) {
            return self.unreadable(name, &e);
        }
        let written = file.metadata().and_then(|meta| meta.modified()).ok();
        // A file with a time in the future counts as new.
        let age = written.map(|t| SystemTime::now().duration_since(t).unwrap_or_default());
        let mut claim = claim(name, Verdict::Unknown, String::new());
        claim.age_seconds = age.map(|age| age.as_secs());
        let found = content::parse(&text);
        self.decide(&mut claim, &found, real, file);
        claim.severity = claim.verdict.severity();
        claim
    }

    fn decide(&self, claim: &mut Claim, found: &Content, real: &Path, file: &File) {
        if claim.kind == ClaimKind::Sentinel {
            return verdicts::sentinel(claim, self.ttl);
        }
        let locked = identity(file, self.view.mounts())
            .and_then(|id| owners::of_lock(id, real.as_os_str().as_encoded_bytes()));
        if let Some(holders) = locked.as_ref().filter(|holders| !holders.is_empty()) {
            claim.pid = found
                .process()
                .map(|(pid, _)| pid)
                .filter(|_| claim.kind != ClaimKind::Port);
            claim.verdict = Verdict::Held;
            claim.why = "It is locked: the holder of the lock is alive.".into();
            claim.holders = holders.clone();
            // The lock may be held through a descriptor that cannot be seen: such a holder has no PID here.
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
            (ClaimKind::Lock, ..) if is_gits(real) => self.existence(claim, real),
            // The content of a lock file means nothing: Cargo.lock and yarn.lock are not even locks.
            (ClaimKind::Lock, ..) => {
                claim.verdict = Verdict::Free;
                claim.why = "Nobody has it locked.".into();
            }
            _ if *found == Content::Empty => verdicts::empty(claim, self.ttl),
            (ClaimKind::Unknown, ..) => {
                claim.why = "It names neither a process nor an address.".into();
            }
            _ => verdicts::names_nothing(claim),
        }
    }

    /// A lock that holds by its existence: git creates it, writes the new content into it and renames it.
    fn existence(&self, claim: &mut Claim, real: &Path) {
        claim.holders = owners::of_file(real.as_os_str().as_encoded_bytes());
        (claim.verdict, claim.why) = match claim.holders.is_empty() {
            false => (
                Verdict::Held,
                "It belongs to git, and a process has it open, which is at work.".into(),
            ),
            true if claim.age_seconds <= Some(self.ttl.as_secs()) => (
                Verdict::InProgress,
                "It belongs to git, for which it holds as long as it exists, and it is new.".into(),
            ),
            true => (
                Verdict::Unknown,
                "It belongs to git, for which it holds as long as it exists, open or not: it is left over only if no git command, editor or merge is at work there.".into(),
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
        // A name is not resolved: that would ask a server.
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
                    "Nobody listens there on this machine; the address may be that of another one."
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
            claim.why += " This user may not see by which process.";
        }
    }
}

/// Whether a lock file is one of git's: it is below a directory whose name ends with `.git`.
fn is_gits(path: &Path) -> bool {
    let mut parts = path.parent().into_iter().flat_map(Path::components);
    parts.any(|part| part.as_os_str().as_encoded_bytes().ends_with(b".git"))
}
