//! Who holds locks on a set of files. /proc/locks says which processes to look at, and the fdinfo of their descriptors
//! says what each of them holds.

use crate::gather::descriptors::locks::{LockLine, LockType};
use crate::gather::descriptors::{fdinfo, locks};
use crate::gather::process::processes::Processes;
use crate::gather::process::status;
use crate::gather::sqlite::lock_bytes::Owned;
use crate::gather::subject::gaps::{Gaps, is_gone, not_permitted};
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::{DELETED, ProcDir, read_all};
use crate::model::{Identity, Name};
use crate::sys;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;

/// The files to search for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Their inodes.
    pub files: HashSet<Identity>,
    /// Their names without directory. A link with another name is examined only if none of these is found.
    pub names: HashSet<Vec<u8>>,
    /// Their paths, to recognise descriptors of deleted files that had these paths.
    pub paths: HashSet<Vec<u8>>,
}

impl Wanted {
    /// Whether it is one of them, going by a list of locks.
    fn has_number(&self, file: Identity) -> bool {
        self.files.contains(&file) || self.files.iter().any(|id| id.number() == file)
    }
}

/// A process that has one of them open.
#[derive(Debug)]
pub struct Peer {
    /// Its PID.
    pub pid: u32,
    /// The name of its main thread.
    pub comm: Option<Name>,
    /// Its command line.
    pub cmdline: Option<Vec<Name>>,
    /// Its descriptors of each file; `None` if they cannot be read.
    pub files: Option<HashMap<Identity, usize>>,
    /// Its descriptors of deleted files that had a wanted path.
    pub orphans: Vec<Orphan>,
}

/// A descriptor of a file whose path now leads to another file, or to none.
#[derive(Debug)]
pub struct Orphan {
    /// The path.
    pub path: Name,
    /// The descriptor.
    pub fd: i32,
    /// The inode's number.
    pub inode: Option<u64>,
}

/// What is known about some files.
#[derive(Debug, Default)]
pub struct Found {
    /// Every lock on them, with its owner.
    pub locks: Vec<Owned>,
    /// Every process that was found to have one of them open.
    pub peers: Vec<Peer>,
}

/// Every lock on the system.
///
/// # Errors
/// The errno of /proc/locks.
pub fn table() -> io::Result<Vec<LockLine>> {
    let text = read_all(&mut File::open("/proc/locks")?)?;
    Ok(locks::of_table(&text).collect())
}

/// Searches for the holders of `wanted` other than `own`: among the processes that hold locks according to `table`, or,
/// with `everyone`, among all processes.
pub fn find(
    wanted: &Wanted,
    table: &[LockLine],
    own: Option<u32>,
    everyone: bool,
    gaps: &mut Gaps,
) -> Found {
    let relevant: Vec<&LockLine> = table
        .iter()
        .filter(|line| line.is_range() && wanted.has_number(line.file))
        .collect();
    let mut pids: BTreeSet<u32> = relevant.iter().filter_map(|line| line.pid).collect();
    if everyone {
        let all = Processes::open().and_then(|mut all| all.pids());
        pids.extend(all.unwrap_or_default());
    }
    let mut found = Found::default();
    let (mut refused, mut unread) = (0, 0);
    for pid in pids.into_iter().filter(|&pid| Some(pid) != own) {
        let by_table: Vec<Owned> = relevant
            .iter()
            .filter(|line| line.pid == Some(pid))
            .map(|line| Owned {
                pid: Some(pid),
                line: **line,
            })
            .collect();
        match peer(pid, wanted, !by_table.is_empty()) {
            Ok((peer, locks)) => {
                if peer.files.as_ref().is_some_and(|f| !f.is_empty()) || !peer.orphans.is_empty() {
                    found.peers.push(peer);
                    found.locks.extend(locks);
                }
            }
            Err(e) if is_gone(&e) => {}
            // The kernel's table names the owner of a POSIX lock, which is proof enough.
            Err(_) if !by_table.is_empty() => {
                refused += 1;
                found.peers.push(stranger(pid));
                found.locks.extend(by_table);
            }
            Err(_) => unread += usize::from(!status::is_kernel_thread(pid)),
        }
    }
    if refused > 0 {
        gaps.count(
            refused,
            "processes that hold locks on a database, and what else they have open of it",
            "permission denied: their locks are shown as /proc/locks has them",
        );
    }
    if unread > 0 {
        gaps.count(
            unread,
            "processes that may have a database open without holding a lock on it",
            not_permitted(),
        );
    }
    found
}

/// The locks of open file descriptions on `wanted`: /proc/locks does not say whose they are.
pub fn anonymous(wanted: &Wanted, table: &[LockLine]) -> usize {
    let mut lines = table.iter().filter(|line| wanted.has_number(line.file));
    lines
        .by_ref()
        .filter(|line| line.kind == LockType::Ofd && !line.waiting)
        .count()
}

/// The locks that the descriptors `fds` of a process took on `wanted`.
pub fn of_descriptors(dir: &ProcDir, fds: &[i32], wanted: &Wanted, pid: u32) -> Vec<Owned> {
    let mut held = Vec::new();
    for fd in fds {
        // A descriptor that was closed meanwhile holds nothing.
        let Ok(text) = dir.read(&format!("fdinfo/{fd}")) else {
            continue;
        };
        held.extend(owned(&text, wanted, pid));
    }
    held
}

fn owned<'a>(text: &'a [u8], wanted: &'a Wanted, pid: u32) -> impl Iterator<Item = Owned> + 'a {
    locks::of_fdinfo(text)
        .filter(|line| line.is_range() && wanted.has_number(line.file))
        .map(move |line| Owned {
            pid: Some(pid),
            line,
        })
}

fn named(pid: u32, dir: &ProcDir) -> Peer {
    Peer {
        pid,
        comm: status::comm(dir),
        cmdline: status::command_line(dir),
        files: None,
        orphans: Vec::new(),
    }
}

/// A process whose descriptors cannot be read.
fn stranger(pid: u32) -> Peer {
    match ProcDir::open(pid) {
        Ok(dir) => named(pid, &dir),
        Err(_) => Peer {
            pid,
            comm: None,
            cmdline: None,
            files: None,
            orphans: Vec::new(),
        },
    }
}

/// Examines one process. If it is known to hold a lock and no name matches, all of its descriptors are examined,
/// because its files may have other names (hard links, another mount namespace).
fn peer(pid: u32, wanted: &Wanted, holds: bool) -> io::Result<(Peer, Vec<Owned>)> {
    let dir = ProcDir::open(pid)?;
    let mut look = Look {
        dir: &dir,
        wanted,
        mounts: None,
        files: HashMap::new(),
        orphans: Vec::new(),
        locks: Vec::new(),
    };
    look.over(true, pid)?;
    if holds && look.files.is_empty() {
        look.over(false, pid)?;
    }
    let (files, orphans, locks) = (look.files, look.orphans, look.locks);
    // Processes that have none of the files open are not read further.
    let mut peer = if files.is_empty() && orphans.is_empty() {
        Peer {
            pid,
            comm: None,
            cmdline: None,
            files: None,
            orphans: Vec::new(),
        }
    } else {
        named(pid, &dir)
    };
    peer.files = Some(files);
    peer.orphans = orphans;
    Ok((peer, locks))
}

struct Look<'a> {
    dir: &'a ProcDir,
    wanted: &'a Wanted,
    mounts: Option<Mounts>,
    files: HashMap<Identity, usize>,
    orphans: Vec<Orphan>,
    locks: Vec<Owned>,
}

impl Look<'_> {
    fn over(&mut self, by_name: bool, pid: u32) -> io::Result<()> {
        let list = self
            .dir
            .open_file(b"fd", libc::O_RDONLY | libc::O_DIRECTORY)?;
        let mut link = Vec::with_capacity(256);
        let (mut any, mut refused) = (false, None);
        let mut picked = Vec::new();
        sys::each_entry(list.as_fd(), &mut Vec::new(), |entry| {
            let text = std::str::from_utf8(entry.name).ok();
            let Some(fd) = text.and_then(|text| text.parse::<i32>().ok()) else {
                return ControlFlow::Continue(());
            };
            match sys::read_link_at(list.as_fd(), entry.name, &mut link) {
                Ok(()) => any = true,
                Err(e) => {
                    refused = Some(e).filter(|e| !is_gone(e)).or(refused.take());
                    return ControlFlow::Continue(());
                }
            }
            let path = link.strip_suffix(DELETED).unwrap_or(&link);
            let name = Name::from(path);
            if !by_name || self.wanted.names.contains(name.base()) {
                picked.push((fd, name, link.ends_with(DELETED)));
            }
            ControlFlow::Continue(())
        })?;
        // The list may be readable where the links are not (fs/proc/base.c).
        if let (false, Some(e)) = (any, refused) {
            return Err(e);
        }
        for (fd, path, deleted) in picked {
            self.descriptor(fd, path, deleted, pid);
        }
        Ok(())
    }

    /// Reads only /proc: the file itself may be on a dead server.
    fn descriptor(&mut self, fd: i32, path: Name, deleted: bool, pid: u32) {
        let Ok(text) = self.dir.read(&format!("fdinfo/{fd}")) else {
            return;
        };
        let header = fdinfo::header(&text);
        let mounts = self
            .mounts
            .get_or_insert_with(|| Mounts::of(self.dir, &mut Gaps::default()));
        let mount = header
            .mount
            .and_then(|id| mounts.by_id(id))
            .or_else(|| mounts.of_path(path.as_bytes()));
        // Linux before 5.14 prints no inode.
        let inode = header.inode.or_else(|| {
            mount.filter(|mount| !mount.may_hang)?;
            let name = format!("fd/{fd}");
            let stat = sys::stat_at(self.dir.as_fd(), name.as_bytes(), 0).ok()?;
            Some(stat.st_ino)
        });
        let identity = mount.zip(inode).and_then(|(mount, inode)| {
            let number = Identity::plain(mount.device, inode);
            if !self.wanted.has_number(number) {
                return Some(number);
            }
            let name = format!("fd/{fd}");
            mounts.identity(mount, inode, (self.dir.as_fd(), name.as_bytes(), true))
        });
        match identity.filter(|id| self.wanted.files.contains(id)) {
            Some(identity) => {
                *self.files.entry(identity).or_insert(0) += 1;
                self.locks.extend(owned(&text, self.wanted, pid));
            }
            None if deleted && self.wanted.paths.contains(path.as_bytes()) => {
                self.orphans.push(Orphan { path, fd, inode });
            }
            None => {}
        }
    }
}
