//! The two layouts of an event, seen alike.

use core::ffi::c_int;
use core::ptr::{null, null_mut};

/// An event of kevent(2) or kevent64(2).
pub trait Event: Copy {
    fn ident(&self) -> usize;
    fn filter(&self) -> i16;
    fn flags(&self) -> u16;
    fn fflags(&self) -> u32;

    /// The same event with other flags and fflags, as a change.
    fn with(&self, flags: u16, fflags: u32) -> Self;

    /// The same event with other fflags.
    fn set_fflags(&mut self, fflags: u32);

    /// Makes this change, by the call the program uses: one kqueue takes no others. True if it was made.
    fn change(&self, kq: c_int) -> bool;

    /// It is about a file, and no error.
    fn is_of_file(&self) -> bool {
        self.filter() == libc::EVFILT_VNODE && self.flags() & libc::EV_ERROR == 0
    }
}

impl Event for libc::kevent {
    fn ident(&self) -> usize {
        self.ident
    }
    fn filter(&self) -> i16 {
        self.filter
    }
    fn flags(&self) -> u16 {
        self.flags
    }
    fn fflags(&self) -> u32 {
        self.fflags
    }
    fn with(&self, flags: u16, fflags: u32) -> Self {
        libc::kevent {
            flags,
            fflags,
            data: 0,
            ..*self
        }
    }
    fn set_fflags(&mut self, fflags: u32) {
        self.fflags = fflags;
    }
    fn change(&self, kq: c_int) -> bool {
        // SAFETY: one change; with room for no event none is taken from the program, and it does not wait.
        unsafe { libc::kevent(kq, self, 1, null_mut(), 0, null()) == 0 }
    }
}

impl Event for libc::kevent64_s {
    fn ident(&self) -> usize {
        self.ident as usize
    }
    fn filter(&self) -> i16 {
        self.filter
    }
    fn flags(&self) -> u16 {
        self.flags
    }
    fn fflags(&self) -> u32 {
        self.fflags
    }
    fn with(&self, flags: u16, fflags: u32) -> Self {
        libc::kevent64_s {
            flags,
            fflags,
            data: 0,
            ..*self
        }
    }
    fn set_fflags(&mut self, fflags: u32) {
        self.fflags = fflags;
    }
    fn change(&self, kq: c_int) -> bool {
        // SAFETY: as for `kevent`.
        unsafe { libc::kevent64(kq, self, 1, null_mut(), 0, 0, null()) == 0 }
    }
}
