//! Children: one that shares the descriptors, one that has ended and is not reaped, one that is measured.

use std::ffi::OsString;
use std::io::{self, PipeWriter, Read};
use std::process::{Command, ExitCode};

use crate::report::{Outcome, Report};

/// A forked child that holds everything its parent held and ends when this is dropped.
pub struct Child {
    pid: libc::pid_t,
    // The child reads the other end: it ends with its parent, however that ends.
    life: Option<PipeWriter>,
}

impl Child {
    /// Its PID.
    pub fn pid(&self) -> libc::pid_t {
        self.pid
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.life = None;
        let mut status = 0;
        // SAFETY: the child is ours and not reaped; `status` is a valid int.
        unsafe { libc::waitpid(self.pid, &mut status, 0) };
    }
}

/// Forks a child that waits. Only for programs with a single thread.
pub fn fork_and_wait() -> Result<Child, String> {
    let (mut reader, writer) = io::pipe().map_err(|e| format!("A pipe cannot be made: {e}."))?;
    // SAFETY: this process has one thread, so the child may go on as a whole program.
    match unsafe { libc::fork() } {
        -1 => Err(format!("fork failed: {}.", io::Error::last_os_error())),
        0 => {
            drop(writer);
            let _ = reader.read(&mut [0]);
            // SAFETY: _exit takes no pointer; nothing of the parent's is flushed twice.
            unsafe { libc::_exit(0) }
        }
        pid => Ok(Child {
            pid,
            life: Some(writer),
        }),
    }
}

/// A child that ended at once; it stays a zombie until this process ends.
pub fn hold_zombie(mut report: Report) -> Outcome {
    // SAFETY: this process has one thread; the child does nothing but end.
    let pid = match unsafe { libc::fork() } {
        -1 => return Err(format!("fork failed: {}.", io::Error::last_os_error())),
        // SAFETY: _exit takes no pointer.
        0 => unsafe { libc::_exit(0) },
        pid => pid,
    };
    // WNOWAIT: wait until it has ended and leave it there.
    // SAFETY: a zeroed siginfo_t is valid and is filled in by the kernel.
    let ended = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(
            libc::P_PID,
            pid.unsigned_abs(),
            &mut info,
            libc::WEXITED | libc::WNOWAIT,
        )
    };
    if ended != 0 {
        return Err(format!("waitid failed: {}.", io::Error::last_os_error()));
    }
    report.fact("zombie", pid)?;
    report.hold()
}

/// A process whose /proc entries belong to root, whoever runs it (prctl(2), PR_SET_DUMPABLE).
pub fn hold_undumpable(mut report: Report) -> Outcome {
    // SAFETY: PR_SET_DUMPABLE takes no pointer.
    if unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) } != 0 {
        return Err(format!(
            "The process stays dumpable: {}.",
            io::Error::last_os_error()
        ));
    }
    report.hold()
}

/// Runs `command`, prints the peak of its resident memory in KiB and returns its status.
pub fn measure(command: &[OsString]) -> Result<ExitCode, String> {
    let [program, args @ ..] = command else {
        return Err("A command is needed.".into());
    };
    let status = Command::new(program)
        .args(args)
        .status()
        .map_err(|e| format!("{} cannot be run: {e}.", program.display()))?;
    // SAFETY: a zeroed rusage is valid and is filled in by the kernel.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    eprintln!("peak_kib={}", usage.ru_maxrss);
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
