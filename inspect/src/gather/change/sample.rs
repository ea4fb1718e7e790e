//! The counters of a process, read cheaply and repeatedly: the basis of `--for` and of a continuous look.
//!
//! Files of /proc stay open: the kernel keeps the buffer of an fdinfo file, and then reads 100,000 watches in a third
//! of the time. Of other files, only the size and the headers of a -shm and a -wal are read, and not if a watch of the
//! process would see that.

use crate::formats::sqlite::{Effort, SUFFIXES, log_state, part_of};
use crate::gather::descriptors::census::Reader;
use crate::gather::descriptors::{census, fdinfo};
use crate::gather::inotify::side_effects::SideEffects;
use crate::gather::inotify::watches;
use crate::gather::process::status;
use crate::gather::sqlite::databases::open_safely;
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::lines::each_line;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::View;
use crate::model::{
    DatabaseSample, Descriptor, Handles, Identity, Kind, LogSample, Name, Part, Sample,
};
use crate::sys;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::time::Instant;

/// Takes samples of one process.
pub struct Sampler {
    dir: ProcDir,
    /// /proc/PID/fd; `None` if it cannot be read.
    list: Option<File>,
    mounts: Mounts,
    /// The fdinfo of inotify descriptors, by number.
    instances: HashMap<i32, File>,
    /// The side files of databases, by path.
    sides: HashMap<Name, Side>,
    /// The number of watches when these were read.
    side_effects: Option<(u64, SideEffects)>,
    buffer: Vec<u8>,
}

/// A -wal or -shm that is kept open; `None` for one that must not or cannot be opened.
struct Side {
    identity: Option<Identity>,
    file: Option<File>,
}

/// The descriptors of one path.
struct Held {
    handles: u64,
    /// One of them, of a file that is not deleted if there is one.
    fd: i32,
    deleted: bool,
}

impl Sampler {
    /// Opens what samples are taken from.
    ///
    /// # Errors
    /// ENOENT if there is no such process.
    pub fn open(pid: u32) -> io::Result<Sampler> {
        let mut dir = ProcDir::open(pid)?;
        if status::is_headless(&dir)?
            && let Some(thread) = dir.of_living_thread()
        {
            dir = thread;
        }
        Ok(Sampler {
            list: census::open_list(&dir).ok(),
            mounts: Mounts::of(&dir, &mut Gaps::default()),
            dir,
            instances: HashMap::new(),
            sides: HashMap::new(),
            side_effects: None,
            buffer: Vec::new(),
        })
    }

    /// The process's directory in /proc.
    pub fn dir(&self) -> &ProcDir {
        &self.dir
    }

    /// What the process has mounted.
    pub fn mounts(&self) -> &Mounts {
        &self.mounts
    }

    /// A descriptor of each inotify instance of the last sample.
    pub fn instances(&self) -> impl Iterator<Item = i32> {
        self.instances.keys().copied()
    }

    /// Reads every counter once. If this user may not inspect the process, only the number of its descriptors is known.
    ///
    /// # Errors
    /// ENOENT or ESRCH when the process has ended.
    pub fn sample(&mut self) -> io::Result<Sample> {
        let mut sample = Sample {
            at: Instant::now(),
            descriptors: None,
            instances: None,
            watches: None,
            files: HashMap::new(),
            kinds: BTreeMap::new(),
            databases: BTreeMap::new(),
        };
        let numbers = match &mut self.list {
            Some(list) => list.rewind().and_then(|()| census::numbers(list)),
            None => Err(io::ErrorKind::PermissionDenied.into()),
        };
        // A zombie's list is empty, and that of a process that is gone cannot be read.
        if numbers.as_ref().is_ok_and(Vec::is_empty) && status::has_ended(&self.dir) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let numbers = match numbers {
            Ok(numbers) => numbers,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                sample.descriptors = census::count(&self.dir)?;
                return Ok(sample);
            }
            Err(e) => return Err(e),
        };
        sample.descriptors = Some(numbers.len() as u64);
        let Some((files, inotify)) = self.links(&numbers, &mut sample.kinds) else {
            return Ok(sample);
        };
        let watches = self.watches(&inotify, &mut sample);
        sample.databases = self.databases(&files, &inotify, watches);
        sample.files = files
            .into_iter()
            .map(|(path, held)| (path, held.handles))
            .collect();
        Ok(sample)
    }

    /// The descriptors with a path, and those of inotify instances. Others are counted in `kinds`. `None` if none of
    /// them can be read.
    fn links(
        &self,
        numbers: &[i32],
        kinds: &mut BTreeMap<Kind, u64>,
    ) -> Option<(HashMap<Name, Held>, Vec<i32>)> {
        let mut reader = Reader::new(&self.dir, &self.mounts);
        let mut files: HashMap<Name, Held> = HashMap::new();
        let (mut inotify, mut any) = (Vec::new(), numbers.is_empty());
        for &fd in numbers {
            let Ok((kind, path, deleted)) = reader.link(fd) else {
                continue;
            };
            any = true;
            if kind != Kind::Unknown {
                *kinds.entry(kind).or_insert(0) += 1;
            }
            match kind {
                Kind::Inotify => inotify.push(fd),
                Kind::Unknown => {
                    let new = || Held {
                        handles: 0,
                        fd,
                        deleted,
                    };
                    let held = files.entry(path).or_insert_with(new);
                    held.handles += 1;
                    if held.deleted && !deleted {
                        (held.fd, held.deleted) = (fd, false);
                    }
                }
                _ => {}
            }
        }
        any.then_some((files, inotify))
    }

    /// Counts instances and watches.
    fn watches(&mut self, inotify: &[i32], sample: &mut Sample) -> u64 {
        let mut distinct: Vec<i32> = Vec::new();
        let mut watches = 0;
        for &fd in inotify {
            let pid = self.dir.pid;
            let place = distinct.binary_search_by(|&known| {
                // An instance that cannot be compared is counted.
                sys::compare_files((pid, known), (pid, fd)).unwrap_or(Ordering::Less)
            });
            if let Err(place) = place {
                distinct.insert(place, fd);
                watches += self.watches_of(fd).unwrap_or(0);
            }
        }
        self.instances.retain(|fd, _| distinct.contains(fd));
        sample.instances = Some(distinct.len() as u64);
        sample.watches = Some(watches);
        watches
    }

    fn watches_of(&mut self, fd: i32) -> io::Result<u64> {
        use std::collections::hash_map::Entry;
        let file = match self.instances.entry(fd) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let path = format!("fdinfo/{fd}");
                new.insert(self.dir.open_file(path.as_bytes(), libc::O_RDONLY)?)
            }
        };
        let mut watches = 0;
        each_line(file, &mut self.buffer, |line| {
            watches += u64::from(fdinfo::is_watch(line));
        })?;
        Ok(watches)
    }

    fn databases(
        &mut self,
        files: &HashMap<Name, Held>,
        inotify: &[i32],
        watches: u64,
    ) -> BTreeMap<Name, DatabaseSample> {
        let bases: BTreeSet<Name> = files.keys().filter_map(base).collect();
        let mut found = BTreeMap::new();
        for base in bases {
            let held = |suffix: &str| files.get(&beside(&base, suffix));
            let count = |suffix: &str| held(suffix).map_or(0, |held| held.handles);
            let handles = Handles {
                database: count(""),
                wal: count("-wal") + count("-wal2"),
                shm: count("-shm"),
            };
            // As in a report, a -shm without its database does not count.
            if handles.wal == 0 && (handles.shm == 0 || handles.database == 0) {
                continue;
            }
            self.refresh_side_effects(inotify, watches);
            let wal = held("-wal").and_then(|held| self.part(&base, "-wal", held));
            let shm = held("-shm").and_then(|held| self.part(&base, "-shm", held));
            let disk_free_bytes = wal.as_ref().and_then(|part| self.room(part));
            let wal_file = wal.as_ref().and_then(|part| self.side(part));
            let shm_file = shm.as_ref().and_then(|part| self.side(part));
            found.insert(
                base,
                DatabaseSample {
                    handles: Some(handles),
                    wal_bytes: wal.and_then(|part| part.bytes),
                    log: log(shm_file.as_ref(), wal_file.as_ref()),
                    disk_free_bytes,
                },
            );
        }
        self.sides.retain(|path, _| files.contains_key(path));
        found
    }

    fn refresh_side_effects(&mut self, inotify: &[i32], watches: u64) {
        if self
            .side_effects
            .as_ref()
            .is_none_or(|(at, _)| *at != watches)
        {
            let fds = inotify.iter().copied();
            let read = watches::read(&self.dir, fds, false, &mut Gaps::default());
            let side_effects = SideEffects::of(read.iter().map(|read| &read.instance));
            self.side_effects = Some((watches, side_effects));
        }
    }

    /// A side file as its descriptor shows it; `None` if that was closed, or refers to another file now.
    fn part(&self, base: &Name, suffix: &str, held: &Held) -> Option<Part> {
        let descriptor: Descriptor = Reader::new(&self.dir, &self.mounts)
            .descriptor(held.fd)
            .ok()?;
        let same = descriptor.kind == Kind::File && descriptor.target == beside(base, suffix);
        same.then(|| part_of(&descriptor))
    }

    /// The free space on the file system of a side file. O_PATH opens nothing, so no watch sees it.
    fn room(&self, part: &Part) -> Option<u64> {
        // Its size is only known if looking at it cannot hang.
        part.bytes?;
        let file = View::of(&self.dir, &self.mounts).descriptor(part.fd).ok()?;
        sys::free_bytes(file.as_fd()).ok()
    }

    /// The file, which is opened once and kept while the process has the same one open.
    fn side(&mut self, part: &Part) -> Option<File> {
        let side_effects = &self.side_effects.as_ref()?.1;
        if side_effects.by_opening(part.identity, part.parent) {
            self.sides.remove(&part.path);
            return None;
        }
        let known = self.sides.get(&part.path);
        if known.is_none_or(|side| side.identity != part.identity || side.identity.is_none()) {
            let file = open_safely(&self.dir, &self.mounts, part);
            let identity = part.identity;
            self.sides
                .insert(part.path.clone(), Side { identity, file });
        }
        self.sides.get(&part.path)?.file.as_ref()?.try_clone().ok()
    }
}

/// What the files of a log say.
pub fn log(shm: Option<&File>, wal: Option<&File>) -> Option<LogSample> {
    if let Some(index) = shm.and_then(|shm| log_state::index(shm, wal).ok()) {
        return Some(LogSample {
            frames: index.frames,
            checkpointed_frames: Some(index.backfilled),
            salts: index.salts,
            page_size: index.page_size,
        });
    }
    let counted = log_state::count(wal?, Effort::Salts)?;
    Some(LogSample {
        frames: counted.frames,
        checkpointed_frames: None,
        salts: counted.salts,
        page_size: None,
    })
}

/// The database a side file belongs to by its name.
fn base(path: &Name) -> Option<Name> {
    let strip = |(ending, _): &(&str, &str)| path.as_bytes().strip_suffix(ending.as_bytes());
    SUFFIXES.iter().find_map(strip).map(Name::from)
}

/// The path of a side file.
pub fn beside(base: &Name, suffix: &str) -> Name {
    [base.as_bytes(), suffix.as_bytes()].concat().into()
}
