//! Work in a child process that may be given up: who waits for a dead server cannot be ended, so it must not be this
//! program.

use super::{becomes_ready, check};
use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// What `work` returns, done by a copy of this process that has no descriptors but `keep`. `None` if it has not ended in
/// `time`, or without a result.
///
/// The copy has this thread alone. It may allocate: fork(3) of glibc and of musl takes the allocator's locks.
///
/// # Errors
/// There can be no child.
pub fn in_spare_child(
    keep: BorrowedFd<'_>,
    time: Duration,
    work: impl FnOnce() -> Vec<u8>,
) -> io::Result<Option<Vec<u8>>> {
    let until = Instant::now() + time;
    let (from, to) = io::pipe()?;
    let (from, to) = (OwnedFd::from(from), OwnedFd::from(to));
    // SAFETY: takes nothing. The child runs `child` alone, which does not return.
    let pid = check(unsafe { libc::fork() })?;
    if pid == 0 {
        child(keep, to, work);
    }
    drop(to);
    let mut pipe = File::from(from);
    let mut result = Vec::new();
    let mut buffer = [0; 4096];
    let whole = loop {
        let left = until.saturating_duration_since(Instant::now());
        // A signal may have ended the wait.
        if !becomes_ready(pipe.as_fd(), left) {
            if left.is_zero() {
                break false;
            }
            continue;
        }
        match pipe.read(&mut buffer) {
            // The last byte says that all of it was written.
            Ok(0) => break result.pop() == Some(WHOLE),
            Ok(count) => result.extend(buffer.get(..count).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break false,
        }
    };
    end(pid, whole);
    Ok(whole.then_some(result))
}

/// Ends a child that nobody has waited for. One that has not done its work may hang, and is left behind.
pub(super) fn end(pid: c_int, done: bool) {
    // SAFETY: they take integers and a null pointer; the child is this program's own and was not waited for.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        let flags = if done { 0 } else { libc::WNOHANG };
        libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL | flags);
    }
}

const WHOLE: u8 = 0;

/// The child: works, writes the result and ends.
fn child(keep: BorrowedFd<'_>, to: OwnedFd, work: impl FnOnce() -> Vec<u8>) -> ! {
    let (keep, to) = (keep.as_raw_fd(), File::from(to));
    // SAFETY: takes integers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let (low, high) = (keep.min(to.as_raw_fd()), keep.max(to.as_raw_fd()));
    close_all(0, low - 1);
    close_all(low + 1, high - 1);
    close_all(high + 1, RawFd::MAX);
    // Nothing that is opened takes the number of a standard stream.
    for _ in 0..3 {
        // SAFETY: takes a C string and integers.
        unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    }
    let mut result = work();
    result.push(WHOLE);
    let _ = (&to).write_all(&result);
    // SAFETY: takes an integer; ends the process without running what others have registered.
    unsafe { libc::_exit(0) }
}

/// Closes the descriptors of a child from `first` to `last`. It only makes system calls.
pub(super) fn close_all(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: the numbers are this process's own, which has no other thread; whoever believes to own one of them never
    // runs in here.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) < 0 {
            for fd in first..=last.min(1023) {
                libc::close(fd);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(time: Duration, work: impl FnOnce() -> Vec<u8>) -> Option<Vec<u8>> {
        let own = File::open("/proc/self").unwrap();
        in_spare_child(own.as_fd(), time, work).unwrap()
    }

    #[test]
    fn a_result_comes_back_whole() {
        let long = vec![7; 1 << 20];
        assert_eq!(result(Duration::from_secs(60), || long.clone()), Some(long));
        assert_eq!(result(Duration::from_secs(60), Vec::new), Some(Vec::new()));
    }

    #[test]
    fn who_does_not_end_is_given_up() {
        let forever = || loop {
            std::thread::sleep(Duration::from_secs(60));
        };
        assert_eq!(result(Duration::from_millis(50), forever), None);
        let dies = || std::process::abort();
        assert_eq!(result(Duration::from_secs(60), dies), None);
    }

    #[test]
    fn it_has_the_one_descriptor_and_not_the_streams() {
        let (from, to) = io::pipe().unwrap();
        let own = File::open("/proc/self").unwrap();
        let others = [from.as_raw_fd(), to.as_raw_fd()];
        // SAFETY: takes integers.
        let is_open = |fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
        let seen = in_spare_child(own.as_fd(), Duration::from_secs(60), || {
            let stream = std::fs::read_link("/proc/self/fd/1").unwrap();
            assert_eq!(stream.to_str(), Some("/dev/null"));
            vec![
                u8::from(is_open(own.as_raw_fd())),
                u8::from(others.map(is_open) == [false; 2]),
            ]
        });
        assert_eq!(seen.unwrap(), Some(vec![1, 1]));
    }
}
