//! What stands in place of the program's callback and context.

use core::ffi::c_void;
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::api::{Callback, Context, FILE_EVENTS, StreamRef};
use crate::config;
use crate::log;

/// What the system is given as `info`.
pub struct Stream {
    pub callback: Callback,
    pub context: Context,
    pub flags: u32,
    references: AtomicUsize,
}

impl Stream {
    /// Whether events name files, and not only directories in which something changed.
    pub fn names_files(&self) -> bool {
        self.flags & FILE_EVENTS != 0
    }
}

/// Calls `system` with `ours`, and a context for it, in place of the program's callback and context.
///
/// # Safety
/// As FSEventStreamCreate.
pub unsafe fn wrapped(
    callback: Option<Callback>,
    context: *const Context,
    flags: u32,
    ours: Callback,
    system: impl FnOnce(Option<Callback>, *const Context) -> StreamRef,
) -> StreamRef {
    let config = config::get();
    let Some(function) = callback.filter(|_| !config.rules.off) else {
        return system(callback, context);
    };
    // SAFETY: an allocation of its own.
    let stream: *mut Stream = unsafe { libc::malloc(size_of::<Stream>()) }.cast();
    if stream.is_null() {
        return system(callback, context);
    }
    log::errors_once(config);
    if log::wanted(config) && flags & FILE_EVENTS == 0 {
        let mut buf: log::Buffer = [0; 512];
        let mut line = log::begin(&mut buf);
        line.text(b"FSEventStreamCreate: the stream names directories only: WATCHFIX_STRIP and WATCHFIX_IGNORE have no effect");
        log::end(config, &mut line);
    }
    let none = Context {
        version: 0,
        info: null_mut(),
        retain: None,
        release: None,
        describe: None,
    };
    let given = match context.is_null() {
        true => none,
        // SAFETY: the program's context, wherever it lies.
        false => unsafe { context.read_unaligned() },
    };
    // SAFETY: the allocation has the size, and malloc's alignment.
    unsafe {
        stream.write(Stream {
            callback: function,
            context: given,
            flags,
            references: AtomicUsize::new(1),
        });
    }
    let context = Context {
        version: 0,
        info: stream.cast(),
        retain: Some(retain),
        release: Some(release),
        describe: given.describe.and(Some(describe)),
    };
    let made = system(Some(ours), &context);
    // The system has retained it, if it made a stream.
    // SAFETY: the reference above.
    unsafe { let_go(stream) };
    made
}

unsafe extern "C" fn retain(info: *const c_void) -> *const c_void {
    let stream: *mut Stream = info.cast_mut().cast();
    // SAFETY: the system has it from `wrapped`, and retains before it shares.
    unsafe {
        (*stream).references.fetch_add(1, Ordering::Relaxed);
        if let Some(retain) = (*stream).context.retain {
            (*stream).context.info = retain((*stream).context.info).cast_mut();
        }
    }
    info
}

unsafe extern "C" fn release(info: *const c_void) {
    let stream: *mut Stream = info.cast_mut().cast();
    // SAFETY: the system releases what it retained.
    unsafe {
        if let Some(release) = (*stream).context.release {
            release((*stream).context.info);
        }
        let_go(stream);
    }
}

unsafe extern "C" fn describe(info: *const c_void) -> *const c_void {
    let stream: *const Stream = info.cast();
    // SAFETY: the system has retained it.
    unsafe {
        let describe = (*stream).context.describe;
        describe.map_or(null(), |describe| describe((*stream).context.info))
    }
}

/// # Safety
/// The caller has a reference, and does not use the stream after the call.
unsafe fn let_go(stream: *mut Stream) {
    // SAFETY: the last reference frees it.
    unsafe {
        if (*stream).references.fetch_sub(1, Ordering::AcqRel) == 1 {
            libc::free(stream.cast());
        }
    }
}
