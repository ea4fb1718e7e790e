//! Where a command is found, as execvp(3) looks for it.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Why a path must not be looked at: its file system does not answer, and who looks would wait for it.
pub type Unanswered = fn(&Path) -> Option<&'static str>;

/// For who starts the program anyway.
pub fn any_may_be_looked_at(_: &Path) -> Option<&'static str> {
    None
}

/// Looks in `PATH`.
pub fn find(name: &OsStr) -> Option<PathBuf> {
    find_in(name, std::env::var_os("PATH"), any_may_be_looked_at)
}

/// Looks in `path`, a list as in `PATH`. A name with a `/` is not looked for.
pub fn find_in(name: &OsStr, path: Option<OsString>, unanswered: Unanswered) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Path::new(name).exists().then(|| name.into());
    }
    let path = path.unwrap_or_else(|| "/bin:/usr/bin".into());
    // An empty one is the working directory. What is found has a `/`, so that nobody looks for it once more.
    let here = |dir: PathBuf| match dir.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => dir,
    };
    let all: Vec<_> = std::env::split_paths(&path)
        .map(|dir| here(dir).join(name))
        .filter(|file| unanswered(file).is_none())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_and_a_path_is_not() {
        let find = |name: &str, path: &str| {
            find_in(name.as_ref(), Some(path.into()), any_may_be_looked_at)
        };
        assert_eq!(find("sh", "/nonexistent:/bin"), Some("/bin/sh".into()));
        assert_eq!(find("/bin/sh", "/nonexistent"), Some("/bin/sh".into()));
        assert_eq!(find("sh", "/nonexistent"), None);
        // Tests run where Cargo.toml lies.
        assert_eq!(find("Cargo.toml", "/bin:"), Some("./Cargo.toml".into()));
        assert_eq!(find("nothing/Cargo.toml", ":/bin"), None);
    }

    #[test]
    fn one_that_may_be_run_comes_before_one_that_may_not() {
        use std::os::unix::fs::PermissionsExt;
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (dir, mode) in [(&one, 0o644), (&two, 0o755)] {
            let file = dir.path().join("tool");
            fs::write(&file, "").unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let found = |path| find_in("tool".as_ref(), Some(path), any_may_be_looked_at);
        let path = std::env::join_paths([one.path(), two.path()]).unwrap();
        assert_eq!(found(path), Some(two.path().join("tool")));
        let only = found(one.path().into());
        assert_eq!(only, Some(one.path().join("tool")));
    }
}
