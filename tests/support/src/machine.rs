//! What this machine allows.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// Whether the tests run as root.
pub fn is_root() -> bool {
    // /proc/self belongs to the effective user.
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whether a btrfs can be made and mounted here; if not, says that the test is skipped.
pub fn has_btrfs() -> bool {
    let made = Command::new("mkfs.btrfs").arg("--version").output().is_ok();
    let known = std::fs::read_to_string("/proc/filesystems").is_ok_and(|all| all.contains("btrfs"));
    let loops = std::fs::exists("/dev/loop-control").unwrap_or(false);
    let has = made && known && loops && is_root();
    if !has {
        crate::skip_optional("btrfs needs root, mkfs.btrfs, the file system and a loop device");
    }
    has
}
