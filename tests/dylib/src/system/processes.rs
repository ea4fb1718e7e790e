//! Programs that are started: what the system was asked for is kept, and nothing is started.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char, c_int, c_void};

/// A start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub call: &'static str,
    pub path: String,
    pub arguments: usize,
    pub variables: Vec<String>,
}

pub fn resolve(name: &str) -> Option<usize> {
    match name {
        "_posix_spawn" => Some(posix_spawn as *const () as usize),
        "_posix_spawnp" => Some(posix_spawnp as *const () as usize),
        "_execve" => Some(execve as *const () as usize),
        "_getenv" => Some(getenv as *const () as usize),
        _ => None,
    }
}

thread_local! {
    static STARTS: RefCell<Vec<Start>> = const { RefCell::new(vec![]) };
    static PATH: Cell<*const c_char> = const { Cell::new(std::ptr::null()) };
}

/// The starts since this was last asked.
pub fn starts() -> Vec<Start> {
    STARTS.take()
}

/// The variable PATH of this thread's program.
pub fn set_path(path: Option<&str>) {
    let path = path.map(|path| CString::new(path).unwrap().into_raw().cast_const());
    PATH.set(path.unwrap_or(std::ptr::null()));
}

unsafe extern "C" fn getenv(name: *const c_char) -> *const c_char {
    // SAFETY: the library's name.
    assert_eq!(unsafe { CStr::from_ptr(name) }, c"PATH");
    PATH.get()
}

/// Whether the kernel can read a string there.
fn is_string(at: *const c_char) -> bool {
    // SAFETY: the kernel checks the pointer, and makes nothing.
    let made = unsafe { libc::symlinkat(at, libc::AT_FDCWD, c"".as_ptr()) };
    made == -1 && std::io::Error::last_os_error().raw_os_error() != Some(libc::EFAULT)
}

unsafe fn start(
    call: &'static str,
    path: *const c_char,
    arguments: *const c_void,
    variables: *const *const c_char,
) -> Result<(), c_int> {
    if !is_string(path) || !variables.is_null() && !is_string(variables.cast()) {
        return Err(libc::EFAULT);
    }
    let mut entries = vec![];
    let mut entry = variables;
    // SAFETY: strings up to null.
    unsafe {
        while !entry.is_null() && !(*entry).is_null() {
            if !is_string(*entry) {
                return Err(libc::EFAULT);
            }
            entries.push(CStr::from_ptr(*entry).to_string_lossy().into_owned());
            entry = entry.add(1);
        }
        let start = Start {
            call,
            path: CStr::from_ptr(path).to_string_lossy().into_owned(),
            arguments: arguments as usize,
            variables: entries,
        };
        STARTS.with_borrow_mut(|all| all.push(start));
    }
    // As if there were no such program: execve has an answer then.
    Err(libc::ENOENT)
}

/// posix_spawn(2).
///
/// # Safety
/// As posix_spawn(2).
pub unsafe extern "C" fn posix_spawn(
    _: *mut c_int,
    path: *const c_char,
    _: *const c_void,
    _: *const c_void,
    arguments: *const c_void,
    variables: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { start("posix_spawn", path, arguments, variables) }
        .err()
        .unwrap_or(0)
}

/// posix_spawnp(3).
///
/// # Safety
/// As posix_spawnp(3).
pub unsafe extern "C" fn posix_spawnp(
    _: *mut c_int,
    file: *const c_char,
    _: *const c_void,
    _: *const c_void,
    arguments: *const c_void,
    variables: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { start("posix_spawnp", file, arguments, variables) }
        .err()
        .unwrap_or(0)
}

/// execve(2).
///
/// # Safety
/// As execve(2).
pub unsafe extern "C" fn execve(
    path: *const c_char,
    arguments: *const c_void,
    variables: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise, and errno's place.
    unsafe {
        match start("execve", path, arguments, variables) {
            Ok(()) => 0,
            Err(error) => {
                *libc::__errno_location() = error;
                -1
            }
        }
    }
}
