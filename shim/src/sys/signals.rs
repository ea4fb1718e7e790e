//! Signals of the calling thread.

use core::ffi::c_int;

use super::call::call;

/// Bytes of the kernel's sigset_t.
const SIGSET: usize = 8;

/// Blocks these signals for the calling thread, and returns which were blocked before.
pub fn block_signals(signals: u64) -> Option<u64> {
    let mut before = 0u64;
    // SAFETY: both sets have the kernel's size.
    let r = unsafe { mask_signals(libc::SIG_BLOCK, &signals, &mut before) };
    (r == 0).then_some(before)
}

/// Blocks just these signals for the calling thread.
pub fn set_blocked_signals(signals: u64) {
    // SAFETY: the set has the kernel's size, and the old one is not asked for.
    unsafe { mask_signals(libc::SIG_SETMASK, &signals, core::ptr::null_mut()) };
}

/// # Safety
/// `before` is null or can be written to.
unsafe fn mask_signals(how: c_int, signals: &u64, before: *mut u64) -> isize {
    let signals: *const u64 = signals;
    // SAFETY: the sets have the kernel's size; the second is the caller's promise.
    unsafe {
        call(
            libc::SYS_rt_sigprocmask,
            [
                how as usize,
                signals as usize,
                before as usize,
                SIGSET,
                0,
                0,
            ],
        )
    }
}

/// The signals that wait for the calling thread or its process.
pub fn pending_signals() -> u64 {
    let mut pending = 0u64;
    let at: *mut u64 = &mut pending;
    // SAFETY: the kernel fills a set of its size.
    unsafe { call(libc::SYS_rt_sigpending, [at as usize, SIGSET, 0, 0, 0, 0]) };
    pending
}

/// Takes one of these blocked signals away, if one is pending.
pub fn take_signal(signals: u64) {
    let signals: *const u64 = &signals;
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let at_once: *const libc::timespec = &at_once;
    // SAFETY: the set has the kernel's size; nothing is asked about the signal.
    unsafe {
        call(
            libc::SYS_rt_sigtimedwait,
            [signals as usize, 0, at_once as usize, SIGSET, 0, 0],
        )
    };
}
