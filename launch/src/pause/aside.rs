//! A directory beside what is paused, on the same file system: where an entry is for a moment, so that its return is an event.

use super::trees::Trees;
use inspect::gather::is_below;
use inspect::model::{Device, Name};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The name of such a directory begins so.
const NAME: &str = ".watchfix-pause-";

/// One of them.
pub struct Aside {
    device: u64,
    path: PathBuf,
    fd: Rc<OwnedFd>,
}

impl Aside {
    /// Makes one for entries of `dir`. It lies above the paused tree, in the first directory that nobody watches; in the
    /// tree, whose watches are muted still, where there is none, or where `inside` asks for it.
    ///
    /// # Errors
    /// The errno of making it in the tree.
    pub fn make(
        dir: &Path,
        trees: &Trees,
        watched: &HashSet<(u32, u64)>,
        inside: bool,
    ) -> io::Result<Aside> {
        let device = fs::metadata(dir)?.dev();
        let top = trees
            .dirs()
            .iter()
            .map(|top| Path::new(OsStr::from_bytes(top.as_bytes())));
        let top = top
            .filter(|top| is_below(dir.as_os_str().as_bytes(), top.as_os_str().as_bytes()))
            .find(|top| fs::metadata(top).is_ok_and(|at| at.dev() == device));
        // A mount below the tree: its own top is in the tree.
        let top = top.unwrap_or(dir);
        let mut error = io::Error::from(io::ErrorKind::NotFound);
        let above = top.ancestors().skip(1).filter(|_| !inside);
        for place in above.chain([top]) {
            let Ok(at) = fs::metadata(place) else { break };
            if at.dev() != device && place != top {
                continue;
            }
            let is_watched = watched.contains(&(Device::of(at.dev()).0, at.ino()));
            if is_watched && place != top {
                continue;
            }
            match Aside::make_in(place, device) {
                Ok(aside) => return Ok(aside),
                Err(e) => error = e,
            }
        }
        Err(error)
    }

    fn make_in(place: &Path, device: u64) -> io::Result<Aside> {
        let path = place.join(format!("{NAME}{}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            // An earlier one of ours, or one that was left behind by a process of this PID.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        Aside::open(path, device)
    }

    fn open(path: PathBuf, device: u64) -> io::Result<Aside> {
        let found = fs::symlink_metadata(&path)?;
        if !found.is_dir() || found.uid() != inspect::effective_user() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let fd = Rc::new(OwnedFd::from(File::open(&path)?));
        Ok(Aside { device, path, fd })
    }

    /// One that an ended guardian has left.
    pub fn left(name: &Name) -> Option<Aside> {
        let path = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
        let device = fs::symlink_metadata(&path).ok()?.dev();
        Aside::open(path, device).ok()
    }

    /// Whether entries of that device can be put here.
    pub fn is_on(&self, device: u64) -> bool {
        self.device == device
    }

    /// Where it is.
    pub fn path(&self) -> Name {
        self.path.as_os_str().as_bytes().into()
    }

    /// Itself.
    pub fn fd(&self) -> Rc<OwnedFd> {
        self.fd.clone()
    }

    /// Whether it lies in the directory `dir`.
    pub fn is_in(&self, dir: &[u8]) -> bool {
        self.path
            .parent()
            .is_some_and(|parent| parent.as_os_str().as_bytes() == dir)
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

    /// Removes it, if nothing is in it.
    ///
    /// # Errors
    /// ENOTEMPTY, or the errno of rmdir(2).
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir(&self.path)
    }
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
        let device = fs::metadata(&deep).unwrap().dev();
        let aside = Aside::make_in(dir.path(), device).unwrap();
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
