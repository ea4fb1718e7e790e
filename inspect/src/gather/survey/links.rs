//! A process's descriptors, by the texts of their links. A pass over all processes reads only these.

use crate::gather::process::processes::Processes;
use crate::gather::subject::proc_dir::DELETED;
use crate::model::Name;
use std::io;
use std::ops::ControlFlow;

/// The descriptors of a process, by the texts of their links.
#[derive(Default)]
pub struct Links {
    pub open: u64,
    pub inotify: Vec<i32>,
    /// Descriptors that have a path, with the path without ` (deleted)`.
    pub files: Vec<(i32, Name)>,
    /// All that have no path, inotify instances among them, with the texts of their links.
    pub others: Vec<(i32, Name)>,
}

impl Links {
    pub fn read(all: &mut Processes, pid: u32, count: Option<u64>) -> io::Result<Links> {
        let mut links = Links::default();
        all.each_link(pid, count, |fd, link| {
            links.open += 1;
            if link == b"anon_inode:inotify" {
                links.inotify.push(fd);
            }
            if link.starts_with(b"/") {
                let path = link.strip_suffix(DELETED).unwrap_or(link);
                links.files.push((fd, path.into()));
            } else {
                links.others.push((fd, link.into()));
            }
            ControlFlow::Continue(())
        })?;
        links.inotify.sort_unstable();
        Ok(links)
    }
}
