//! /proc/PID/fd and the headers of /proc/PID/fdinfo: the census of descriptors.

use crate::gather::descriptors::fdinfo;
use crate::gather::descriptors::kind::{kind_by_link, kind_by_mode};
use crate::gather::descriptors::unread::Unread;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::{DELETED, ProcDir};
use crate::gather::subject::view::{FinalLink, View};
use crate::model::{Descriptor, Fds, Identity, Kind, Name};
use crate::sys;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, MetadataExt};

/// How many times a descriptor is read that refers to another file each time.
const LOOKS: usize = 8;

/// Reads every descriptor, lowest number first, and counts them in `fds`.
///
/// # Errors
/// The errno of opening /proc/PID/fd, or EACCES if not a single descriptor may be read (reading a link needs more than
/// listing it: PTRACE_MODE_READ, fs/proc/base.c). Failures of single descriptors go into `gaps`.
pub fn read(
    dir: &ProcDir,
    mounts: &Mounts,
    fds: &mut Fds,
    gaps: &mut Gaps,
) -> io::Result<Vec<Descriptor>> {
    fds.open = count(dir).ok().flatten();
    let numbers = numbers(&open_list(dir)?)?;
    fds.open = Some(numbers.len() as u64);
    let mut reader = Reader::new(dir, mounts);
    let mut list = Vec::with_capacity(numbers.len());
    for fd in numbers {
        match reader.descriptor(fd) {
            Ok(descriptor) => list.push(descriptor),
            Err(e) => reader.unread.add(&e),
        }
    }
    if list.is_empty() && reader.unread.refused > 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    reader.unread.report(gaps);
    fds.count_kinds(&list);
    Ok(list)
}

/// How many descriptors there are, even for a user who is not permitted to list them. It is the size of the directory
/// (Linux 6.2, fs/proc/fd.c).
///
/// # Errors
/// The kernel's errno.
pub fn count(dir: &ProcDir) -> io::Result<Option<u64>> {
    let size = sys::stat_at(dir.as_fd(), b"fd", 0)?.st_size;
    Ok(u64::try_from(size).ok().filter(|&count| count > 0))
}

/// Opens /proc/PID/fd.
///
/// # Errors
/// The kernel's errno.
pub fn open_list(dir: &ProcDir) -> io::Result<File> {
    dir.open_file(b"fd", libc::O_RDONLY | libc::O_DIRECTORY)
}

/// The numbers of all descriptors in an open /proc/PID/fd, in order.
///
/// # Errors
/// The kernel's errno.
pub fn numbers(list: &File) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    sys::each_entry(list.as_fd(), &mut Vec::new(), |entry| {
        let text = std::str::from_utf8(entry.name).ok();
        numbers.extend(text.and_then(|t| t.parse::<i32>().ok()));
        ControlFlow::Continue(())
    })?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// The inotify descriptors in a table, lowest first.
///
/// # Errors
/// The kernel's errno.
pub fn inotify(dir: &ProcDir) -> io::Result<Vec<i32>> {
    let list = open_list(dir)?;
    let mut link = Vec::new();
    let mut fds = numbers(&list)?;
    fds.retain(|fd| {
        let read = sys::read_link_at(list.as_fd(), fd.to_string().as_bytes(), &mut link);
        read.is_ok() && kind_by_link(&link) == Kind::Inotify
    });
    Ok(fds)
}

/// Reads descriptors one by one.
pub struct Reader<'a> {
    dir: &'a ProcDir,
    mounts: &'a Mounts,
    /// The process's root if it is not `/` (chroot): it is a prefix of link texts.
    root: Option<Vec<u8>>,
    view: View<'a>,
    link: Vec<u8>,
    again: Vec<u8>,
    parents: HashMap<Vec<u8>, Option<Identity>>,
    unread: Unread,
}

impl<'a> Reader<'a> {
    /// A reader for a process and the mounts it sees.
    pub fn new(dir: &'a ProcDir, mounts: &'a Mounts) -> Reader<'a> {
        Reader {
            dir,
            mounts,
            root: dir.read_link("root").ok().filter(|root| root != b"/"),
            view: View::of(dir, mounts),
            link: Vec::new(),
            again: Vec::new(),
            parents: HashMap::new(),
            unread: Unread::default(),
        }
    }

    /// What the link of a descriptor says, without a look at the file: its kind ([`Kind::Unknown`] if it has a path),
    /// its text, and whether the link says that the file is deleted.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn link(&mut self, fd: i32) -> io::Result<(Kind, Name, bool)> {
        let path = format!("fd/{fd}");
        sys::read_link_at(self.dir.as_fd(), path.as_bytes(), &mut self.link)?;
        let kind = kind_by_link(&self.link);
        let text = self.inside(&self.link);
        let bare = text.strip_suffix(DELETED).filter(|_| kind == Kind::Unknown);
        Ok((kind, bare.unwrap_or(text).into(), bare.is_some()))
    }

    /// Everything about one descriptor.
    ///
    /// # Errors
    /// The errno of its link, or ENOENT if it refers to another file at every look.
    pub fn descriptor(&mut self, fd: i32) -> io::Result<Descriptor> {
        let path = format!("fd/{fd}");
        for _ in 0..LOOKS {
            if let Some(descriptor) = self.look(fd, &path)? {
                return Ok(descriptor);
            }
        }
        Err(io::Error::from_raw_os_error(libc::ENOENT))
    }

    /// One look; `None` if the process replaced the file meanwhile.
    fn look(&mut self, fd: i32, path: &str) -> io::Result<Option<Descriptor>> {
        sys::read_link_at(self.dir.as_fd(), path.as_bytes(), &mut self.link)?;
        let mut descriptor = Descriptor::of_kind(fd, kind_by_link(&self.link));
        if descriptor.kind == Kind::Unknown {
            let whole = self.look_at_file(path, &mut descriptor);
            // Link, fdinfo and file are read one after the other.
            sys::read_link_at(self.dir.as_fd(), path.as_bytes(), &mut self.again)?;
            if !whole || self.again != self.link {
                return Ok(None);
            }
        } else {
            descriptor.target = self.link.as_slice().into();
        }
        Ok(Some(descriptor))
    }

    /// Fills in what only a file with a path has. Returns whether everything that was read belongs to one file.
    fn look_at_file(&mut self, path: &str, descriptor: &mut Descriptor) -> bool {
        let header = self.header(descriptor.fd);
        descriptor.writable = header
            .flags
            .map(|flags| flags & libc::O_ACCMODE != libc::O_RDONLY);
        let inside = self.inside(&self.link).to_vec();
        let mount = match header.mount {
            Some(id) => self.mounts.by_id(id),
            None => self.mounts.of_path(&inside),
        };
        // A mount that is not listed was unmounted lazily, or belongs to another namespace: it may hang.
        let mut safe = mount.is_some_and(|m| !m.may_hang);
        let looked = safe
            .then(|| sys::stat_and_mount(self.dir.as_fd(), path.as_bytes(), 0).ok())
            .flatten();
        // Another file may have taken its place since its fdinfo was read.
        if let Some((_, Some(now))) = looked {
            safe = self.mounts.by_id(now).is_some_and(|m| !m.may_hang);
        }
        let stat = looked.map(|(stat, _)| stat).filter(|_| safe);
        // An overlayfs shows different inode numbers in stat(2) and in fdinfo.
        let comparable = mount.is_some_and(|m| !m.overlay);
        let whole = match (header.inode, stat.as_ref()) {
            (_, None) => !safe,
            (Some(inode), Some(stat)) => inode == stat.st_ino || !comparable,
            (None, Some(_)) => true,
        };
        let (target, deleted) = self.name_of(&inside, stat.as_ref());
        descriptor.target = target;
        descriptor.deleted = deleted;
        let inode = header.inode.or(stat.as_ref().map(|s| s.st_ino));
        if let (Some(mount), Some(inode)) = (mount, inode) {
            if let Some(stat) = &stat {
                self.mounts.note(mount, stat);
            }
            // A file system that may hang is not asked; none of them shows two numbers.
            let way = (self.dir.as_fd(), path.as_bytes(), true);
            descriptor.identity = self.mounts.identity(mount, inode, way);
        }
        let Some(stat) = stat else {
            let lost = match mount {
                Some(_) => &mut self.unread.unsafe_to_touch,
                None => &mut self.unread.of_unknown_mounts,
            };
            *lost += usize::from(!safe);
            return whole;
        };
        descriptor.kind = kind_by_mode(stat.st_mode);
        if descriptor.kind == Kind::File {
            descriptor.bytes = u64::try_from(stat.st_size).ok();
            // st_blocks counts 512 bytes, whatever the file system's blocks are (stat(3type)).
            descriptor.space = u64::try_from(stat.st_blocks).ok().map(|n| n * 512);
            descriptor.parent = self.parent_of(&descriptor.target);
        }
        whole
    }

    fn header(&self, fd: i32) -> fdinfo::Header {
        let mut text = [0u8; 512];
        let path = format!("fdinfo/{fd}");
        let length = self
            .dir
            .open_file(path.as_bytes(), libc::O_RDONLY)
            .and_then(|file| file.read_at(&mut text, 0))
            .unwrap_or(0);
        fdinfo::header(text.get(..length).unwrap_or_default())
    }

    /// The path as the process itself would write it.
    fn inside<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        let Some(root) = &self.root else { return path };
        match path.strip_prefix(root.as_slice()) {
            Some(rest) if rest.starts_with(b"/") => rest,
            _ => path,
        }
    }

    /// Splits the text of a link into the path and whether the file is deleted. d_path (fs/d_path.c) marks a deleted
    /// file with a suffix, which the name of an existing file may also end in.
    fn name_of(&self, path: &[u8], stat: Option<&libc::stat>) -> (Name, bool) {
        let Some(bare) = path.strip_suffix(DELETED) else {
            return (path.into(), stat.is_some_and(|s| s.st_nlink == 0));
        };
        let lives = stat.is_some_and(|stat| {
            stat.st_nlink > 0
                && self
                    .view
                    .stat(path, FinalLink::Stay)
                    .is_ok_and(|named| (named.st_ino, named.st_dev) == (stat.st_ino, stat.st_dev))
        });
        if lives {
            (path.into(), false)
        } else {
            (bare.into(), true)
        }
    }

    /// The identity of the directory a file lies in. Many files share one, so it is remembered.
    fn parent_of(&mut self, file: &Name) -> Option<Identity> {
        let parent = file.parent()?;
        if let Some(known) = self.parents.get(parent) {
            return *known;
        }
        let identity = self.view.identity(parent, FinalLink::Stay);
        self.parents.insert(parent.to_vec(), identity);
        identity
    }
}

/// The identity of an open file of this program, with the device as /proc/locks lists it.
pub fn identity(file: &File, mounts: &Mounts) -> Option<Identity> {
    let text = std::fs::read(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let header = fdinfo::header(&text);
    let mount = mounts.by_id(header.mount?)?;
    let inode = header.inode.or_else(|| Some(file.metadata().ok()?.ino()))?;
    mounts.identity(mount, inode, (file.as_fd(), b"", false))
}

/// Whether a process can write through one of its descriptors; `None` if that cannot be determined.
pub fn is_writable(pid: u32, fd: i32) -> Option<bool> {
    let text = ProcDir::open(pid)
        .ok()?
        .read(&format!("fdinfo/{fd}"))
        .ok()?;
    let flags = fdinfo::header(&text).flags?;
    Some(flags & libc::O_ACCMODE != libc::O_RDONLY)
}
