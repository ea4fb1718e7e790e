//! What is known of a watched file or directory, and what has become of it since.

use inspect::model::{Watch, from_hex, hex};
use rustix::fs::{AtFlags, Stat, StatxFlags, fstat, statat, statx};
use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// A watched inode, as fdinfo shows it: device and number.
pub type Inode = (u32, u64);

/// What a watch is on.
pub fn inode_of(watch: &Watch) -> Inode {
    (watch.device.0, watch.inode)
}

/// Seconds and nanoseconds since 1970.
pub type Time = (i64, i64);

/// A file as stat(2) tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Type and permissions.
    pub mode: u32,
    owner: (u32, u32),
    links: libc::nlink_t,
    size: i64,
    /// Its number.
    pub inode: u64,
    /// When it was read last, as far as that is kept.
    pub accessed: Time,
    /// When its content was changed last.
    pub modified: Time,
    changed: Time,
    /// When the inode was made, where that is known.
    born: Option<Time>,
}

/// The time of a change that may not be the last one.
const UNTOLD: Time = (0, 0);

impl State {
    /// Of an open file.
    ///
    /// # Errors
    /// The errno of fstat(2).
    pub fn of(file: BorrowedFd<'_>) -> io::Result<State> {
        Ok(State::from(&fstat(file)?))
    }

    /// Of an entry of a directory, which is not followed.
    ///
    /// # Errors
    /// The errno of statx(2).
    pub fn at(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<State> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let Ok(stat) = statx(
            dir,
            name,
            flags,
            StatxFlags::BASIC_STATS | StatxFlags::BTIME,
        ) else {
            // A seccomp profile may refuse that call.
            return Ok(State::from(&statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?));
        };
        let time = |time: rustix::fs::StatxTimestamp| (time.tv_sec, i64::from(time.tv_nsec));
        let has_birth = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
        Ok(State {
            mode: stat.stx_mode.into(),
            owner: (stat.stx_uid, stat.stx_gid),
            links: stat.stx_nlink.into(),
            size: stat.stx_size as i64,
            inode: stat.stx_ino,
            accessed: time(stat.stx_atime),
            modified: time(stat.stx_mtime),
            changed: time(stat.stx_ctime),
            born: has_birth.then(|| time(stat.stx_btime)),
        })
    }

    fn from(stat: &Stat) -> State {
        State {
            mode: stat.st_mode,
            owner: (stat.st_uid, stat.st_gid),
            links: stat.st_nlink,
            size: stat.st_size,
            inode: stat.st_ino,
            accessed: (stat.st_atime, stat.st_atime_nsec as i64),
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
            born: None,
        }
    }

    /// Of a name that came or went while its directory was muted: nobody knows whether that was heard.
    pub fn uncertain() -> State {
        State::default()
    }

    /// Whether it is that.
    pub fn is_uncertain(&self) -> bool {
        self.mode == 0
    }

    /// Where the time of birth says nothing.
    pub fn without_birth(self) -> State {
        State { born: None, ..self }
    }

    /// Whether it is the same file or directory. A file system may give the number of one that is gone to the next.
    pub fn is_same(&self, now: &State) -> bool {
        let born_apart = self.born.zip(now.born).is_some_and(|(was, is)| was != is);
        let of_a_kind = (self.mode ^ now.mode) & libc::S_IFMT == 0;
        self.inode == now.inode && of_a_kind && !born_apart
    }

    /// Whether nothing can have become of it: not even a change in the same tick of the clock ([`State::not_since`]).
    pub fn is_untouched(&self, now: &State) -> bool {
        (self.modified, self.changed) == (now.modified, now.changed)
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.is(libc::S_IFDIR)
    }

    /// Whether it has a content to be written to.
    pub fn is_regular(&self) -> bool {
        self.is(libc::S_IFREG)
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.is(libc::S_IFLNK)
    }

    fn is(&self, kind: u32) -> bool {
        self.mode & libc::S_IFMT == kind
    }

    /// Whether somebody may run it.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }

    /// Whether it has no name any more.
    pub fn is_unlinked(&self) -> bool {
        self.links == 0
    }

    /// Where it was changed at `time` or later, a change that follows may not show.
    pub fn not_since(mut self, time: Time) -> State {
        if self.changed >= time {
            self.changed = UNTOLD;
        }
        self
    }

    /// Who may do what with it.
    pub fn rights(&self) -> (u32, (u32, u32)) {
        (self.mode, self.owner)
    }

    /// What has become of the same inode.
    pub fn became(&self, now: &State) -> Became {
        let content = (self.modified, self.size) != (now.modified, now.size);
        let rights = (self.rights(), self.links) != (now.rights(), now.links);
        // What shows in that time alone: chmod and chown to what was there already, as `chown -R` does.
        let attributes = self.changed != now.changed && !content;
        let untold = self.changed == UNTOLD;
        Became {
            written: content || untold,
            attributes: rights || attributes && !untold,
            time_alone: !rights,
            names_alone: self.links != now.links && self.rights() == now.rights(),
        }
    }
}

/// What has become of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Became {
    /// It may have been written to.
    pub written: bool,
    /// Its permissions, its owner or its number of names were set.
    pub attributes: bool,
    /// None of these shows: they were set to what they were, or it was renamed.
    pub time_alone: bool,
    /// Only the last of them, as far as is known. Who watches the directory does not hear that (`fsnotify_link_count` of
    /// include/linux/fsnotify.h).
    pub names_alone: bool,
}

/// The times of changes this program has made itself: by inode, what stood there before, and since.
#[derive(Default)]
pub struct OwnChanges(HashMap<u64, (Time, Time)>);

impl OwnChanges {
    /// An entry that was `before` is now as it is.
    pub fn note(&mut self, before: &State, now: &State) {
        self.0.insert(before.inode, (before.changed, now.changed));
    }

    /// A state as it would be without them.
    pub fn take_out(&self, mut state: State) -> State {
        if let Some(&(before, since)) = self.0.get(&state.inode)
            && state.changed == since
        {
            state.changed = before;
        }
        state
    }
}

/// A line of text for a state.
pub fn write_state(text: &mut String, word: &str, state: &State, name: &[u8]) {
    let State {
        mode,
        owner: (user, group),
        links,
        size,
        inode,
        modified,
        changed,
        born,
        ..
    } = state;
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{word} {mode:o} {user} {group} {links} {size} {inode} {} {} {} {} {}",
        modified.0,
        modified.1,
        changed.0,
        changed.1,
        hex(name)
    );
    if let Some((seconds, nanoseconds)) = born {
        let _ = write!(text, " {seconds} {nanoseconds}");
    }
    text.push('\n');
}

/// Reads the words of [`write_state`] behind the first one.
pub fn read_state<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<(State, Vec<u8>)> {
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let owner = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let links = words.next()?.parse().ok()?;
    let size = words.next()?.parse().ok()?;
    let inode = words.next()?.parse().ok()?;
    let mut time = || Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?));
    let (modified, changed) = (time()?, time()?);
    let name = from_hex(words.next()?)?;
    let mut number = || words.next()?.parse().ok();
    let born = number().zip(number());
    let state = State {
        mode,
        owner,
        links,
        size,
        inode,
        accessed: modified,
        modified,
        changed,
        born,
    };
    Some((state, name))
}

/// Now, as file systems of this machine tell the time of a change: no later than that of any change to come
/// (`current_time` of fs/inode.c).
pub fn now() -> Time {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    (now.tv_sec, now.tv_nsec as i64)
}

/// Of a state, by an open file.
pub fn state_since<Fd: AsFd>(file: Fd, since: Time) -> io::Result<State> {
    Ok(State::of(file.as_fd())?.not_since(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_a_moment_before_is_taken_to_be_written_to() {
        let file = tempfile::tempfile().unwrap();
        let past = state_since(&file, (0, 0)).unwrap();
        let exact = state_since(&file, (i64::MAX, 0)).unwrap();
        let now = State::of(file.as_fd()).unwrap();
        assert!(past.became(&now).written && !past.became(&now).attributes);
        assert!(!exact.became(&now).written);
        file.set_permissions(file.metadata().unwrap().permissions())
            .unwrap();
        let then = exact.became(&State {
            changed: (i64::MAX, 0),
            ..now
        });
        assert!(!then.written && then.attributes);
    }

    #[test]
    fn a_state_is_read_back_as_it_was_written() {
        let file = tempfile::tempfile().unwrap();
        let state = State::of(file.as_fd()).unwrap();
        for born in [None, Some((1, 2))] {
            for name in [&b"a\n b"[..], b""] {
                let mut text = String::new();
                let state = State { born, ..state };
                write_state(&mut text, "name", &state, name);
                let mut words = text.trim_end_matches('\n').split(' ').skip(1);
                let read = State {
                    accessed: state.modified,
                    ..state
                };
                assert_eq!(read_state(&mut words), Some((read, name.to_vec())));
            }
        }
    }
}
