//! Where a command is found, as execvp(3) looks for it.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Looks in `PATH`.
pub fn find(name: &OsStr) -> Option<PathBuf> {
    find_in(name, std::env::var_os("PATH"))
}

/// Looks in `path`, a list as in `PATH`. A name with a `/` is not looked for.
pub fn find_in(name: &OsStr, path: Option<OsString>) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Path::new(name).exists().then(|| name.into());
    }
    let path = path.unwrap_or_else(|| "/bin:/usr/bin".into());
    let all: Vec<_> = std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .collect();
    let runnable = all.iter().find(|path| may_run(path));
    runnable
        .or_else(|| all.iter().find(|path| path.exists()))
        .cloned()
}

/// Whether this user may run it.
pub fn may_run(path: &Path) -> bool {
    let is_file = fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: the path is NUL-terminated.
    is_file && unsafe { libc::access(path.as_ptr(), libc::X_OK) } == 0
}
