//! The variables of a program that is started: with this library in DYLD_INSERT_LIBRARIES, or without it.

use core::ffi::c_char;
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use crate::{pointer, sys};

/// What a program is started with: strings, up to null.
pub type Strings = *const *mut c_char;

const VARIABLE: &[u8] = b"DYLD_INSERT_LIBRARIES=";

/// The library's file, wherever it lies.
const OWN: &[u8] = b"libwatchfix.dylib";

/// So many bytes are put together on the stack, more in a mapping.
const HERE: usize = 6 * 1024;

/// Variables that have this library inserted.
pub struct Inserted {
    variables: Strings,
    /// How many there are.
    n: usize,
    /// Which of them it is.
    at: usize,
    list: &'static [u8],
}

impl Inserted {
    /// `None` if they have not, or cannot be read.
    ///
    /// # Safety
    /// If they can be read they are strings, up to null, and stay as they are while this is used.
    pub unsafe fn find(variables: Strings) -> Option<Inserted> {
        let (mut n, mut found) = (0, None);
        loop {
            // SAFETY: the caller's promise.
            let entry = unsafe { *pointer::slice(variables.wrapping_add(n), 1)?.first()? };
            if entry.is_null() {
                break;
            }
            // SAFETY: as above.
            let text = unsafe { pointer::string(entry) }?.to_bytes();
            if let Some(list) = text.strip_prefix(VARIABLE)
                && found.is_none()
            {
                found = Some((n, list));
            }
            n += 1;
        }
        let (at, list) = found?;
        list.split(|&c| c == b':').any(is_own).then_some(Inserted {
            variables,
            n,
            at,
            list,
        })
    }

    /// Calls `system` with the same variables, but for this library.
    pub fn without(&self, system: impl FnOnce(Strings) -> i32) -> i32 {
        let pointers = (self.n + 1) * size_of::<*mut c_char>();
        let size = pointers + VARIABLE.len() + self.list.len() + 1;
        let mut here = MaybeUninit::<[u64; HERE / 8]>::uninit();
        let is_long = size > HERE;
        let start: *mut u8 = match is_long {
            false => here.as_mut_ptr().cast(),
            true => match sys::map(size) {
                Some(there) => there,
                None => return system(self.variables),
            },
        };
        // SAFETY: there is room for the pointers and, behind them, for a text that is not longer than the one there is.
        unsafe {
            let list: *mut *mut c_char = start.cast();
            let text = start.add(pointers);
            let is_empty = self.put(text);
            let mut to = list;
            for at in 0..self.n {
                let entry = match at == self.at {
                    true if is_empty => continue,
                    true => text.cast(),
                    false => *self.variables.add(at),
                };
                to.write(entry);
                to = to.add(1);
            }
            to.write(null_mut());
        }
        let answer = system(start.cast_const().cast());
        if is_long {
            let _errno = sys::Errno::save();
            // SAFETY: the mapping above, which nobody has any more.
            unsafe { sys::unmap(start.cast(), size) };
        }
        answer
    }

    /// Writes the variable without this library to `to`. True if no other is in it.
    ///
    /// # Safety
    /// There is room for the whole variable.
    unsafe fn put(&self, mut to: *mut u8) -> bool {
        let mut write = |bytes: &[u8]| {
            // SAFETY: the caller's promise: no more is written than there was.
            unsafe {
                to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                to = to.add(bytes.len());
            }
        };
        write(VARIABLE);
        let mut is_empty = true;
        for path in self.list.split(|&c| c == b':').filter(|path| !is_own(path)) {
            if !is_empty {
                write(b":");
            }
            write(path);
            is_empty = false;
        }
        write(b"\0");
        is_empty
    }
}

fn is_own(path: &[u8]) -> bool {
    path.rsplit(|&c| c == b'/').next() == Some(OWN)
}
