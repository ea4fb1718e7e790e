//! Signals: taken from a descriptor, handed on, and died of.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What a process does about signals before it does anything of its own: what it inherited.
#[derive(Clone, Copy)]
pub struct Inherited {
    blocked: libc::sigset_t,
    /// Ignored signals, from 1 at bit 0.
    ignored: u64,
}

/// A signal that has come.
pub struct Signal {
    /// Its number.
    pub number: i32,
    /// True if a process sent it, false if the kernel did: for a key at the terminal, a timer.
    pub sent: bool,
    /// Who sent it, where one did.
    pub sender: u32,
}

fn set(signals: impl IntoIterator<Item = i32>) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set, sigaddset changes it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

fn everything() -> libc::sigset_t {
    set(1..=libc::SIGRTMAX())
}

fn mask(how: libc::c_int, signals: &libc::sigset_t) -> libc::sigset_t {
    let mut before = set([]);
    // SAFETY: both sets are initialised; the call cannot fail with a valid `how`.
    unsafe { libc::sigprocmask(how, signals, &raw mut before) };
    before
}

/// From here on every signal that can be waits until it is taken ([`next`]), also those that were ignored; and children
/// can be waited for, which who ignores SIGCHLD cannot.
pub fn take_all() -> Inherited {
    let blocked = mask(libc::SIG_SETMASK, &everything());
    let mut ignored = 0;
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL is not a function of ours, and what it does cannot happen while the signal is blocked. The C
        // library refuses the signals it needs itself.
        let before = unsafe { libc::signal(signal, libc::SIG_DFL) };
        if before == libc::SIG_IGN {
            ignored |= 1 << (signal - 1);
        }
    }
    Inherited { blocked, ignored }
}

impl Inherited {
    /// Puts it back.
    pub fn restore(self) {
        for signal in (1..=libc::SIGRTMAX()).filter(|signal| self.ignored >> (signal - 1) & 1 != 0)
        {
            // SAFETY: SIG_IGN is not a function of ours.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
        mask(libc::SIG_SETMASK, &self.blocked);
    }
}

/// A descriptor that blocked signals are read from, close-on-exec and non-blocking.
///
/// # Errors
/// EMFILE and the like.
pub fn descriptor() -> io::Result<OwnedFd> {
    descriptor_of(&everything())
}

/// From here on SIGINT, SIGTERM and SIGHUP wait, and the descriptor is readable when one has come.
///
/// # Errors
/// EMFILE and the like.
pub fn requests_to_end() -> io::Result<OwnedFd> {
    let requests = set([libc::SIGINT, libc::SIGTERM, libc::SIGHUP]);
    mask(libc::SIG_BLOCK, &requests);
    descriptor_of(&requests)
}

fn descriptor_of(signals: &libc::sigset_t) -> io::Result<OwnedFd> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the set is initialised; the kernel makes a new descriptor.
    let fd = unsafe { libc::signalfd(-1, signals, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just made and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The next signal that waits in a [`descriptor`], if one does.
pub fn next(descriptor: BorrowedFd<'_>) -> Option<Signal> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the kernel writes at most `size` bytes into `info`.
    let read = unsafe { libc::read(descriptor.as_raw_fd(), info.as_mut_ptr().cast(), size) };
    if usize::try_from(read) != Ok(size) {
        return None;
    }
    // SAFETY: the kernel has filled it, and any bit pattern is valid.
    let info = unsafe { info.assume_init() };
    Some(Signal {
        number: i32::try_from(info.ssi_signo).ok()?,
        // sigaction(2): SI_USER, SI_QUEUE, SI_TKILL are not above 0, SI_KERNEL is.
        sent: info.ssi_code <= 0,
        sender: info.ssi_pid,
    })
}

/// Does to this process what `signal` does by default: stops it until it is continued, or ends it. Comes back from
/// what does neither. All signals are blocked before and after; the same stop signal, sent when this process was continued
/// and has not run again yet, stops it once more without being read.
pub fn suffer(signal: i32) {
    let one = set([signal]);
    // SAFETY: neither call has memory effects here; SIG_DFL is not a function of ours.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
    }
    // It comes now, in this very call.
    let before = mask(libc::SIG_UNBLOCK, &one);
    mask(libc::SIG_SETMASK, &before);
}

/// Sends a process a signal. One that has ended meanwhile is not a failure here.
pub fn send(pid: u32, signal: i32) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        // SAFETY: kill takes two integers.
        unsafe { libc::kill(pid, signal) };
    }
}
