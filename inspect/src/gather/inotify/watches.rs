//! The inotify instances of a process and their watches, from fdinfo.

use crate::gather::descriptors::{census, fdinfo};
use crate::gather::process::processes::Processes;
use crate::gather::process::threads;
use crate::gather::subject::gaps::{Gaps, errno_text, is_gone};
use crate::gather::subject::identity;
use crate::gather::subject::lines::each_line;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Device, Instance, Mask, MaskCount, Name, Watch};
use crate::sys;
use crate::sys::FileHandle;
use std::cmp::Ordering;
use std::collections::HashMap;

/// An instance, with the file handles of its watches while paths are searched for.
pub struct ReadInstance {
    /// The instance.
    pub instance: Instance,
    /// One handle for every watch, in the same order; empty if paths are not wanted.
    pub handles: Handles,
    /// Where watches may be, by their index, without proof: for a caller that lets the kernel decide.
    pub guesses: HashMap<usize, Guess>,
}

/// A directory a watch may be on.
pub struct Guess {
    /// Where it is, as the process sees it.
    pub path: Name,
    /// Whether there is also a file that it may be on.
    pub contested: bool,
}

impl ReadInstance {
    /// Drops guesses about watches with one number: an instance has one watch on an inode, so they are on several.
    pub fn drop_vague_guesses(&mut self) {
        if self.guesses.is_empty() {
            return;
        }
        let mut counts: HashMap<(Device, u64), usize> = HashMap::new();
        for watch in &self.instance.watches {
            *counts.entry((watch.device, watch.inode)).or_default() += 1;
        }
        let watches = &self.instance.watches;
        self.guesses.retain(|&at, _| {
            let watch = watches.get(at);
            watch.is_some_and(|w| counts.get(&(w.device, w.inode)) == Some(&1))
        });
    }
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
    let mut alike = 0;
    for fd in fds {
        let firsts = || {
            list.iter()
                .filter(|r| r.instance.same_instance_as.is_none())
        };
        let mut refused = false;
        let same = firsts().find(|r| {
            let known = (dir.pid, r.instance.fd);
            sys::compare_files(known, (dir.pid, fd)).map_or_else(
                |_| {
                    refused = true;
                    false
                },
                |order| order == Ordering::Equal,
            )
        });
        let mut again = same.map(|same| again(&same.instance, fd));
        if again.is_none() {
            let new = read_one(dir, fd, keep_handles, &mut buffer, gaps);
            // Two instances have the same watches under the same numbers only if they watch the same in the same order.
            let twin = firsts().find(|old| refused && are_alike(&old.instance, &new.instance));
            alike += usize::from(twin.is_some());
            again = Some(twin.map_or(new, |twin| self::again(&twin.instance, fd)));
        }
        list.extend(again);
    }
    if alike > 0 {
        gaps.count(
            alike,
            "inotify descriptors compared with each other",
            "kcmp(2) is not permitted here: those with the same watches are counted as one instance",
        );
    }
    list
}

/// Reads the instances of threads that have their own table of descriptors. Known instances are left out.
pub fn read_others(
    dir: &ProcDir,
    list: &mut Vec<ReadInstance>,
    keep_handles: bool,
    gaps: &mut Gaps,
) {
    let mut buffer = Vec::new();
    for table in threads::with_own_descriptors(dir, gaps) {
        let fds = match census::inotify(&table) {
            Ok(fds) => fds,
            Err(e) => {
                gaps.note(
                    format!("the descriptors of thread {}", table.pid),
                    errno_text(&e),
                );
                continue;
            }
        };
        for fd in fds {
            let is_known = |r: &ReadInstance| {
                let owner = r.instance.thread.unwrap_or(dir.pid);
                let same = sys::compare_files((owner, r.instance.fd), (table.pid, fd));
                same.is_ok_and(|order| order == Ordering::Equal)
            };
            if !list.iter().any(is_known) {
                let mut new = read_one(&table, fd, keep_handles, &mut buffer, gaps);
                new.instance.thread = Some(table.pid);
                list.push(new);
            }
        }
    }
}

/// The same instance at another descriptor `fd`.
fn again(first: &Instance, fd: i32) -> ReadInstance {
    ReadInstance {
        instance: Instance {
            fd,
            thread: first.thread,
            watch_count: first.watch_count,
            masks: Vec::new(),
            watches: Vec::new(),
            same_instance_as: Some(first.fd),
            covered_by: None,
            waits: first.waits,
        },
        handles: Handles::default(),
        guesses: HashMap::new(),
    }
}

/// Whether two instances have the same watches, under the same numbers.
fn are_alike(a: &Instance, b: &Instance) -> bool {
    let watch = |w: &Watch| (w.wd, w.inode, w.device, w.handle, w.mask);
    !a.watches.is_empty() && a.watches.iter().map(watch).eq(b.watches.iter().map(watch))
}

/// The watches of all instances.
pub fn watches(read: &mut [ReadInstance]) -> impl Iterator<Item = &mut Watch> {
    read.iter_mut().flat_map(|read| &mut read.instance.watches)
}

/// The masks of a process's watches, the most frequent first; `None` if they cannot be read.
pub fn masks_of(pid: u32) -> Option<Vec<MaskCount>> {
    // An instance with two descriptors lists its masks at the first one.
    let read = look_at(pid)?;
    let masks = read.iter().flat_map(|read| &read.instance.masks);
    Some(MaskCount::roll_up(
        masks.map(|count| (count.mask, count.watches)),
    ))
}

/// A process's watches without their paths; `None` if they cannot be read.
pub fn without_paths(pid: u32) -> Option<Vec<Watch>> {
    let read = look_at(pid)?;
    Some(
        read.into_iter()
            .flat_map(|read| read.instance.watches)
            .collect(),
    )
}

fn look_at(pid: u32) -> Option<Vec<ReadInstance>> {
    let fds = Processes::open().ok()?.inotify_fds(pid, None).ok()?;
    if fds.is_empty() {
        return Some(Vec::new());
    }
    let dir = ProcDir::open(pid).ok()?;
    Some(read(&dir, fds.into_iter(), false, &mut Gaps::default()))
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
    let mut bytes = Vec::new();
    let mut unreadable = 0;
    let mut waits = None;
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
                        handle: seen.handle.as_ref().and_then(|text| {
                            bytes.clear();
                            text.decode_into(&mut bytes);
                            identity::mark(text.kind, &bytes)
                        }),
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
                None => {
                    waits = waits.or(fdinfo::waits(line));
                    unreadable += usize::from(fdinfo::is_watch(line));
                }
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
            thread: None,
            watch_count: watches.len(),
            masks: MaskCount::roll_up(watches.iter().map(|watch| (watch.mask, 1))),
            watches,
            same_instance_as: None,
            covered_by: None,
            waits,
        },
        handles,
        guesses: HashMap::new(),
    }
}
