//! posix_spawn(2), posix_spawnp(3) and execve(2): a program that dyld would end, because it may not load the library, is
//! started without it.
//!
//! ```text
//! hook --[target]--> would it be ended? --[environment]--> the same variables without this library
//! ```

mod environment;
mod file;
mod search;
mod signature;
mod target;

use core::ffi::{CStr, c_char, c_int};

use libc::{pid_t, posix_spawn_file_actions_t, posix_spawnattr_t};

use crate::{config, pointer, sys};
use environment::{Inserted, Strings};

/// # Safety
/// As posix_spawn(2).
pub unsafe extern "C" fn posix_spawn(
    pid: *mut pid_t,
    path: *const c_char,
    actions: *const posix_spawn_file_actions_t,
    attributes: *const posix_spawnattr_t,
    arguments: Strings,
    variables: Strings,
) -> c_int {
    // SAFETY: the program's own arguments, or such as replace them.
    unsafe {
        judged(
            variables,
            || pointer::string(path),
            |variables| libc::posix_spawn(pid, path, actions, attributes, arguments, variables),
        )
    }
}

/// # Safety
/// As posix_spawnp(3).
pub unsafe extern "C" fn posix_spawnp(
    pid: *mut pid_t,
    file: *const c_char,
    actions: *const posix_spawn_file_actions_t,
    attributes: *const posix_spawnattr_t,
    arguments: Strings,
    variables: Strings,
) -> c_int {
    let mut buf: sys::Path = [0; 1024];
    // SAFETY: as above.
    unsafe {
        judged(
            variables,
            || search::in_path(pointer::string(file)?, &mut buf),
            |variables| libc::posix_spawnp(pid, file, actions, attributes, arguments, variables),
        )
    }
}

/// # Safety
/// As execve(2).
pub unsafe extern "C" fn execve(
    path: *const c_char,
    arguments: *const *const c_char,
    variables: *const *const c_char,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        judged(
            variables.cast(),
            || pointer::string(path),
            |variables| libc::execve(path, arguments, variables.cast()),
        )
    }
}

/// Calls `system` with the variables the program at `path` is to get.
///
/// # Safety
/// `variables` are what the program passed.
unsafe fn judged<'a>(
    variables: Strings,
    path: impl FnOnce() -> Option<&'a CStr>,
    system: impl FnOnce(Strings) -> c_int,
) -> c_int {
    let inserted = {
        let _errno = sys::Errno::save();
        // SAFETY: the caller's promise.
        let inserted = unsafe { Inserted::find(variables) };
        inserted.filter(|_| !config::get().rules.off && path().is_some_and(target::would_be_ended))
    };
    match inserted {
        Some(inserted) => inserted.without(system),
        None => system(variables),
    }
}
