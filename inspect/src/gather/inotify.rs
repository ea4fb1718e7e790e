//! The inotify instances of a process and their watches, from fdinfo.

use super::lines::each_line;
use super::proc_dir::ProcDir;
use super::processes::Processes;
use super::{Gaps, errno_text, fdinfo, is_gone};
use crate::model::{Device, Instance, Mask, MaskCount, Watch};
use crate::sys::{self, FileHandle};
use std::cmp::Ordering;
use std::ops::ControlFlow;

/// An instance, with the file handles of its watches for as long as paths are looked for.
pub struct ReadInstance {
    /// The instance.
    pub instance: Instance,
    /// One handle for every watch, in the same order; empty when paths are not wanted.
    pub handles: Handles,
}

/// File handles, stored end to end: a [`FileHandle`] has room for 128 bytes, a real one needs 8 to 36.
#[derive(Default)]
pub struct Handles {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

struct Place {
    offset: usize,
    length: u16,
    kind: i32,
}

impl Handles {
    fn push(&mut self, text: Option<&fdinfo::HandleText<'_>>) {
        let offset = self.bytes.len();
        if let Some(text) = text {
            text.decode_into(&mut self.bytes);
        }
        let length = u16::try_from(self.bytes.len() - offset).unwrap_or(0);
        let kind = text.map_or(0, |t| t.kind);
        self.places.push(Place {
            offset,
            length,
            kind,
        });
    }

    /// The type and bytes of a watch's handle, if it has one.
    pub fn get(&self, watch: usize) -> Option<(i32, &[u8])> {
        let place = self.places.get(watch).filter(|p| p.length > 0)?;
        let bytes = self.bytes.get(place.offset..)?;
        Some((place.kind, bytes.get(..usize::from(place.length))?))
    }

    /// The same, as the kernel wants it.
    pub fn to_open(&self, watch: usize) -> Option<FileHandle> {
        let (kind, bytes) = self.get(watch)?;
        FileHandle::new(kind, bytes)
    }
}

/// Reads the inotify instances at the descriptors `fds`.
pub fn read(
    dir: &ProcDir,
    fds: impl Iterator<Item = i32>,
    keep_handles: bool,
    gaps: &mut Gaps,
) -> Vec<ReadInstance> {
    let mut buffer = Vec::new();
    let mut list: Vec<ReadInstance> = Vec::new();
    for fd in fds {
        let same = list
            .iter()
            .map(|r| &r.instance)
            .filter(|i| i.same_instance_as.is_none())
            .find(|i| is_same(dir.pid, i.fd, fd));
        if let Some(same) = same {
            let instance = Instance {
                fd,
                watch_count: same.watch_count,
                masks: Vec::new(),
                watches: Vec::new(),
                same_instance_as: Some(same.fd),
            };
            list.push(ReadInstance {
                instance,
                handles: Handles::default(),
            });
            continue;
        }
        list.push(read_one(dir, fd, keep_handles, &mut buffer, gaps));
    }
    list
}

/// The masks of a process's watches, most watches first; `None` where they may not be read.
pub fn masks_of(pid: u32) -> Option<Vec<MaskCount>> {
    let dir = ProcDir::open(pid).ok()?;
    let mut fds = Vec::new();
    let inotify = |fd, link: &[u8]| {
        if link == b"anon_inode:inotify" {
            fds.push(fd);
        }
        ControlFlow::Continue(())
    };
    Processes::open().ok()?.each_link(pid, None, inotify).ok()?;
    let read = read(&dir, fds.into_iter(), false, &mut Gaps::default());
    // An instance that stands at two descriptors has its masks at the first.
    let masks = read.iter().flat_map(|read| &read.instance.masks);
    Some(MaskCount::roll_up(
        masks.map(|count| (count.mask, count.watches)),
    ))
}

fn is_same(pid: u32, a: i32, b: i32) -> bool {
    sys::compare_files((pid, a), (pid, b)).is_ok_and(|order| order == Ordering::Equal)
}

/// Reads the instance at descriptor `fd`. `buffer` is scratch space for the next one.
pub fn read_one(
    dir: &ProcDir,
    fd: i32,
    keep_handles: bool,
    buffer: &mut Vec<u8>,
    gaps: &mut Gaps,
) -> ReadInstance {
    let mut watches = Vec::new();
    let mut handles = Handles::default();
    let mut unreadable = 0;
    let path = format!("fdinfo/{fd}");
    let done = dir
        .open_file(path.as_bytes(), libc::O_RDONLY)
        .and_then(|file| {
            each_line(&file, buffer, |line| match fdinfo::watch(line) {
                Some(seen) => {
                    watches.push(Watch {
                        wd: seen.wd,
                        inode: seen.inode,
                        device: Device(seen.sdev),
                        mask: Mask(seen.mask),
                        path: None,
                        resolved_by: None,
                        deleted: false,
                        unresolved: None,
                    });
                    if keep_handles {
                        handles.push(seen.handle.as_ref());
                    }
                }
                None => unreadable += usize::from(fdinfo::is_watch(line)),
            })
        });
    if let Err(e) = done {
        let why = if is_gone(&e) {
            "it was closed during the scan".into()
        } else {
            errno_text(&e)
        };
        gaps.note(format!("the watches of descriptor {fd}"), why);
    }
    if unreadable > 0 {
        gaps.count(
            unreadable,
            format!("watches of descriptor {fd}"),
            "their lines in fdinfo could not be understood",
        );
    }
    ReadInstance {
        instance: Instance {
            fd,
            watch_count: watches.len(),
            masks: MaskCount::roll_up(watches.iter().map(|watch| (watch.mask, 1))),
            watches,
            same_instance_as: None,
        },
        handles,
    }
}
