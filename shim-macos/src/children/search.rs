//! Where a program lies that is named without a slash, as posix_spawnp(3) looks for it.

use core::ffi::CStr;

use crate::sys;

/// The first that can be executed. `None` if there is none, which the system says itself.
pub fn in_path<'b>(file: &'b CStr, buf: &'b mut sys::Path) -> Option<&'b CStr> {
    let name = file.to_bytes();
    if name.contains(&b'/') {
        return Some(file);
    }
    let path = sys::getenv(c"PATH").map_or(b"/usr/bin:/bin".as_slice(), CStr::to_bytes);
    let found = path.split(|&c| c == b':').any(|directory| {
        let directory = if directory.is_empty() {
            b".".as_slice()
        } else {
            directory
        };
        put(buf, &[directory, b"/", name, b"\0"]).is_some_and(sys::is_executable)
    });
    match found {
        true => CStr::from_bytes_until_nul(buf).ok(),
        false => None,
    }
}

/// The parts one behind the other; `None` if there is no room for them.
fn put<'b>(buf: &'b mut sys::Path, parts: &[&[u8]]) -> Option<&'b CStr> {
    let mut at = 0;
    for part in parts {
        let to = buf.get_mut(at..at + part.len())?;
        for (to, from) in to.iter_mut().zip(*part) {
            *to = *from;
        }
        at += part.len();
    }
    CStr::from_bytes_until_nul(buf).ok()
}
