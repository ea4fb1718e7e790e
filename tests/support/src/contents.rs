//! What is in a directory, to be compared with what was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// All that is at `dir` and below, each with its inode, mode, owner, number of links, size, time of the last write and
/// content.
pub fn contents(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(path) = left.pop() {
        let at = fs::symlink_metadata(&path).expect("nobody changes it");
        let mut text = format!(
            "inode {} mode {:o} owner {}:{} links {} modified {}.{:09}",
            at.ino(),
            at.mode(),
            at.uid(),
            at.gid(),
            at.nlink(),
            at.mtime(),
            at.mtime_nsec()
        );
        if at.is_dir() {
            let entries = fs::read_dir(&path).expect("nobody changes it");
            left.extend(entries.flatten().map(|entry| entry.path()));
        } else {
            let content = if at.is_symlink() {
                let to = fs::read_link(&path);
                to.map(|to| to.into_os_string().into_encoded_bytes())
            } else {
                fs::read(&path)
            };
            text += &format!(" size {} {content:?}", at.size());
        }
        all.insert(path, text);
    }
    all
}
