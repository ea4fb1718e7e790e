//! The contract of libwatchfix.so, claim by claim.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod artefact;
mod masks;
mod moments;
mod muting;
mod passing;
mod recognition;
mod records;
mod reference;
mod variables;

/// The events a test names most.
pub use libc::{IN_ATTRIB, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_MODIFY, IN_OPEN};

/// A directory for one test, which other users may look into.
fn dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    preload::open_to_all(dir.path());
    dir
}

/// What `touch` does to a file that is there: open, set both times, close. The modification time alone
/// would be a MODIFY (fsnotify_change in include/linux/fsnotify.h).
fn touch(path: &std::path::Path) {
    let file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    let now = std::time::SystemTime::now();
    let times = std::fs::FileTimes::new()
        .set_accessed(now)
        .set_modified(now);
    file.set_times(times).unwrap();
}

/// Opens, reads and closes a file, and lists its directory.
fn look_at(path: &std::path::Path) {
    std::fs::read(path).unwrap();
    assert!(std::fs::read_dir(path.parent().unwrap()).unwrap().count() > 0);
}

fn chmod(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
}
