//! A process's descriptors, by the texts of their links. A pass over all processes reads only these.

use crate::gather::process::processes::Processes;
use std::io;
use std::ops::ControlFlow;

pub const DELETED: &[u8] = b" (deleted)";

/// The descriptors of a process, by the texts of their links.
#[derive(Default)]
pub struct Links {
    pub open: u64,
    pub inotify: Vec<i32>,
    /// Descriptors that have a path, with the path without ` (deleted)`.
    pub files: Vec<(i32, Vec<u8>)>,
}

impl Links {
    pub fn read(all: &mut Processes, pid: u32, count: Option<u64>) -> io::Result<Links> {
        let mut links = Links::default();
        all.each_link(pid, count, |fd, link| {
            links.open += 1;
            if link == b"anon_inode:inotify" {
                links.inotify.push(fd);
            } else if link.starts_with(b"/") {
                let path = link.strip_suffix(DELETED).unwrap_or(link);
                links.files.push((fd, path.to_vec()));
            }
            ControlFlow::Continue(())
        })?;
        links.inotify.sort_unstable();
        Ok(links)
    }
}
