//! A question to a file system that may never answer, asked by a child that may be left behind.

use super::{check, spare_child, with_c_path};
use std::ffi::{CStr, c_int};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Whether somebody answers, within `time`, what lies at `path`: be it that there is nothing.
///
/// A child asks, since who waits for a dead server cannot be ended, a thread as little as a process. It holds
/// nothing of this program open: whoever reads its output does not wait for the child.
pub fn answers(path: &[u8], time: Duration) -> bool {
    with_c_path(path, |path| ask(path, time)).unwrap_or(false)
}

fn ask(path: &CStr, time: Duration) -> io::Result<bool> {
    let (from, to) = pipe()?;
    // Without SIGCHLD, and for who waits with __WALL alone: nobody here takes it for a child of theirs.
    // SAFETY: as fork(2), all five arguments being 0. The child calls `child` alone, which only makes system
    // calls and does not return.
    let pid = unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) };
    if pid == 0 {
        child(path, to.as_raw_fd());
    }
    let pid = check(pid as c_int)?;
    drop(to);
    let answered = wait(&from, time);
    spare_child::end(pid, answered);
    Ok(answered)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (from, to) = io::pipe()?;
    Ok((from.into(), to.into()))
}

/// Whether a byte came: the end alone is a child that was ended.
fn wait(from: &OwnedFd, time: Duration) -> bool {
    let mut entry = libc::pollfd {
        fd: from.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let millis = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `entry` is one filled entry, which the kernel changes in place.
    unsafe { libc::poll(&raw mut entry, 1, millis) };
    entry.revents & libc::POLLIN != 0
}

/// The child: asks, writes a byte and ends.
fn child(path: &CStr, to: RawFd) -> ! {
    // SAFETY: system calls on numbers, on a C string and on memory of the size they fill; none is allocated and no
    // lock is taken, so it does not matter what other threads were doing.
    unsafe {
        libc::dup2(to, 0);
        spare_child::close_all(1, RawFd::MAX);
        let mut answer = std::mem::MaybeUninit::<libc::statx>::zeroed();
        libc::statx(
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_STATX_FORCE_SYNC,
            libc::STATX_BASIC_STATS,
            answer.as_mut_ptr(),
        );
        libc::write(0, c"a".as_ptr().cast(), 1);
        libc::_exit(0)
    }
}
