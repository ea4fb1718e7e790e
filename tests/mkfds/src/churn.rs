//! A process whose descriptors change while it is being looked at.

use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use crate::Outcome;
use crate::inotify::Instance;
use crate::report::{self, Report};

/// Changes everything at once until standard input is closed.
pub fn hold(mut report: Report, dir: &Path) -> Outcome {
    let stop = AtomicBool::new(false);
    let rounds: [fn(&Path) -> Outcome; 4] = [kinds, watches, instances, forks];
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
