//! From the events the system hands over to those the program gets.

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use rules::Rule;

use super::api::{self, Callback};
use super::judge::{Verdict, judge};
use super::paths::Paths;
use super::stream::Stream;
use crate::config::{self, Config};
use crate::{log, sys};

/// Six registers' worth of arguments, in their order.
#[repr(C)]
pub struct Arguments {
    pub stream: *const c_void,
    pub info: *mut c_void,
    pub n: usize,
    pub paths: *mut c_void,
    pub flags: *const u32,
    pub ids: *const u64,
    /// What [`after`] gives back.
    pub made: *mut c_void,
    pub array: *const c_void,
}

/// The program's callback, to be called with what is now in `arguments`; `None` if nothing is left.
///
/// # Safety
/// `arguments` are those of a callback of a stream that [`super::stream`] made.
pub unsafe extern "C" fn before(arguments: *mut Arguments) -> Option<Callback> {
    let _errno = sys::Errno::save();
    // SAFETY: the caller's promise.
    let (arguments, stream) = unsafe { (&mut *arguments, &*(*arguments).info.cast::<Stream>()) };
    arguments.info = stream.context.info;
    arguments.made = null_mut();
    arguments.array = null();
    // SAFETY: as above.
    unsafe {
        let paths = Paths::of(arguments.paths, stream.flags);
        let events = Events {
            config: config::get(),
            stream,
            paths,
            flags: arguments.flags,
        };
        // Mostly everything is handed over as it came.
        match (0..arguments.n).all(|at| events.is_whole(at)) {
            true => Some(stream.callback),
            false => events.shorten(arguments).then_some(stream.callback),
        }
    }
}

/// After the callback, which has not kept anything of what it was called with.
///
/// # Safety
/// `before` filled it in.
pub unsafe extern "C" fn after(arguments: *mut Arguments) {
    // SAFETY: the caller's promise: both are null or made in `shorten`.
    unsafe {
        if !(*arguments).array.is_null() {
            api::CFRelease((*arguments).array);
        }
        libc::free((*arguments).made);
    }
}

struct Events<'a> {
    config: &'static Config,
    stream: &'a Stream,
    paths: Paths,
    flags: *const u32,
}

impl Events<'_> {
    /// # Safety
    /// There is an event at `at`, here and below.
    unsafe fn verdict(&self, at: usize, says: bool) -> Verdict {
        let mut buf = [0u8; 1024];
        // SAFETY: the caller's promise.
        let (path, flags) = unsafe {
            let value = self.paths.value(at);
            (self.paths.path(value, &mut buf), *self.flags.add(at))
        };
        let verdict = judge(&self.config.rules, path, flags, self.stream.names_files());
        if says {
            self.report(path, flags, verdict);
        }
        verdict
    }

    unsafe fn is_whole(&self, at: usize) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.verdict(at, false) == Verdict::Keep(*self.flags.add(at)) }
    }

    /// Puts what is left into memory of its own, and names it in `arguments`. False if nothing is left.
    ///
    /// # Safety
    /// The events are those of `arguments`.
    unsafe fn shorten(&self, arguments: &mut Arguments) -> bool {
        let n = arguments.n;
        // An id, a value and flags for each.
        // SAFETY: an allocation of its own.
        let made: *mut u64 = unsafe { libc::malloc(n.saturating_mul(20)) }.cast();
        if made.is_null() {
            return true;
        }
        // SAFETY: three arrays of `n` lie in the allocation, which malloc aligns to 16 bytes.
        let (ids, values, flags) = unsafe {
            let values: *mut *const c_void = made.add(n).cast();
            (made, values, made.add(2 * n).cast::<u32>())
        };
        let says = log::wanted(self.config);
        let mut kept = 0;
        for at in 0..n {
            // SAFETY: there are `n` events, and `kept` is not above `at`.
            unsafe {
                if let Verdict::Keep(left) = self.verdict(at, says) {
                    ids.add(kept).write(*arguments.ids.add(at));
                    values.add(kept).write(self.paths.value(at));
                    flags.add(kept).write(left);
                    kept += 1;
                }
            }
        }
        let mut paths: *mut c_void = values.cast();
        if let (Paths::Array { .. }, 1..) = (&self.paths, kept) {
            let callbacks = &raw const api::kCFTypeArrayCallBacks;
            // SAFETY: `kept` values, which the system's array holds.
            let array = unsafe { api::CFArrayCreate(null(), values, kept as isize, callbacks) };
            if array.is_null() {
                // SAFETY: the allocation above.
                unsafe { libc::free(made.cast()) };
                return true;
            }
            arguments.array = array;
            paths = array.cast_mut();
        }
        if kept == 0 {
            // SAFETY: the allocation above.
            unsafe { libc::free(made.cast()) };
            return false;
        }
        arguments.n = kept;
        arguments.paths = paths;
        arguments.flags = flags;
        arguments.ids = ids;
        arguments.made = made.cast();
        true
    }

    fn report(&self, path: &[u8], flags: u32, verdict: Verdict) {
        let mut buf: log::Buffer = [0; 512];
        let mut line = log::begin(&mut buf);
        line.text(b"FSEvents(")
            .quoted(path)
            .text(b"): flags ")
            .hex(flags);
        match verdict {
            // A line about the log's own file would be another event of it.
            Verdict::Remove(Rule::Log) => return,
            Verdict::Keep(left) if left == flags => return,
            Verdict::Keep(left) => line.text(b" -> ").hex(left),
            Verdict::Remove(rule) => {
                line.text(b", removed by ");
                line.text(rule.variable().as_bytes())
            }
        };
        log::end(self.config, &mut line);
    }
}
