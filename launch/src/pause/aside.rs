//! A directory beside what is paused, on the same mount of the file system: where an entry is for a moment, so that its return is an event.

use super::changes::names;
use super::operations::{is_stand_in, put_times_back, remove_entry};
use super::processes::watching;
use super::state::{Inode, State, inode_of};
use super::trees::Trees;
use inspect::gather::{is_below, without_paths};
use inspect::model::{Device, Name, PauseRecord};
use rules::event::{CREATE, DELETE};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Directories anybody may make one in (hier(7)), if all above a tree are watched.
const OTHERS: [&str; 3] = ["/var/tmp", "/tmp", "/dev/shm"];

/// The name of such a directory begins so.
const NAME: &str = ".watchfix-pause-";

/// A mount of a file system, as far as the kernel tells it (statx(2), 5.8). Entries are moved within one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mount {
    device: u64,
    id: Option<u64>,
}

impl Mount {
    fn of(dir: &Path) -> io::Result<Mount> {
        let mut named = OpenOptions::new();
        // To open it for reading would be an event.
        let dir = named.read(true).custom_flags(libc::O_PATH).open(dir)?;
        let place = crate::sys::path::place(dir.as_fd(), c".").ok().flatten();
        Ok(Mount {
            device: dir.metadata()?.dev(),
            id: place.map(|(mount, _)| mount),
        })
    }
}

/// One of them.
#[derive(Clone)]
pub struct Aside {
    mount: Mount,
    path: PathBuf,
    fd: Rc<OwnedFd>,
    /// What the directory it lies in was before, where that is in a tree.
    found: Option<State>,
}

impl Aside {
    /// Makes one for entries of `dir`. It lies above the paused tree, in the first directory whose entries nobody watches,
    /// or in another one of the file system; in the tree, whose watches are muted still, where there is none, or where
    /// `inside` asks for it.
    ///
    /// # Errors
    /// The errno of making it in the tree.
    fn make(
        dir: &Path,
        trees: &Trees,
        watched: &HashSet<Inode>,
        inside: bool,
    ) -> io::Result<Aside> {
        let mount = Mount::of(dir)?;
        let top = trees
            .dirs()
            .iter()
            .map(|top| Path::new(OsStr::from_bytes(top.as_bytes())));
        let top = top
            .filter(|top| is_below(dir.as_os_str().as_bytes(), top.as_os_str().as_bytes()))
            .find(|top| Mount::of(top).is_ok_and(|top| top == mount));
        // A mount below the tree: its own top is in the tree.
        let top = top.unwrap_or(dir);
        let mut error = io::Error::from(io::ErrorKind::NotFound);
        let elsewhere = OTHERS.map(Path::new);
        let outside = top.ancestors().skip(1).chain(elsewhere).filter(|_| !inside);
        for place in outside.chain([top]) {
            let Ok(at) = fs::metadata(place) else {
                continue;
            };
            // Of a bind mount, what lies above by another path may be the tree.
            let is_beside = || {
                Mount::of(place).is_ok_and(|place| place == mount)
                    && trees.place(place.as_os_str().as_bytes()).is_none()
            };
            if place != top && !is_beside() {
                continue;
            }
            let is_watched = watched.contains(&(Device::of(at.dev()).0, at.ino()));
            if is_watched && place != top {
                continue;
            }
            let found = File::open(place).and_then(|dir| State::of(dir.as_fd()));
            match Aside::make_in(place, mount) {
                Ok(mut aside) => {
                    aside.found = found.ok().filter(|_| place == top);
                    return Ok(aside);
                }
                Err(e) => error = e,
            }
        }
        Err(error)
    }

    fn make_in(place: &Path, mount: Mount) -> io::Result<Aside> {
        let path = place.join(format!("{NAME}{}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            // An earlier one of ours, or one that was left behind by a process of this PID.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        Aside::open(path, mount)
    }

    fn open(path: PathBuf, mount: Mount) -> io::Result<Aside> {
        let found = fs::symlink_metadata(&path)?;
        if !found.is_dir() || found.uid() != inspect::effective_user() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // To open it for reading would be an event of the directory it lies in.
        let mut named = OpenOptions::new();
        named
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_NOFOLLOW);
        let fd = Rc::new(OwnedFd::from(named.open(&path)?));
        Ok(Aside {
            mount,
            path,
            fd,
            found: None,
        })
    }

    /// One that an ended guardian has left.
    pub fn left(name: &Name) -> Option<Aside> {
        let path = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
        let mount = Mount::of(&path).ok()?;
        Aside::open(path, mount).ok()
    }

    /// Where it is.
    pub fn path(&self) -> Name {
        self.path.as_os_str().as_bytes().into()
    }

    /// Itself.
    pub fn fd(&self) -> Rc<OwnedFd> {
        self.fd.clone()
    }

    /// The way to `number` in it from the directory `dir` on: relative, as others may see other paths.
    pub fn way(&self, dir: &[u8], number: &str) -> Vec<u8> {
        let dir = Path::new(OsStr::from_bytes(dir));
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        let own = self.path.file_name().unwrap_or_default();
        // It lies in an ancestor of all it is for; else by its whole path.
        let mut way = match dir.strip_prefix(parent) {
            Ok(below) => below.components().map(|_| "..").collect::<PathBuf>(),
            Err(_) => parent.to_path_buf(),
        };
        way.push(own);
        way.push(number);
        way.into_os_string().into_encoded_bytes()
    }

    /// The number an entry has here and its way, if it is a symbolic link that holds its place.
    pub fn number_of(
        &self,
        dir: BorrowedFd<'_>,
        path: &[u8],
        name: &[u8],
    ) -> Option<(String, Vec<u8>)> {
        let way = rustix::fs::readlinkat(dir, name, Vec::new())
            .ok()?
            .into_bytes();
        let number = way.rsplit(|&c| c == b'/').next()?;
        let number = std::str::from_utf8(number).ok()?.to_owned();
        (self.way(path, &number) == way).then_some((number, way))
    }

    /// Removes what is here of a guardian's own: symbolic links that held places, and what stood for names.
    fn clear(&self) {
        let own = self.path.file_name().unwrap_or_default();
        let now = names(self.fd.as_fd(), (i64::MAX, 0)).unwrap_or_default();
        for (name, state) in now {
            let itself = Path::new(own).join(OsStr::from_bytes(&name));
            let led_here = || {
                rustix::fs::readlinkat(&self.fd, &*name, Vec::new()).is_ok_and(|way| {
                    Path::new(OsStr::from_bytes(way.as_bytes())).ends_with(&itself)
                })
            };
            if is_stand_in(self.fd.as_fd(), &name, &state) || state.is_link() && led_here() {
                // One that is not empty is somebody else's.
                let _ = remove_entry(self.fd.as_fd(), &name, state.is_dir());
            }
        }
    }

    fn is_in(&self, dir: &[u8]) -> bool {
        let place = self.path.parent();
        place.is_some_and(|place| place.as_os_str().as_bytes() == dir)
    }

    /// Removes it, if nothing of others is in it. A directory of a tree has its times again.
    ///
    /// # Errors
    /// ENOTEMPTY, or the errno of rmdir(2).
    pub fn remove(&self) -> io::Result<()> {
        self.clear();
        fs::remove_dir(&self.path)?;
        if let (Some(found), Some(place)) = (&self.found, self.path.parent()) {
            // Who is not the owner cannot.
            let _ = File::open(place).and_then(|place| put_times_back(place, found));
        }
        Ok(())
    }
}

/// Removes what a guardian had made and not noted yet when it was killed: nothing is in it.
pub fn remove_unnoted(record: &PauseRecord) {
    let name = format!("{NAME}{}", record.guardian.pid);
    let dirs = record
        .dirs
        .iter()
        .map(|dir| Path::new(OsStr::from_bytes(dir.as_bytes())));
    for place in dirs.flat_map(Path::ancestors).chain(OTHERS.map(Path::new)) {
        // It is seldom there, and another one's is not empty or not ours to remove.
        let _ = fs::remove_dir(place.join(&name));
    }
}

/// Those of one pause, made when they are needed.
pub struct Asides<'a> {
    list: Vec<Aside>,
    trees: Trees,
    /// What is watched, by anybody that can be looked at; found when it is needed.
    watched: Option<HashSet<Inode>>,
    inside: bool,
    next: usize,
    /// Called with each, before anything is put into it.
    note: &'a mut dyn FnMut(&Aside),
}

impl<'a> Asides<'a> {
    /// None yet. They lie `inside` the trees where somebody sees nothing else.
    pub fn new(trees: Trees, inside: bool, note: &'a mut dyn FnMut(&Aside)) -> Asides<'a> {
        Asides {
            list: Vec::new(),
            trees,
            watched: None,
            inside,
            next: 0,
            note,
        }
    }

    /// A place for `count` entries of the directory at `path`: itself, and the first number that is free in it.
    ///
    /// # Errors
    /// None can be made.
    pub fn place(&mut self, path: &[u8], count: usize) -> io::Result<(Aside, usize)> {
        let dir = Path::new(OsStr::from_bytes(path));
        let mount = Mount::of(dir)?;
        let known = self.list.iter().find(|aside| aside.mount == mount);
        let aside = match known {
            Some(aside) => aside.clone(),
            None => {
                let watched = self.watched.get_or_insert_with(all_watched);
                let aside = Aside::make(dir, &self.trees, watched, self.inside)?;
                (self.note)(&aside);
                self.list.push(aside.clone());
                aside
            }
        };
        let first = self.next;
        self.next += count;
        Ok((aside, first))
    }

    /// What the directory at `path` was before one was made in it, if one was.
    pub fn found(&self, path: &[u8]) -> Option<State> {
        let mut in_it = self.list.iter().filter(|aside| aside.is_in(path));
        in_it.find_map(|aside| aside.found)
    }

    /// Removes those that lie in the directory at `path`: who watches it is to hear nothing of them.
    pub fn leave(&mut self, path: &[u8]) {
        self.list.retain(|aside| {
            // What could not be put back is still in it, and was told.
            let removed = aside.is_in(path) && aside.remove().is_ok();
            !removed
        });
    }

    /// Removes all.
    pub fn finish(self) {
        for aside in self.list {
            // As above.
            let _ = aside.remove();
        }
    }
}

/// All inodes whose entries are watched, by whom this program may look at.
fn all_watched() -> HashSet<Inode> {
    let watches = watching().into_iter().filter_map(without_paths).flatten();
    let watches = watches.filter(|watch| watch.mask.0 & (CREATE | DELETE) != 0);
    watches.map(|watch| inode_of(&watch)).collect()
}

/// Whether an entry of that name is such a directory.
pub fn is_aside(name: &[u8]) -> bool {
    name.starts_with(NAME.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_from_an_entry_to_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("app/a/b");
        fs::create_dir_all(&deep).unwrap();
        let aside = Aside::make_in(dir.path(), Mount::of(&deep).unwrap()).unwrap();
        fs::write(aside.path.join("3"), "here").unwrap();
        let way = aside.way(deep.as_os_str().as_bytes(), "3");
        let way = deep.join(OsStr::from_bytes(&way));
        assert_eq!(fs::read_to_string(&way).unwrap(), "here");
        assert!(
            way.as_os_str()
                .as_bytes()
                .windows(10)
                .any(|at| at == b"/../../../")
        );
    }
}
