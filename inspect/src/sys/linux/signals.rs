//! Signals as something to wait for: who is interrupted ends with what it has, and leaves nothing behind.

use super::check;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// Its number.
    pub number: i32,
    /// The terminal sent it, to every process in the foreground (signal(7), SI_KERNEL).
    pub from_terminal: bool,
}

/// Signals that no longer end this program; they are read one by one.
pub struct Signals {
    fd: OwnedFd,
    /// What was blocked before.
    before: libc::sigset_t,
}

/// Sets this thread's mask, which threads started later inherit, and returns the old one.
fn set_mask(how: i32, set: &libc::sigset_t) -> io::Result<libc::sigset_t> {
    let mut before = MaybeUninit::uninit();
    // SAFETY: `set` is a filled set, and `before` has room for one.
    let refused = unsafe { libc::pthread_sigmask(how, set, before.as_mut_ptr()) };
    if refused != 0 {
        return Err(io::Error::from_raw_os_error(refused));
    }
    // SAFETY: pthread_sigmask succeeded, so it filled the set.
    Ok(unsafe { before.assume_init() })
}

impl Signals {
    /// What ends a program from outside: SIGINT, SIGTERM, SIGHUP. And `more`.
    ///
    /// # Errors
    /// EMFILE, where no descriptor is left.
    pub fn catch(more: &[i32]) -> io::Result<Signals> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset fills the set; sigaddset takes it filled. A number that is not a signal is
        // refused and changes nothing.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for &number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP]
                .iter()
                .chain(more)
            {
                libc::sigaddset(set.as_mut_ptr(), number);
            }
            set.assume_init()
        };
        let before = set_mask(libc::SIG_BLOCK, &set)?;
        // SAFETY: signalfd reads the set and returns a new descriptor that nobody else owns.
        let fd = unsafe {
            let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
            OwnedFd::from_raw_fd(check(libc::signalfd(-1, &raw const set, flags))?)
        };
        Ok(Signals { fd, before })
    }

    /// Lets a program that is started get them as if this one had never caught them: a mask outlives exec.
    pub fn leave_to(&self, command: &mut Command) {
        let before = self.before;
        // SAFETY: between fork and exec it only calls sigprocmask (pthread_sigmask in one thread), which is
        // async-signal-safe (signal-safety(7)), and allocates nothing.
        unsafe { command.pre_exec(move || set_mask(libc::SIG_SETMASK, &before).map(drop)) };
    }

    /// Lets them do again what they did before, to this program and to one that takes its place.
    pub fn release(self) {
        // A mask that the kernel gave out is one that it takes.
        let _ = set_mask(libc::SIG_SETMASK, &self.before);
    }

    /// The next one, if one has come.
    pub fn next(&self) -> Option<Signal> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: `info` has room for the `size` bytes that are asked for.
        let read = unsafe { libc::read(self.fd.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        if usize::try_from(read) != Ok(size) {
            return None;
        }
        // SAFETY: the kernel has written the whole struct.
        let info = unsafe { info.assume_init() };
        Some(Signal {
            number: i32::try_from(info.ssi_signo).ok()?,
            from_terminal: info.ssi_code == libc::SI_KERNEL,
        })
    }

    /// Waits until a signal comes, `others` can be read, or the time is up. Says whether there is
    /// something to read.
    pub fn wait(&self, others: &[BorrowedFd<'_>], time: Duration) -> bool {
        let entry = |fd: i32| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        let mut list = vec![entry(self.fd.as_raw_fd())];
        list.extend(others.iter().map(|fd| entry(fd.as_raw_fd())));
        // Rounded up: a wait that ends a little early would be repeated for nothing.
        let millis = i32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        // SAFETY: `list` is that many filled entries, which the kernel changes in place.
        let ready = unsafe { libc::poll(list.as_mut_ptr(), list.len() as libc::nfds_t, millis) };
        ready > 0
    }
}
