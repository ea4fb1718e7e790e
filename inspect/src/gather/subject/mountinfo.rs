//! The format of /proc/PID/mountinfo (proc_pid_mountinfo(5)).

use crate::model::{Device, Name};
use procfs::process::MountInfo;
use rules::file_system::may_hang;

/// One mount, as the process sees it.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Its ID.
    pub id: i32,
    /// The device of its superblock.
    pub device: Device,
    /// Whether it shows the whole file system, and not only a directory of it.
    pub whole: bool,
    /// The directory of the file system that it shows.
    pub root: Name,
    /// Where it is, relative to the process's root.
    pub point: Name,
    /// Whether accessing its files may wait for a server or a user-space program.
    pub may_hang: bool,
    /// Whether it is an overlayfs.
    pub overlay: bool,
    /// Whether it has subvolumes, each of which numbers its own files.
    pub subvolumes: bool,
    /// Whether it is a /proc, whose links mean something different to each process that follows them.
    pub proc: bool,
}

/// The mounts of a list, in its order. A line that cannot be parsed is skipped.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Mount> {
    text.split(|&b| b == b'\n').filter_map(mount)
}

fn mount(line: &[u8]) -> Option<Mount> {
    let line = String::from_utf8_lossy(line);
    let info = MountInfo::from_line(&line).ok()?;
    Some(Mount {
        id: info.mnt_id,
        device: Device::parse(&info.majmin)?,
        whole: info.root == "/",
        root: unescape(info.root.as_bytes()).into(),
        point: unescape(info.mount_point.as_os_str().as_encoded_bytes()).into(),
        may_hang: may_hang(info.fs_type.as_bytes()),
        overlay: info.fs_type == "overlay",
        subvolumes: matches!(info.fs_type.as_str(), "btrfs" | "bcachefs"),
        proc: info.fs_type == "proc",
    })
}

/// Undoes the `\040` escapes of fs/proc_namespace.c (`mangle`).
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, next)) = rest.split_first() {
        rest = next;
        let escaped = next
            .first_chunk::<3>()
            .filter(|_| first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = next.get(3..).unwrap_or_default();
            }
            None => bytes.push(first),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_that_is_not_an_escape_stays() {
        assert_eq!(unescape(b"a\\134b\\9\\04"), b"a\\b\\9\\04");
    }
}
