//! States made of descriptors, and the limits on them.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::inotify::Instance;
use crate::report::{Outcome, Report};

/// The number of this process's open descriptors, without the one that counts them.
pub fn open_count() -> Result<u64, String> {
    let entries =
        fs::read_dir("/proc/self/fd").map_err(|e| format!("/proc/self/fd cannot be read: {e}."))?;
    Ok(entries.count() as u64 - 1)
}

/// The inode number of an open file.
pub fn inode(file: &File) -> Result<u64, String> {
    file.metadata()
        .map(|m| m.ino())
        .map_err(|e| format!("An open file has no metadata: {e}."))
}

fn nofile() -> Result<libc::rlimit, String> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid rlimit the kernel fills in.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(format!(
            "RLIMIT_NOFILE cannot be read: {}.",
            io::Error::last_os_error()
        ));
    }
    Ok(limit)
}

fn set_nofile(limit: libc::rlimit) -> Outcome {
    // SAFETY: `limit` is a valid rlimit that outlives the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(format!(
            "RLIMIT_NOFILE cannot be set to {} (hard {}): {}.",
            limit.rlim_cur,
            limit.rlim_max,
            io::Error::last_os_error()
        ));
    }
    Ok(())
}

/// Sets the soft limit.
pub fn set_soft_limit(limit: u64) -> Outcome {
    let mut now = nofile()?;
    now.rlim_cur = limit;
    set_nofile(now)
}

/// Raises the limits, where they are too low, so that `more` descriptors can be opened.
pub fn allow_open(more: u64) -> Outcome {
    // Room for what the program opens on the way: directories, pipes, SQLite's journals.
    let need = open_count()? + more + 16;
    let mut limit = nofile()?;
    if limit.rlim_cur >= need {
        return Ok(());
    }
    limit.rlim_cur = need;
    // Above the hard limit only root gets, and no one beyond fs.nr_open: the kernel's answer says so.
    limit.rlim_max = limit.rlim_max.max(need);
    set_nofile(limit)
}

/// `count` descriptors of one file.
pub fn hold_descriptors(mut report: Report, dir: &Path, count: usize) -> Outcome {
    allow_open(count as u64)?;
    let path = dir.join("many");
    fs::write(&path, b"").map_err(|e| format!("{} cannot be made: {e}.", path.display()))?;
    let held: Vec<File> = (0..count)
        .map(|_| {
            File::open(&path).map_err(|e| format!("{} cannot be opened: {e}.", path.display()))
        })
        .collect::<Result<_, _>>()?;
    report.path("path", &path)?;
    report.fact("held", held.len())?;
    report.fact("open", open_count()?)?;
    report.hold()
}

/// A soft limit of `limit` and exactly `open` open descriptors.
pub fn hold_near_limit(mut report: Report, limit: u64, open: u64) -> Outcome {
    let mut now = nofile()?;
    now.rlim_cur = limit;
    set_nofile(now)?;
    let before = open_count()?;
    let Some(missing) = open.checked_sub(before) else {
        return Err(format!(
            "{before} descriptors are open already, more than {open}."
        ));
    };
    let held: Vec<File> = (0..missing)
        .map(|_| File::open("/dev/null").map_err(|e| format!("/dev/null cannot be opened: {e}.")))
        .collect::<Result<_, _>>()?;
    report.fact("soft_limit", limit)?;
    report.fact("hard_limit", now.rlim_max)?;
    // Counting takes one descriptor more, and at 100 % there is none.
    report.fact("open", before + held.len() as u64)?;
    report.hold()
}

fn owned(fd: RawFd, what: &str) -> Result<OwnedFd, String> {
    if fd < 0 {
        return Err(format!(
            "{what} cannot be made: {}.",
            io::Error::last_os_error()
        ));
    }
    // SAFETY: the kernel just returned this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub fn eventfd() -> Result<OwnedFd, String> {
    // SAFETY: eventfd takes no pointer.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) }, "An eventfd")
}

pub fn epoll() -> Result<OwnedFd, String> {
    // SAFETY: epoll_create1 takes no pointer.
    owned(
        unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) },
        "An epoll descriptor",
    )
}

pub fn timerfd() -> Result<OwnedFd, String> {
    owned(
        // SAFETY: timerfd_create takes no pointer.
        unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) },
        "A timerfd",
    )
}

pub fn memfd() -> Result<OwnedFd, String> {
    owned(
        // SAFETY: the name is a C string literal.
        unsafe { libc::memfd_create(c"mkfds".as_ptr(), libc::MFD_CLOEXEC) },
        "A memfd",
    )
}

pub fn pidfd() -> Result<OwnedFd, String> {
    let me = std::process::id() as libc::pid_t;
    // SAFETY: pidfd_open takes a pid and flags, no pointer.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, me, 0) };
    owned(fd as RawFd, "A pidfd")
}

/// One descriptor of each common kind.
pub fn hold_kinds(mut report: Report, dir: &Path) -> Outcome {
    let say = |what: &str, e: io::Error| format!("{what} cannot be opened: {e}.");
    let path = dir.join("file");
    let file = File::create(&path).map_err(|e| say("A file", e))?;
    let directory = File::open(dir).map_err(|e| say("A directory", e))?;
    let device = File::open("/dev/zero").map_err(|e| say("/dev/zero", e))?;
    let (reader, writer) = io::pipe().map_err(|e| say("A pipe", e))?;
    let (left, right) = UnixStream::pair().map_err(|e| say("A socket pair", e))?;
    let listener = UnixListener::bind(dir.join("socket")).map_err(|e| say("A socket", e))?;
    let anonymous = [eventfd()?, epoll()?, timerfd()?, memfd()?, pidfd()?];
    let instance = Instance::new()?;
    let held: Vec<RawFd> = [
        file.as_raw_fd(),
        directory.as_raw_fd(),
        device.as_raw_fd(),
        reader.as_raw_fd(),
        writer.as_raw_fd(),
        left.as_raw_fd(),
        right.as_raw_fd(),
        listener.as_raw_fd(),
        instance.fd(),
    ]
    .into_iter()
    .chain(anonymous.iter().map(AsRawFd::as_raw_fd))
    .collect();
    report.fact("held", held.len())?;
    report.fact("open", open_count()?)?;
    report.hold()
}
