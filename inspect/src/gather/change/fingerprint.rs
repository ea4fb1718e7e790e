//! Detects cheaply whether the watches, instances or files of a process have changed, for a program that follows it.

use crate::gather::subject::proc_dir::ProcDir;
use crate::sys;
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

/// The link of an inotify descriptor.
const INOTIFY: &[u8] = b"anon_inode:inotify";

/// What a process had open at the last look.
pub struct Fingerprint {
    dir: ProcDir,
    /// The open fdinfo of each descriptor. The kernel keeps the buffer that it has grown for such a file, so the next
    /// read takes a third of the time (fs/seq_file.c).
    instances: BTreeMap<i32, File>,
    last: Option<u64>,
    buffer: Vec<u8>,
}

impl Fingerprint {
    /// Of a process.
    ///
    /// # Errors
    /// There is no such process.
    pub fn of(pid: u32) -> io::Result<Fingerprint> {
        Ok(Fingerprint {
            dir: ProcDir::open(pid)?,
            instances: BTreeMap::new(),
            last: None,
            buffer: vec![0; 1 << 16],
        })
    }

    /// Whether anything differs from the last look; `true` for the first one.
    ///
    /// # Errors
    /// The process cannot be examined (any more): it has ended, or belongs to another user now.
    pub fn changed(&mut self) -> io::Result<bool> {
        let mut hasher = DefaultHasher::new();
        let fds = self.inotify_fds(&mut hasher)?;
        self.instances.retain(|fd, _| fds.contains(fd));
        for fd in fds {
            if let Some(file) = self.fdinfo(fd) {
                // A file that cannot be read to its end was closed: the next look does not find it.
                let _ = hash(&file, &mut self.buffer, &mut hasher);
                self.instances.insert(fd, file);
            }
        }
        let now = Some(hasher.finish());
        let changed = now != self.last;
        self.last = now;
        Ok(changed)
    }

    /// Makes the next look the first one.
    pub fn forget(&mut self) {
        self.last = None;
    }

    fn fdinfo(&mut self, fd: i32) -> Option<File> {
        self.instances.remove(&fd).or_else(|| {
            let path = format!("fdinfo/{fd}");
            self.dir.open_file(path.as_bytes(), libc::O_RDONLY).ok()
        })
    }

    /// The inotify descriptors. Every file with a path is hashed, because a database that is opened later matters too.
    fn inotify_fds(&mut self, hasher: &mut DefaultHasher) -> io::Result<Vec<i32>> {
        let list = self
            .dir
            .open_file(b"fd", libc::O_RDONLY | libc::O_DIRECTORY)?;
        let (mut fds, mut link) = (Vec::new(), Vec::new());
        sys::each_entry(list.as_fd(), &mut Vec::new(), |entry| {
            let number = std::str::from_utf8(entry.name).ok();
            if let Some(fd) = number.and_then(|text| text.parse().ok())
                && sys::read_link_at(list.as_fd(), entry.name, &mut link).is_ok()
                && (link == INOTIFY || link.starts_with(b"/"))
            {
                (fd, &link).hash(hasher);
                if link == INOTIFY {
                    fds.push(fd);
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(fds)
    }
}

fn hash(file: &File, buffer: &mut [u8], hasher: &mut DefaultHasher) -> io::Result<()> {
    let mut offset = 0;
    loop {
        let length = file.read_at(buffer, offset)?;
        let Some(text) = buffer.get(..length).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        hasher.write(text);
        offset += length as u64;
    }
}
