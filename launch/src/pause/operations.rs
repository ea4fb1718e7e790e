//! What raises one event on a file or directory, and leaves it as it is.
//!
//! Which event each call raises: fs/attr.c (`fsnotify_change`), fs/namei.c, fs/open.c; measured on ext4, tmpfs and overlayfs.

use super::state::{State, Time};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT, mkdirat, openat,
    readlinkat, renameat_with, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Where a file is.
#[derive(Clone, Copy)]
pub enum At<'a> {
    /// An entry of a directory.
    Entry(BorrowedFd<'a>, &'a [u8]),
    /// What was opened, whatever its name is by now.
    Open(BorrowedFd<'a>),
}

impl At<'_> {
    /// Its state now.
    ///
    /// # Errors
    /// It has gone.
    pub fn state(self) -> io::Result<State> {
        match self {
            At::Entry(dir, name) => State::at(dir, name),
            At::Open(file) => State::of(file),
        }
    }

    fn set_times(self, accessed: Timespec, modified: Timespec) -> io::Result<()> {
        let times = Timestamps {
            last_access: accessed,
            last_modification: modified,
        };
        match self {
            At::Entry(dir, name) => utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?,
            At::Open(file) => utimensat(CWD, link(file), &times, AtFlags::empty())?,
        }
        Ok(())
    }

    /// MODIFY: the time of the last write is set to what it is.
    ///
    /// # Errors
    /// EPERM where this user is not the owner.
    pub fn modify(self) -> io::Result<()> {
        let state = self.state()?;
        self.set_times(OMIT, timespec(state.modified))
    }

    /// ATTRIB: both times are set to what they are.
    ///
    /// # Errors
    /// The same.
    pub fn attrib(self) -> io::Result<()> {
        let state = self.state()?;
        self.set_times(timespec(state.accessed), timespec(state.modified))
    }

    /// CLOSE_WRITE, after OPEN: it is opened for writing and closed. Only a regular file is: a FIFO or a device would notice.
    ///
    /// # Errors
    /// ETXTBSY where it is being run, EACCES.
    pub fn close_write(self) -> io::Result<()> {
        if !self.state()?.is_regular() {
            return Ok(());
        }
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match self {
            At::Entry(dir, name) => openat(dir, name, flags | OFlags::NOFOLLOW, Mode::empty())?,
            At::Open(file) => openat(CWD, link(file), flags, Mode::empty())?,
        };
        Ok(())
    }
}

const OMIT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: UTIME_OMIT,
};

fn timespec((tv_sec, nanoseconds): Time) -> Timespec {
    Timespec {
        tv_sec,
        tv_nsec: nanoseconds as _,
    }
}

/// Leads to an open file.
fn link(file: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// DELETE (with CREATE before) for a name that is gone: it is made and removed.
///
/// # Errors
/// EEXIST where it is there again, EACCES.
pub fn made_and_removed(dir: BorrowedFd<'_>, name: &[u8], is_dir: bool) -> io::Result<()> {
    make_stand_in(dir, name, is_dir)?;
    remove_entry(dir, name, is_dir)
}

/// Where a symbolic link leads that stands for a name that is gone: no other one does.
const STAND_IN: &str = ".watchfix-pause-stand-in";

/// The mode of a directory that does. Who makes one for everybody gives it the sticky bit; alone with it is no other one.
const STAND_IN_MODE: Mode = Mode::RWXU.union(Mode::SVTX);

/// Makes what stands for a name that is gone.
///
/// # Errors
/// EEXIST, EACCES.
pub fn make_stand_in(dir: BorrowedFd<'_>, name: &[u8], is_dir: bool) -> io::Result<()> {
    match is_dir {
        true => mkdirat(dir, name, STAND_IN_MODE)?,
        false => symlinkat(STAND_IN, dir, name)?,
    }
    Ok(())
}

/// Whether an entry stands for a name that is gone: who made it was killed before it was removed.
pub fn is_stand_in(dir: BorrowedFd<'_>, name: &[u8], state: &State) -> bool {
    if state.is_dir() {
        // The umask takes bits away, a directory above with the set-group-ID bit gives that one.
        let others = Mode::RWXG | Mode::RWXO | Mode::SUID | Mode::SVTX;
        return state.mode & others.bits() == Mode::SVTX.bits();
    }
    state.is_link()
        && readlinkat(dir, name, Vec::new())
            .is_ok_and(|link| link.as_bytes() == STAND_IN.as_bytes())
}

/// Removes an entry: of a directory, one that is empty.
///
/// # Errors
/// The errno of unlinkat(2).
pub fn remove_entry(dir: BorrowedFd<'_>, name: &[u8], is_dir: bool) -> io::Result<()> {
    let flags = match is_dir {
        true => AtFlags::REMOVEDIR,
        false => AtFlags::empty(),
    };
    Ok(unlinkat(dir, name, flags)?)
}

/// Makes what stands in an entry's place while it is aside: a symbolic link, which leads to where it is then (`way`, from
/// its directory on). Whoever opens its path still finds it.
///
/// # Errors
/// The errno of symlinkat(2).
pub fn make_place_holder(aside: BorrowedFd<'_>, number: &str, way: &[u8]) -> io::Result<()> {
    Ok(symlinkat(way, aside, number)?)
}

/// The first half of MOVED_TO for an entry: it changes places with `aside/number`, its [place holder](make_place_holder).
///
/// # Errors
/// EINVAL where the file system exchanges nothing (NFS); EXDEV, EBUSY for a mount point; EACCES.
pub fn lend(
    (dir, name): (BorrowedFd<'_>, &[u8]),
    (aside, number): (BorrowedFd<'_>, &str),
) -> io::Result<()> {
    let flags = RenameFlags::EXCHANGE;
    Ok(renameat_with(dir, name, aside, number, flags)?)
}

/// The second half: it comes back to its name, and the place holder stays aside. What somebody else has put there
/// meanwhile stays. To who is not muted the return is the last of the four events (`vfs_rename` of fs/namei.c tells of the
/// exchange's first path first).
///
/// # Errors
/// The errno of renameat2(2); the entry is then still aside.
pub fn give_back(
    (dir, name): (BorrowedFd<'_>, &[u8]),
    (aside, number): (BorrowedFd<'_>, &str),
    way: &[u8],
) -> io::Result<()> {
    match renameat_with(dir, name, aside, number, RenameFlags::EXCHANGE) {
        // Somebody has removed the symbolic link: nothing of the entry's content goes with it.
        Err(Errno::NOENT) => {
            return Ok(renameat_with(
                aside,
                number,
                dir,
                name,
                RenameFlags::NOREPLACE,
            )?);
        }
        exchanged => exchanged?,
    }
    if readlinkat(aside, number, Vec::new()).is_ok_and(|link| link.as_bytes() == way) {
        return Ok(());
    }
    // Somebody has put something in its place, as over the entry itself.
    renameat_with(dir, name, aside, number, RenameFlags::EXCHANGE)?;
    unlinkat(aside, number, AtFlags::empty())
        .or_else(|_| unlinkat(aside, number, AtFlags::REMOVEDIR))?;
    Ok(())
}

/// MOVED_FROM for a name that is gone, where the second half runs: a symbolic link comes from aside, and goes back.
///
/// # Errors
/// EEXIST where it is there again, EACCES.
pub fn put_in(
    (dir, name): (BorrowedFd<'_>, &[u8]),
    (aside, number): (BorrowedFd<'_>, &str),
    is_dir: bool,
) -> io::Result<()> {
    make_stand_in(aside, number.as_bytes(), is_dir)?;
    let put = renameat_with(aside, number, dir, name, RenameFlags::NOREPLACE);
    if put.is_err() {
        remove_entry(aside, number.as_bytes(), is_dir)?;
    }
    Ok(put?)
}

/// The second half of [`put_in`].
///
/// # Errors
/// The errno of renameat2(2) or unlinkat(2).
pub fn take_out(
    (dir, name): (BorrowedFd<'_>, &[u8]),
    (aside, number): (BorrowedFd<'_>, &str),
    is_dir: bool,
) -> io::Result<()> {
    renameat_with(dir, name, aside, number, RenameFlags::empty())?;
    remove_entry(aside, number.as_bytes(), is_dir)
}

/// Puts a directory's times back to what they were.
///
/// # Errors
/// EPERM where this user is not the owner.
pub fn put_times_back<Fd: AsFd>(dir: Fd, state: &State) -> io::Result<()> {
    At::Open(dir.as_fd()).set_times(timespec(state.accessed), timespec(state.modified))
}
