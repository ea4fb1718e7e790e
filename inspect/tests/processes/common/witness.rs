//! Who watches directories of a test, and is told of every look at them.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// An inotify instance of the test's own.
pub struct Witness {
    instance: File,
    paths: BTreeMap<i32, PathBuf>,
}

impl Witness {
    /// Watches `paths` for everything a look at them raises.
    pub fn of(paths: impl IntoIterator<Item = PathBuf>) -> Witness {
        // SAFETY: it takes an integer and returns a new descriptor nobody else owns.
        let instance = unsafe {
            let fd = libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK);
            assert!(fd >= 0, "{}", std::io::Error::last_os_error());
            File::from_raw_fd(fd)
        };
        let mut witness = Witness {
            instance,
            paths: BTreeMap::new(),
        };
        for path in paths {
            witness.watch(path);
        }
        witness
    }

    fn watch(&mut self, path: PathBuf) {
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        let mask = libc::IN_OPEN | libc::IN_ACCESS | libc::IN_CLOSE_NOWRITE;
        // SAFETY: `name` is NUL-terminated and lives through the call.
        let wd = unsafe { libc::inotify_add_watch(self.instance.as_raw_fd(), name.as_ptr(), mask) };
        assert!(
            wd > 0,
            "{}: {}",
            path.display(),
            std::io::Error::last_os_error()
        );
        self.paths.insert(wd, path);
    }

    /// The events since it was asked last: whose watch, which event, and the name in it, if it is not that of the
    /// watched directory itself.
    pub fn told(&mut self) -> Vec<(&Path, u32, String)> {
        let mut told = Vec::new();
        let mut buffer = [0; 1 << 16];
        while let Ok(length @ 1..) = self.instance.read(&mut buffer) {
            let mut rest = &buffer[..length];
            // struct inotify_event of inotify(7): wd, mask, cookie, length of the name.
            while let Some((head, tail)) = rest.split_first_chunk::<16>() {
                let word = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
                assert_eq!(word(4) & libc::IN_Q_OVERFLOW, 0, "events were lost");
                let (name, next) = tail.split_at(word(12) as usize);
                let name = String::from_utf8_lossy(name);
                let path = &self.paths[&(word(0) as i32)];
                told.push((
                    path.as_path(),
                    word(4),
                    name.trim_end_matches('\0').to_owned(),
                ));
                rest = next;
            }
        }
        told
    }
}
