//! The runtime directory: files that are this user's alone and mean nothing after a restart.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A directory of this user's, locked for as long as this is held.
#[derive(Debug)]
pub struct Runtime {
    path: PathBuf,
    _lock: File,
}

impl Runtime {
    /// Opens the directory, which is made where it is missing: `/run/watchfix` for root, else
    /// `$XDG_RUNTIME_DIR/watchfix`, else `/run/user/UID/watchfix`, else `/tmp/watchfix-UID`. In a PID namespace other
    /// than the first one its number is part of the name ([`inspect::gather::records_directory`]).
    ///
    /// # Errors
    /// It cannot be made, or what stands there is not a directory that only this user can use.
    pub fn open() -> io::Result<Runtime> {
        let user = inspect::effective_user();
        let (path, is_usual) = place(user);
        Runtime::at(path, user).map_err(|e| match is_usual {
            true => e,
            false => {
                let way = "XDG_RUNTIME_DIR may name a directory of this user instead";
                io::Error::new(e.kind(), format!("{e} ({way})"))
            }
        })
    }

    /// Opens a directory in it, with a lock of its own, which is waited for so long.
    ///
    /// # Errors
    /// The same; TimedOut where somebody else has the lock.
    pub fn open_below(name: &str, patience: Duration) -> io::Result<Runtime> {
        let path = Runtime::open()?.path.join(name);
        let until = Instant::now() + patience;
        let lock = Runtime::made(&path, inspect::effective_user())?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Runtime { path, _lock: lock }),
                Err(TryLockError::Error(e)) => return Err(named(&path, &e)),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    // No call waits for a lock and a time.
                    thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    let why = format!("{}: another watchfix has locked it", path.display());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
            }
        }
    }

    /// The texts of the files in such a directory whose names have no dot, whoever has the lock: nothing is made. A file
    /// is the old one or the new one, never half of it.
    pub fn texts_below(name: &str) -> Vec<String> {
        let user = inspect::effective_user();
        let dir = place(user).0.join(name);
        if is_own(&dir, user).is_err() {
            return Vec::new();
        }
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let plain = entries.filter(|entry| !entry.file_name().as_encoded_bytes().contains(&b'.'));
        plain
            .filter_map(|entry| fs::read_to_string(entry.path()).ok())
            .collect()
    }

    fn at(path: PathBuf, user: u32) -> io::Result<Runtime> {
        let lock = Runtime::made(&path, user)?;
        lock.lock().map_err(|e| named(&path, &e))?;
        Ok(Runtime { path, _lock: lock })
    }

    /// The directory, made where it is missing, to be locked.
    fn made(path: &Path, user: u32) -> io::Result<File> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(named(path, &e)),
            _ => {}
        }
        is_own(path, user)?;
        File::open(path).map_err(|e| named(path, &e))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    /// The content of a file; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<String>> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        let opened = options
            .read(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path);
        let mut file = match opened {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|e| named(&path, &e))?,
        };
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(|e| named(&path, &e))?;
        Ok(Some(text))
    }

    /// Puts a file in the place of the one of that name: who looks sees the old one or the new one.
    ///
    /// # Errors
    /// It cannot be written; then the old one is still there.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        // Nobody else writes it: the directory is locked. What an ended run left is written over.
        let new = self.path.join(format!(".{name}"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options
            .custom_flags(libc::O_NOFOLLOW)
            .open(&new)
            .map_err(|e| named(&new, &e))?;
        let path = self.path.join(name);
        file.write_all(text.as_bytes())
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|e| named(&path, &e))
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) {
        // What cannot be removed now is stale, and the next run tries again.
        let _ = fs::remove_file(self.path.join(name));
    }
}

/// Where the runtime directory is, and whether it is a place made for such directories: in /tmp anybody may have been
/// first.
fn place(user: u32) -> (PathBuf, bool) {
    let parent = match user {
        0 => Some(PathBuf::from("/run")),
        _ => std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
    };
    let usual = PathBuf::from(format!("/run/user/{user}"));
    let own = |place: &PathBuf| fs::metadata(place).is_ok_and(|meta| meta.uid() == user);
    let answers = |parent: &PathBuf| inspect::gather::unanswered(parent).is_none();
    let parent = parent.filter(|parent| parent.is_absolute() && answers(parent) && parent.is_dir());
    let name = inspect::gather::records_directory();
    match parent.or_else(|| Some(usual).filter(own)) {
        Some(parent) => (parent.join(name), true),
        None => (PathBuf::from(format!("/tmp/{name}-{user}")), false),
    }
}

/// Whether it is this user's alone. Once it is it stays so: the directories above are ours, root's, or sticky.
fn is_own(path: &Path, user: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path).map_err(|e| named(path, &e))?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        let why = "it is not a directory of this user that no other one can use (mode 0700)";
        return Err(io::Error::other(format!("{}: {why}", path.display())));
    }
    Ok(())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn open(path: PathBuf) -> io::Result<Runtime> {
        Runtime::at(path, inspect::effective_user())
    }

    #[test]
    fn what_is_written_is_for_this_user_alone() {
        let above = tempfile::tempdir().unwrap();
        let runtime = open(above.path().join("w")).unwrap();
        runtime.write("a", "one").unwrap();
        runtime.write("a", "two").unwrap();
        assert_eq!(runtime.read("a").unwrap().as_deref(), Some("two"));
        assert_eq!(runtime.names(), ["a"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(runtime.path()), 0o700);
        assert_eq!(mode(&runtime.path().join("a")), 0o600);
        runtime.remove("a");
        assert_eq!(runtime.read("a").unwrap(), None);
    }

    #[test]
    fn a_directory_others_can_use_or_a_symbolic_link_is_refused() {
        let above = tempfile::tempdir().unwrap();
        let (real, link) = (above.path().join("real"), above.path().join("link"));
        drop(open(real.clone()).unwrap());
        symlink(&real, &link).unwrap();
        assert!(open(link).unwrap_err().to_string().contains("mode 0700"));
        fs::set_permissions(&real, PermissionsExt::from_mode(0o750)).unwrap();
        assert!(open(real.clone()).is_err());
        fs::set_permissions(&real, PermissionsExt::from_mode(0o700)).unwrap();
        assert!(Runtime::at(real, inspect::effective_user() + 1).is_err());
    }

    #[test]
    fn a_symbolic_link_in_it_is_not_followed() {
        let above = tempfile::tempdir().unwrap();
        let other = above.path().join("other");
        fs::write(&other, "theirs").unwrap();
        let runtime = open(above.path().join("w")).unwrap();
        symlink(&other, runtime.path().join("a")).unwrap();
        symlink(&other, runtime.path().join(".b")).unwrap();
        assert!(runtime.read("a").is_err());
        assert!(runtime.write("b", "ours").is_err());
        runtime.write("a", "ours").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "theirs");
    }
}
