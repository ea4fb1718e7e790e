//! The contract of libwatchfix.so, claim by claim.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod artefact;
mod attributes;
mod budget;
mod harmless;
mod masks;
mod moments;
mod muting;
mod passing;
mod recognition;
mod records;
mod reference;
mod settle;
mod transparency;
mod variables;
mod written;

/// The events a test names most.
pub use libc::{IN_ATTRIB, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_MODIFY, IN_OPEN};

/// A directory for one test, which other users may look into.
fn dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    preload::open_to_all(dir.path());
    dir
}

// Edits are made by processes of their own: see support::overwrite.

fn write(path: impl AsRef<std::path::Path>, text: &str) {
    support::overwrite(path.as_ref(), text);
}

/// Opens the file for writing, sets both times and closes it.
fn touch(path: &std::path::Path) {
    run("touch", path);
}

/// Opens, reads and closes a file, and lists its directory.
fn look_at(path: &std::path::Path) {
    run("cat", path);
    run("ls", path.parent().unwrap());
}

fn run(program: &str, path: &std::path::Path) {
    let mut command = std::process::Command::new(program);
    let out = command.arg(path).env_remove("LD_PRELOAD").output().unwrap();
    assert!(
        out.status.success(),
        "{program} {}: {out:?}",
        path.display()
    );
}

/// Sets the time of the last modification back: an attribute change within two seconds of it passes for a touch.
fn age(path: &std::path::Path) {
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = std::fs::File::open(path).unwrap();
    file.set_modified(long_ago).unwrap();
}

fn chmod(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
}
