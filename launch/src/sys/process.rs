//! Making processes, waiting for them, and letting go of what they inherited.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Which of two a process is after [`fork`].
pub enum Fork {
    /// The one that was made.
    Child,
    /// The one that made it: the child's PID.
    Parent(u32),
}

/// Splits this process in two.
///
/// # Errors
/// EAGAIN where no more processes are allowed.
pub fn fork() -> io::Result<Fork> {
    // SAFETY: only a supervisor has other threads. What its child does takes no lock that one of them may have held, but
    // the allocator's, which C libraries keep usable (fork(2); musl since 1.2.2).
    let pid = check(unsafe { libc::fork() }.into())?;
    Ok(match u32::try_from(pid) {
        Ok(0) | Err(_) => Fork::Child,
        Ok(pid) => Fork::Parent(pid),
    })
}

/// What has become of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has ended with this status.
    Exited(i32),
    /// A signal has ended it.
    Killed(i32),
    /// A signal has stopped it.
    Stopped(i32),
    /// It goes on.
    Continued,
}

/// A child something has become of, if there is one. With `wait`, until there is.
///
/// # Errors
/// ECHILD when no child is left, which for a subreaper means: no descendant.
pub fn changed_child(wait: bool) -> io::Result<Option<(u32, Change)>> {
    let mut status = 0;
    let how = if wait { 0 } else { libc::WNOHANG } | libc::WUNTRACED | libc::WCONTINUED;
    // SAFETY: the kernel writes one int.
    let pid = check(unsafe { libc::waitpid(-1, &raw mut status, how) }.into())?;
    let change = if libc::WIFEXITED(status) {
        Change::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Change::Killed(libc::WTERMSIG(status))
    } else if libc::WIFSTOPPED(status) {
        Change::Stopped(libc::WSTOPSIG(status))
    } else {
        Change::Continued
    };
    let pid = u32::try_from(pid).ok().filter(|&pid| pid > 0);
    Ok(pid.map(|pid| (pid, change)))
}

/// Orphaned descendants become children of this process (prctl(2), PR_SET_CHILD_SUBREAPER).
pub fn adopt_orphans() {
    // SAFETY: integers only.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

/// Whether this process leads its session.
pub fn leads_session() -> bool {
    // SAFETY: integers only.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// Lets go of the terminal, the current directory, the three standard streams, and every descriptor but `kept`: whoever
/// waits for a pipe to be closed must not wait for this process.
pub fn detach(kept: &[BorrowedFd<'_>]) {
    // SAFETY: setsid has no memory effects; it fails where this process leads a group, and then goes on in it.
    unsafe { libc::setsid() };
    let_go(kept);
}

/// As [`detach`], in the same session.
pub fn let_go(kept: &[BorrowedFd<'_>]) {
    // SAFETY: C strings, and numbers nobody owns: the standard streams. What is closed below is in use nowhere, as
    // the caller names all that is.
    unsafe {
        libc::chdir(c"/".as_ptr());
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        for stream in 0..=2 {
            if null < 0 {
                libc::close(stream);
            } else if null != stream {
                libc::dup2(null, stream);
            }
        }
    }
    let mut kept: Vec<u32> = kept
        .iter()
        .filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok())
        .collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept {
        if fd > first {
            close_range(first, fd - 1);
        }
        first = first.max(fd + 1);
    }
    close_range(first, u32::MAX);
}

/// Makes /proc/self/fd the current directory.
///
/// # Errors
/// There is no /proc.
pub fn enter_descriptors() -> io::Result<()> {
    // SAFETY: a C string.
    check(unsafe { libc::chdir(c"/proc/self/fd".as_ptr()) }.into())?;
    Ok(())
}

/// Makes `descriptor` one of /dev/null, in one step, for all threads: what standard input is after [`detach`].
pub fn make_null(descriptor: BorrowedFd<'_>) {
    // SAFETY: integers only; the number stays its owner's.
    unsafe { libc::dup3(0, descriptor.as_raw_fd(), libc::O_CLOEXEC) };
}

/// Closes the descriptors from `first` to `last`.
fn close_range(first: u32, last: u32) {
    // SAFETY: integers only; see `let_go` for whose they are.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if done == 0 {
        return;
    }
    // Before Linux 5.9.
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    let numbers: Vec<u32> = open
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|fd| (first..=last).contains(fd))
        .collect();
    for fd in numbers {
        // SAFETY: as above; the one the list was read by is closed already.
        unsafe { libc::close(fd as libc::c_int) };
    }
}

/// This process leaves no memory dump when a signal ends it, neither as a file nor to a program (core(5)).
pub fn dump_no_core() {
    // SAFETY: integers only.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// How many descriptors this process and those it starts may have (RLIMIT_NOFILE, its soft limit).
pub fn descriptor_limit() -> u32 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one structure.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    u32::try_from(limit.rlim_cur).unwrap_or(u32::MAX)
}

/// Does something with as many descriptors as this process may ask for. What it starts afterwards has the limit it had.
pub fn with_all_descriptors<T>(act: impl FnOnce() -> T) -> T {
    let before = descriptor_limit();
    raise_descriptor_limit();
    let done = act();
    set_descriptor_limit(before);
    done
}

fn set_descriptor_limit(soft: u32) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one structure, and reads one.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max.min(soft.into());
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// This process may have as many descriptors as it may ask for.
pub fn raise_descriptor_limit() {
    set_descriptor_limit(u32::MAX);
}

/// As long as it is kept this process comes before others, where it may: setpriority(2).
pub struct Hurry(libc::c_int);

impl Hurry {
    /// From here on.
    pub fn begin() -> Hurry {
        // SAFETY: integers only. An ordinary user may not, and goes on as before.
        unsafe {
            let before = libc::getpriority(libc::PRIO_PROCESS, 0);
            libc::setpriority(libc::PRIO_PROCESS, 0, -20);
            Hurry(before)
        }
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        // SAFETY: integers only.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, self.0) };
    }
}
