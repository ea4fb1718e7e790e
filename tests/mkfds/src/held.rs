//! Files held open: many of one pattern, files without a name, locked files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use clap::ValueEnum;

use crate::files::allow_open;
use crate::report::{Outcome, Report};

/// How a file comes to have no name.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Nameless {
    /// It had one.
    Deleted,
    /// It still has one.
    Kept,
    /// It never had one (O_TMPFILE).
    Tmpfile,
    /// It is memory (memfd_create).
    Memfd,
}

/// Which lock is taken.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lock {
    /// flock(2).
    Flock,
    /// fcntl(2), F_SETLK.
    Posix,
    /// fcntl(2), F_OFD_SETLK.
    Ofd,
}

/// `count` files named `N.extension`.
pub fn hold_pattern(
    mut report: Report,
    dir: &Path,
    count: usize,
    extension: &str,
    spread: bool,
) -> Outcome {
    allow_open(count as u64)?;
    let mut held = Vec::with_capacity(count);
    for n in 0..count {
        let place = if spread {
            dir.join(n.to_string())
        } else {
            dir.to_owned()
        };
        let path = place.join(format!("session{n}.{extension}"));
        let made = fs::create_dir_all(&place).and_then(|()| File::create(&path));
        held.push(made.map_err(|e| format!("{} cannot be made: {e}.", path.display()))?);
    }
    report.fact("held", held.len())?;
    report.hold()
}

/// A file of `megabytes` that is held twice, with or without a name.
pub fn hold_nameless(mut report: Report, dir: &Path, megabytes: u64, how: Nameless) -> Outcome {
    let path = dir.join("server.log");
    let say = |e: io::Error| format!("{} cannot be written: {e}.", path.display());
    let mut file = match how {
        Nameless::Deleted | Nameless::Kept => File::create(&path).map_err(say)?,
        Nameless::Tmpfile => File::options()
            .write(true)
            .custom_flags(libc::O_TMPFILE)
            .open(dir)
            .map_err(say)?,
        Nameless::Memfd => memfd()?,
    };
    for _ in 0..megabytes {
        file.write_all(&[b'x'; 1 << 20]).map_err(say)?;
    }
    // Space that is only promised is not counted in st_blocks on every file system.
    file.sync_all().map_err(say)?;
    let _second = file.try_clone().map_err(say)?;
    if how == Nameless::Deleted {
        fs::remove_file(&path).map_err(say)?;
    }
    report.path("path", &path)?;
    report.fact("bytes", megabytes << 20)?;
    report.hold()
}

fn memfd() -> Result<File, String> {
    // SAFETY: the name is a C string literal.
    let fd = unsafe { libc::memfd_create(c"held".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(format!(
            "A memfd cannot be made: {}.",
            io::Error::last_os_error()
        ));
    }
    // SAFETY: the kernel just returned this descriptor to us alone.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// `DIR/held.lock` under one kind of lock.
pub fn hold_lock(mut report: Report, dir: &Path, kind: Lock) -> Outcome {
    let path = dir.join("held.lock");
    let file =
        File::create(&path).map_err(|e| format!("{} cannot be made: {e}.", path.display()))?;
    let fd = file.as_raw_fd();
    // SAFETY: a zeroed struct flock is valid; l_pid must be 0 for open file descriptions.
    let mut whole: libc::flock = unsafe { std::mem::zeroed() };
    whole.l_type = libc::F_WRLCK as libc::c_short;
    whole.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: `fd` is open, and `whole` lives through the call.
    let done = unsafe {
        match kind {
            Lock::Flock => libc::flock(fd, libc::LOCK_EX | libc::LOCK_NB),
            Lock::Posix => libc::fcntl(fd, libc::F_SETLK, &raw const whole),
            Lock::Ofd => libc::fcntl(fd, libc::F_OFD_SETLK, &raw const whole),
        }
    };
    if done != 0 {
        return Err(format!(
            "{} cannot be locked: {}.",
            path.display(),
            io::Error::last_os_error()
        ));
    }
    report.path("path", &path)?;
    report.hold()
}
