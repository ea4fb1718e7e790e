//! States made of watches.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::inotify::{Instance, Target};
use crate::report::{Outcome, Report};
use crate::{files, processes};

/// Makes `count` directories below `dir` and returns their paths in the order they were made.
pub fn make_directories(dir: &Path, count: usize) -> Result<Vec<PathBuf>, String> {
    (0..count)
        .map(|i| {
            let path = dir.join(format!("d{i:06}"));
            // Another fixture of the same test may have made it.
            match fs::create_dir(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                    Err(cannot_make(&path, &e))
                }
                _ => Ok(path),
            }
        })
        .collect()
}

/// Makes `tops` directories below `dir` and `each` in each of those; returns all, `dir` first, level by level.
pub fn make_tree(dir: PathBuf, tops: usize, each: usize) -> Result<Vec<PathBuf>, String> {
    let tops = make_directories(&dir, tops)?;
    let mut all = vec![dir];
    all.extend_from_slice(&tops);
    for top in &tops {
        all.extend(make_directories(top, each)?);
    }
    Ok(all)
}

/// As [`make_directories`], with regular files.
pub fn make_files(dir: &Path, count: usize) -> Result<Vec<PathBuf>, String> {
    (0..count)
        .map(|i| {
            let path = dir.join(format!("f{i:06}"));
            fs::write(&path, b"").map_err(|e| cannot_make(&path, &e))?;
            Ok(path)
        })
        .collect()
}

fn cannot_make(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be made: {error}.", path.display())
}

/// One instance that watches `paths`; watch I has the mask I modulo their number.
pub fn hold_one(mut report: Report, paths: &[PathBuf], masks: &[u32]) -> Outcome {
    let instance = Instance::new()?;
    let mut last = 0;
    for (path, mask) in paths.iter().zip(masks.iter().cycle()) {
        last = instance.watch(path, *mask)?;
    }
    report.fact("fd", instance.fd())?;
    report.fact("last_wd", last)?;
    report.hold_watching(&instance)
}

/// What is unusual about the process a watching thread belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Of {
    /// The thread has descriptors of its own; the main thread has other watches.
    OwnTable,
    /// The main thread has ended.
    NoMain,
}

/// As [`hold_one`], in a thread that is not the main one.
pub fn hold_in_thread(report: Report, paths: Vec<PathBuf>, masks: Vec<u32>, of: Of) -> Outcome {
    let mains = Instance::new()?;
    if of == Of::OwnTable {
        mains.watch(Path::new("/"), libc::IN_DELETE_SELF)?;
    }
    let thread = std::thread::spawn(move || {
        if of == Of::OwnTable {
            // SAFETY: unshare takes an integer; the copies of all descriptors stay valid.
            if unsafe { libc::unshare(libc::CLONE_FILES) } != 0 {
                return Err(format!("unshare: {}", std::io::Error::last_os_error()));
            }
        }
        // It says that it is ready when it is what it was asked to be.
        while of == Of::NoMain && !main_has_ended() {
            std::thread::yield_now();
        }
        hold_one(report, &paths, &masks)
    });
    if of == Of::NoMain {
        // SAFETY: exit(2), not _exit: it ends this thread alone, and nothing it has is dropped.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
    let done = thread.join();
    done.map_err(|_| "The watching thread panicked.".to_owned())?
}

/// Whether the main thread is a zombie (field 3 of proc_pid_stat(5), behind the name).
fn main_has_ended() -> bool {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| rest.starts_with('Z'))
}

/// `count` instances, each of which watches all of `paths`, as long as `total` is not reached.
pub fn hold_many(
    mut report: Report,
    count: usize,
    paths: &[PathBuf],
    total: Option<usize>,
    mask: u32,
    dup: bool,
    fork: bool,
) -> Outcome {
    files::allow_open(count as u64 * 2)?;
    let mut held = Vec::with_capacity(count);
    let mut left = total.unwrap_or(usize::MAX);
    for _ in 0..count {
        let instance = Instance::new()?;
        for path in paths.iter().take(left) {
            instance.watch(path, mask)?;
        }
        left -= paths.len().min(left);
        held.push(instance);
    }
    if dup {
        let copies: Vec<Instance> = held.iter().map(Instance::dup).collect::<Result<_, _>>()?;
        held.extend(copies);
    }
    let child = if fork {
        Some(processes::fork_and_wait()?)
    } else {
        None
    };
    for instance in &held {
        report.fact("fd", instance.fd())?;
    }
    if let Some(total) = total {
        report.fact("watches", total - left)?;
    }
    if let Some(child) = &child {
        report.fact("child", child.pid())?;
    }
    report.hold()
}

/// One instance at two descriptors.
pub fn hold_dup(mut report: Report, dir: &Path, mask: u32) -> Outcome {
    let first = Instance::new()?;
    let wd = first.watch(dir, mask)?;
    let second = first.dup()?;
    report.fact("fd", first.fd())?;
    report.fact("fd", second.fd())?;
    report.fact("wd", wd)?;
    report.hold()
}

/// A watch whose directory has no name any more. The kernel keeps the watch as long as something holds
/// the inode: here an open descriptor.
pub fn hold_deleted(mut report: Report, dir: &Path, mask: u32) -> Outcome {
    let gone = dir.join("gone");
    fs::create_dir(&gone).map_err(|e| cannot_make(&gone, &e))?;
    let holder =
        File::open(&gone).map_err(|e| format!("{} cannot be opened: {e}.", gone.display()))?;
    let instance = Instance::new()?;
    let wd = instance.watch(&gone, mask)?;
    fs::remove_dir(&gone).map_err(|e| format!("{} cannot be removed: {e}.", gone.display()))?;
    report.path("path", &gone)?;
    report.fact("inode", files::inode(&holder)?)?;
    report.fact("fd", instance.fd())?;
    report.fact("wd", wd)?;
    report.hold()
}

/// A log file held open while it, or its directory, is watched.
pub fn hold_self_watch(
    mut report: Report,
    dir: &Path,
    mask: u32,
    on: Target,
    read_only: bool,
    elsewhere: bool,
) -> Outcome {
    let home = if elsewhere {
        let sub = dir.join("sub");
        fs::create_dir(&sub).map_err(|e| cannot_make(&sub, &e))?;
        sub
    } else {
        dir.to_owned()
    };
    let path = home.join("app.log");
    fs::write(&path, b"started\n").map_err(|e| cannot_make(&path, &e))?;
    let log = OpenOptions::new()
        .read(read_only)
        .append(!read_only)
        .open(&path)
        .map_err(|e| format!("{} cannot be opened: {e}.", path.display()))?;
    let watched = match on {
        Target::Directory => dir,
        Target::File => &path,
        Target::Wal => {
            return Err("A log file has no -wal: use --on directory or --on file.".into());
        }
    };
    let instance = Instance::new()?;
    let wd = instance.watch(watched, mask)?;
    report.path("log", &path)?;
    report.path("watched", watched)?;
    report.fact("inode", files::inode(&log)?)?;
    report.fact("wd", wd)?;
    report.hold_watching(&instance)
}
