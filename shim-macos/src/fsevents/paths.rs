//! The paths of a stream's events: C strings, or an array of strings or of dictionaries (UseExtendedData).

use core::ffi::{CStr, c_char, c_void};
use core::ptr::null;

use super::api;
use super::api::UTF_8;

/// What a stream's callback is given as paths.
pub enum Paths {
    /// `char **`.
    Strings(*const *const c_char),
    /// An array, and the key of a dictionary's path.
    Array {
        array: *const c_void,
        key: *const c_void,
    },
}

impl Paths {
    /// # Safety
    /// `paths` are those of a callback of a stream with these flags.
    pub unsafe fn of(paths: *mut c_void, flags: u32) -> Paths {
        match flags & api::USE_CF_TYPES {
            0 => Paths::Strings(paths.cast_const().cast()),
            _ => Paths::Array {
                array: paths,
                // kFSEventStreamEventExtendedDataPathKey is a macro for this text.
                // SAFETY: a string that ends with a NUL.
                key: unsafe { api::CFStringCreateWithCString(null(), c"path".as_ptr(), UTF_8) },
            },
        }
    }

    /// What is handed over for the event at `at`.
    ///
    /// # Safety
    /// There is such an event.
    pub unsafe fn value(&self, at: usize) -> *const c_void {
        // SAFETY: the caller's promise.
        unsafe {
            match *self {
                Paths::Strings(strings) => (*strings.add(at)).cast(),
                Paths::Array { array, .. } => api::CFArrayGetValueAtIndex(array, at as isize),
            }
        }
    }

    /// The path of such a value; empty where it cannot be told.
    ///
    /// # Safety
    /// `value` gave it.
    pub unsafe fn path<'a>(&self, value: *const c_void, buf: &'a mut [u8; 1024]) -> &'a [u8] {
        // SAFETY: a string or an object of the system's, as the stream's flags say.
        unsafe {
            let (_, key) = match *self {
                Paths::Strings(_) => return CStr::from_ptr(value.cast()).to_bytes(),
                Paths::Array { array, key } => (array, key),
            };
            let kind = api::CFGetTypeID(value);
            let string = if kind == api::CFStringGetTypeID() {
                value
            } else if kind == api::CFDictionaryGetTypeID() && !key.is_null() {
                api::CFDictionaryGetValue(value, key)
            } else {
                null()
            };
            let (to, room) = (buf.as_mut_ptr().cast(), buf.len() as isize);
            if string.is_null() || api::CFStringGetFileSystemRepresentation(string, to, room) == 0 {
                return b"";
            }
        }
        CStr::from_bytes_until_nul(buf).map_or(b"", CStr::to_bytes)
    }
}

impl Drop for Paths {
    fn drop(&mut self) {
        if let Paths::Array { key, .. } = *self
            && !key.is_null()
        {
            // SAFETY: it was made in `of`.
            unsafe { api::CFRelease(key) };
        }
    }
}
