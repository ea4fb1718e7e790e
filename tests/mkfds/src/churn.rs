//! A process whose descriptors change while it is being looked at.
//!
//! What changes says what it is: file N has N KiB and lies in directory N, watch N asks for a mask of its
//! own. A descriptor that is shown with another's data shows.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use crate::inotify::Instance;
use crate::report::{self, Outcome, Report};
use crate::sqlite;

/// Files that say by their size which they are.
const IDENTITIES: usize = 16;
/// The numbers they are opened at: no other worker gets that high.
const NUMBERS: std::ops::Range<RawFd> = 500..508;

/// Changes everything at once until standard input is closed.
pub fn hold(mut report: Report, dir: &Path) -> Outcome {
    for n in 0..IDENTITIES {
        make_identity(dir, n)?;
    }
    let stop = AtomicBool::new(false);
    let rounds: [fn(&Path) -> Outcome; 7] = [
        kinds, watches, instances, forks, programs, identities, databases,
    ];
    std::thread::scope(|scope| {
        let (started, first_rounds) = channel();
        let workers: Vec<_> = rounds
            .into_iter()
            .map(|round| {
                let (started, stop) = (started.clone(), &stop);
                scope.spawn(move || work(dir, round, started, stop))
            })
            .collect();
        drop(started);
        // Ready means that every worker has done one whole round; a failed one hangs up instead.
        let all = first_rounds.iter().take(rounds.len()).count() == rounds.len();
        let held = if all {
            report.ready().and_then(|()| report::wait_for_end())
        } else {
            Ok(())
        };
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker
                .join()
                .unwrap_or_else(|_| Err("A worker panicked.".into()))?;
        }
        held
    })
}

fn work(
    dir: &Path,
    round: fn(&Path) -> Outcome,
    started: Sender<()>,
    stop: &AtomicBool,
) -> Outcome {
    round(dir)?;
    // The receiver lives until every worker has said this.
    let _ = started.send(());
    drop(started);
    while !stop.load(Ordering::Relaxed) {
        round(dir)?;
    }
    Ok(())
}

/// The same low numbers are a file, a pipe and a socket in turn.
fn kinds(dir: &Path) -> Outcome {
    let say = |e: io::Error| format!("A descriptor cannot be opened: {e}.");
    let files: Vec<File> = (0..8)
        .map(|_| File::open(dir))
        .collect::<Result<_, _>>()
        .map_err(say)?;
    drop(files);
    let pipe = io::pipe().map_err(say)?;
    let log = dir.join("churn.log");
    let file = File::create(&log).map_err(say)?;
    fs::remove_file(&log).map_err(say)?;
    drop(pipe);
    let sockets = UnixStream::pair().map_err(say)?;
    drop(file);
    drop(sockets);
    Ok(())
}

/// Watches come and go, some of them on directories that do.
fn watches(dir: &Path) -> Outcome {
    let instance = Instance::new()?;
    for i in 0..32 {
        let path = dir.join(format!("w{i}"));
        fs::create_dir(&path).map_err(|e| format!("{} cannot be made: {e}.", path.display()))?;
        let wd = instance.watch(&path, 0x3ee)?;
        if i % 2 == 0 {
            instance.unwatch(wd)?;
        }
        fs::remove_dir(&path).map_err(|e| format!("{} cannot be removed: {e}.", path.display()))?;
    }
    Ok(())
}

/// Whole instances come and go at the same number.
fn instances(dir: &Path) -> Outcome {
    for _ in 0..8 {
        let instance = Instance::new()?;
        instance.watch(dir, 0x3ee)?;
        let _second = instance.dup()?;
    }
    Ok(())
}

/// File `n`: its size says which it is.
fn identity(dir: &Path, n: usize) -> PathBuf {
    dir.join(format!("identity{n}")).join(format!("file{n}"))
}

fn make_identity(dir: &Path, n: usize) -> Outcome {
    let path = identity(dir, n);
    let say = |e: io::Error| format!("{} cannot be made: {e}.", path.display());
    let home = path.parent().unwrap_or(dir);
    // The one before a program became itself again has made it.
    fs::create_dir_all(home).map_err(say)?;
    fs::write(&path, vec![b'x'; n * 1024]).map_err(say)
}

/// Opens file `n` at a number that is never closed in between.
fn become_identity(dir: &Path, n: usize, fd: RawFd) -> Outcome {
    let path = identity(dir, n);
    let file = File::open(&path).map_err(|e| format!("{} is gone: {e}.", path.display()))?;
    // SAFETY: dup2 takes two integers; `fd` is this worker's own.
    if unsafe { libc::dup2(file.as_raw_fd(), fd) } < 0 {
        return Err(format!("dup2 failed: {}.", io::Error::last_os_error()));
    }
    Ok(())
}

/// The same numbers stand for one file after the other.
fn identities(dir: &Path) -> Outcome {
    for n in 0..IDENTITIES {
        for fd in NUMBERS {
            become_identity(dir, n, fd)?;
        }
    }
    Ok(())
}

/// Databases come and go, with their side files, at whatever number is free.
fn databases(dir: &Path) -> Outcome {
    for n in 1..4u32 {
        let database = dir.join(format!("state{n}.db"));
        let connection = sqlite::open(&database)?;
        // The page size says which it is.
        connection
            .execute_batch(&format!(
                "PRAGMA page_size = {}; PRAGMA journal_mode = wal; PRAGMA synchronous = off; \
                 CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1); SELECT * FROM t",
                512 << n
            ))
            .map_err(|e| sqlite::failed("cannot be written", &database, &e))?;
    }
    Ok(())
}

/// Children that become another program and end.
fn programs(_dir: &Path) -> Outcome {
    Command::new("/bin/true")
        .status()
        .map(drop)
        .map_err(|e| format!("/bin/true does not start: {e}."))
}

/// Becomes itself again and again, each time with another file open, until standard input is closed.
pub fn hold_exec(dir: &Path, step: usize) -> Outcome {
    if step == 0 {
        let mut report = Report::start()?;
        for n in 0..IDENTITIES {
            make_identity(dir, n)?;
        }
        report.ready()?;
    }
    for fd in NUMBERS {
        become_identity(dir, step % IDENTITIES, fd)?;
    }
    if report::has_ended() {
        return Ok(());
    }
    let own = std::env::current_exe().map_err(|e| format!("This program has no name: {e}."))?;
    let step = (step + 1).to_string();
    let failed = Command::new(own)
        .args(["exec-churn", "--step", &step, "--dir"])
        .arg(dir)
        .exec();
    Err(format!("exec failed: {failed}."))
}

/// Children that end at once.
fn forks(_dir: &Path) -> Outcome {
    // SAFETY: the child calls nothing but _exit, which is safe in a fork of a threaded process.
    let pid = match unsafe { libc::fork() } {
        -1 => return Err(format!("fork failed: {}.", io::Error::last_os_error())),
        // SAFETY: _exit takes no pointer.
        0 => unsafe { libc::_exit(0) },
        pid => pid,
    };
    let mut status = 0;
    // SAFETY: the child is ours and not reaped; `status` is a valid int.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    Ok(())
}
