//! What a program passes to a call. The pointer may be invalid: the kernel then answers EFAULT, and the library must
//! not crash.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::sys;

/// The smallest page of the two architectures; a larger one is several of these.
const PAGE: usize = 4096;

/// Pages that could be read, by their number. They stay mapped. To ask the kernel every time would cost more than the
/// rest of what is done about a call.
static FOUND: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

/// The `n` values at `at`; `None` if they cannot be read, or there are none.
///
/// # Safety
/// If the memory can be read, it holds such values, and stays as it is while they are used.
pub unsafe fn slice<'a, T>(at: *const T, n: i32) -> Option<&'a [T]> {
    let n = usize::try_from(n).ok().filter(|n| *n > 0)?;
    let last = (at as usize).checked_add(n.checked_mul(size_of::<T>())?)? - 1;
    if !(at as usize).is_multiple_of(align_of::<T>()) {
        return None;
    }
    let mut from = at as usize;
    loop {
        if !can_be_read(from) {
            return None;
        }
        from = (from / PAGE + 1).checked_mul(PAGE)?;
        if from > last {
            break;
        }
    }
    // SAFETY: every page of it can be read, and holds what the caller says.
    Some(unsafe { core::slice::from_raw_parts(at, n) })
}

/// The string at `at`; `None` if it cannot be read.
///
/// # Safety
/// If it can be read it is a string, and stays as it is while it is used.
pub unsafe fn string<'a>(at: *const c_char) -> Option<&'a CStr> {
    if !can_be_read(at as usize) {
        return None;
    }
    let left = PAGE - at as usize % PAGE;
    // SAFETY: the page can be read, and all of this lies in it.
    let bytes = unsafe { core::slice::from_raw_parts(at.cast::<u8>(), left) };
    match CStr::from_bytes_until_nul(bytes) {
        Ok(string) => Some(string),
        // It goes on in the next page.
        // SAFETY: the kernel has just read all up to the NUL, or as much as a path may have.
        Err(_) => sys::is_string(at).then(|| unsafe { CStr::from_ptr(at) }),
    }
}

fn can_be_read(at: usize) -> bool {
    let page = at / PAGE;
    let Some(found) = FOUND.get(page % FOUND.len()).filter(|_| page != 0) else {
        return false;
    };
    if found.load(Relaxed) == page {
        return true;
    }
    let is_there = sys::is_string(at as *const c_char);
    if is_there {
        found.store(page, Relaxed);
    }
    is_there
}
