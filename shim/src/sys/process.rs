//! The process itself: who it is, its memory, its end, the time, and a socket to speak through.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

use rules::attrib::Time;

use super::call::call;

/// Ends the process; only a panic comes here.
pub fn abort() -> ! {
    loop {
        // SAFETY: exit_group takes a number and does not return.
        unsafe { call(libc::SYS_exit_group, [127, 0, 0, 0, 0, 0]) };
    }
}

/// True if the process acts with another user's or group's rights than its own.
pub fn has_foreign_ids() -> bool {
    // SAFETY: none of the calls has arguments, and none can fail.
    let id = |n| unsafe { call(n, [0; 6]) };
    id(libc::SYS_getuid) != id(libc::SYS_geteuid) || id(libc::SYS_getgid) != id(libc::SYS_getegid)
}

pub fn getpid() -> u32 {
    // SAFETY: getpid has no arguments and cannot fail.
    unsafe { call(libc::SYS_getpid, [0; 6]) as u32 }
}

/// The time, by the clock that files are stamped by.
pub fn now() -> Time {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the kernel fills a struct timespec.
    let r = unsafe {
        call(
            libc::SYS_clock_gettime,
            [
                libc::CLOCK_REALTIME as usize,
                time.as_mut_ptr() as usize,
                0,
                0,
                0,
                0,
            ],
        )
    };
    if r != 0 {
        return (0, 0);
    }
    // SAFETY: the call succeeded, so all of it is filled.
    let time = unsafe { time.assume_init() };
    (time.tv_sec, time.tv_nsec)
}

/// The bits of the nanoseconds of a second.
const NANOSECONDS: u32 = 30;

/// A time as one word, until the year 2514.
pub fn to_word((seconds, nanoseconds): Time) -> u64 {
    (seconds as u64) << NANOSECONDS | nanoseconds as u64
}

/// The time of a word.
pub fn from_word(word: u64) -> Time {
    let nanoseconds = word & ((1 << NANOSECONDS) - 1);
    ((word >> NANOSECONDS) as i64, nanoseconds as i64)
}

/// send(2) to a connected socket; neither waits nor raises a signal.
pub fn send(fd: c_int, bytes: &[u8]) {
    // SAFETY: the pointer and length are a slice's; there is no address.
    unsafe {
        call(
            libc::SYS_sendto,
            [
                fd as usize,
                bytes.as_ptr() as usize,
                bytes.len(),
                (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as usize,
                0,
                0,
            ],
        )
    };
}

/// Private zeroed memory that is never given back; `None` if there is none.
pub fn map(size: usize) -> Option<*mut u8> {
    // SAFETY: a new anonymous mapping touches no existing memory.
    let p = unsafe {
        call(
            libc::SYS_mmap,
            [
                0,
                size,
                (libc::PROT_READ | libc::PROT_WRITE) as usize,
                (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as usize,
                usize::MAX,
                0,
            ],
        )
    };
    (p > 0).then_some(p as *mut u8)
}

/// Gives back what [`map`] gave.
///
/// # Safety
/// Nothing may refer into the mapping any more.
pub unsafe fn unmap(at: *mut c_void, size: usize) {
    // SAFETY: the caller vouches for the mapping.
    unsafe { call(libc::SYS_munmap, [at as usize, size, 0, 0, 0, 0]) };
}
