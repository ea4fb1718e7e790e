//! Whether opening a slow handle has woken the process. Only the kernel can tell: on a busy or emulated machine any
//! handle may be slow.
//!
//! Directories whose watches report reads are also watched by an instance of this program, for the same events. The
//! process gets every event that this instance gets.

use crate::gather::inotify::side_effects::LOOKS;
use crate::sys::Inotify;
use std::collections::HashMap;
use std::os::fd::BorrowedFd;

/// struct inotify_event of inotify(7): wd, mask, cookie, length of the name.
const HEAD: usize = 16;

/// This program's watches on directories that the process watches.
#[derive(Default)]
pub struct LookupWatches {
    inotify: Option<Inotify>,
    wds: HashMap<Vec<u8>, i32>,
    /// Whether the kernel refused a watch: then nothing is known.
    refused: bool,
}

impl LookupWatches {
    /// Watches a directory for reads from now on. It is open as `directory`.
    pub fn take(&mut self, path: &[u8], directory: BorrowedFd<'_>) {
        if self.refused || self.wds.contains_key(path) {
            return;
        }
        if self.inotify.is_none() {
            self.inotify = Inotify::new().ok();
        }
        let placed = self.inotify.as_ref().map(|own| own.add(directory, LOOKS));
        match placed {
            Some(Ok(wd)) => {
                self.wds.insert(path.to_vec(), wd);
            }
            _ => self.refused = true,
        }
    }

    /// Discards the events so far.
    pub fn forget(&self) {
        self.each_look(|_| {});
    }

    /// Whether a directory was read since; `None` if it is not watched here.
    pub fn saw(&self, path: &[u8]) -> Option<bool> {
        let wanted = self.wds.get(path);
        let mut saw = false;
        self.each_look(|wd| saw |= Some(&wd) == wanted);
        match wanted {
            Some(_) => Some(saw),
            None if self.refused => Some(true),
            None => None,
        }
    }

    fn each_look(&self, mut visit: impl FnMut(i32)) {
        let Some(own) = &self.inotify else { return };
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = own.read(&mut buffer) {
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some((head, tail)) = rest.split_at_checked(HEAD) {
                let word = |at: usize| {
                    let bytes = head.get(at..).and_then(<[u8]>::first_chunk);
                    u32::from_ne_bytes(bytes.copied().unwrap_or_default())
                };
                // Others read the entries of the directory all the time.
                if word(12) == 0 {
                    visit(word(0).cast_signed());
                }
                rest = tail.get(word(12) as usize..).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::fd::AsFd;

    #[test]
    fn only_later_reads_of_the_directory_itself_count() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().as_os_str().as_encoded_bytes();
        fs::create_dir(temp.path().join("in")).unwrap();
        let mut lookups = LookupWatches::default();
        assert_eq!(lookups.saw(path), None);
        lookups.take(path, File::open(temp.path()).unwrap().as_fd());
        lookups.forget();
        assert_eq!(lookups.saw(path), Some(false));
        fs::read_dir(temp.path().join("in")).unwrap().count();
        assert_eq!(lookups.saw(path), Some(false));
        fs::read_dir(temp.path()).unwrap().count();
        assert_eq!(lookups.saw(path), Some(true));
        assert_eq!(lookups.saw(path), Some(false));
    }
}
