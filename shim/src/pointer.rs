//! A path as a program passes it. The pointer may be invalid: the kernel then answers EFAULT, and the library must not
//! crash.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::sys;

/// The smallest page there is; a larger one is several of these.
const PAGE: usize = 4096;

/// Pages in which strings were found, by their number. They stay mapped. Asking the kernel every time would
/// cost a tenth of what placing a watch costs.
static FOUND: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

/// The string at `path`; `None` if it cannot be read, or is longer than a path may be.
///
/// # Safety
/// What can be read there stays as it is while the string is used.
#[inline]
pub unsafe fn string<'a>(path: *const c_char) -> Option<&'a CStr> {
    let page = path as usize / PAGE;
    let found = FOUND.get(page % FOUND.len())?;
    if page != 0 && found.load(Relaxed) == page {
        let left = PAGE - path as usize % PAGE;
        // SAFETY: the page can be read, and all of this lies in it.
        let bytes = unsafe { core::slice::from_raw_parts(path.cast::<u8>(), left) };
        if let Ok(path) = CStr::from_bytes_until_nul(bytes) {
            return Some(path);
        }
    }
    tried(path).inspect(|_| found.store(page, Relaxed))
}

#[cold]
#[inline(never)]
fn tried<'a>(path: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the kernel has just read all up to the NUL.
    sys::is_path(path).then(|| unsafe { CStr::from_ptr(path) })
}
