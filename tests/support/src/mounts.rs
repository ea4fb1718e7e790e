//! File systems of a test's own, in a mount namespace of its own: they go with its last process.

use crate::{is_root, skip_optional};
use std::path::Path;
use std::process::Command;

/// A command that runs `script` in a mount namespace of its own, in an empty directory on a tmpfs. For the script `$0`
/// is `program` and `$1` that directory, `dir`; what the caller adds to the command follows. Where this machine allows
/// no such namespace, says that the test is skipped.
pub fn in_own_mounts(program: &Path, dir: &Path, script: &str) -> Option<Command> {
    let mounts = Command::new("unshare").args(["--mount", "true"]).status();
    if !is_root() || !mounts.is_ok_and(|status| status.success()) {
        skip_optional("mount namespaces cannot be made here");
        return None;
    }
    let script = format!("set -e; mount -t tmpfs t \"$1\"; cd \"$1\"; {script}");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    command.arg(program).arg(dir);
    Some(command)
}

/// The part of such a script that makes an overlayfs at `m`. `lower` mounts what lies below, at `l`, and fills it.
/// What lies above is on another file system, so files may share their numbers.
pub fn overlay(lower: &str) -> String {
    format!(
        "mkdir l u m; {lower} mount -t tmpfs u u; mkdir u/u u/w; \
         mount -t overlay -o lowerdir=l,upperdir=u/u,workdir=u/w,xino=off o m;"
    )
}

/// The part of such a script that makes a btrfs at `top` with two subvolumes, `top/a` and `top/b`, and binds these to
/// `a` and `b`. `fill` makes what lies in `top/$s`: it has the same numbers in both. See [`crate::has_btrfs`].
///
/// The smallest file system mkfs.btrfs makes is 109 MiB; the image is sparse. It lies elsewhere: on the tmpfs, whose
/// directory may go before its last process, it would hold itself.
pub fn subvolumes(fill: &str) -> String {
    format!(
        "i=$(mktemp); truncate -s 128M $i; mkfs.btrfs -q $i; mkdir top a b; mount -o loop $i top; rm $i; \
         for s in a b; do btrfs -q subvolume create top/$s; {fill} done; \
         for s in a b; do mount --bind top/$s $s; done;"
    )
}
