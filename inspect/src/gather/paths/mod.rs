//! From watched inodes to paths: by file handle where that is permitted, else by comparing likely
//! directories. Every path is verified by inode and device; what is not found stays `None`, with the
//! reason.

mod candidates;
mod handles;

use super::Gaps;
use super::inotify::ReadInstance;
use super::mounts::Mounts;
use super::proc_dir::ProcDir;
use crate::model::Process;
use std::collections::BTreeMap;

/// A watch whose path is not known yet.
#[derive(Debug, Clone, Copy)]
struct Pending {
    /// Index of its instance.
    instance: usize,
    /// Index in the instance's watches.
    watch: usize,
    /// Why the last attempt failed.
    why: Why,
}

/// Why a path is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    NotPermitted,
    NoHandle,
    NoMount,
    MayHang,
    Stale,
    NotOpenable,
    NotCached,
    Outside,
    OtherInode,
    Failed,
}

impl Why {
    fn text(self) -> &'static str {
        match self {
            Why::NotPermitted => "opening file handles needs root (CAP_DAC_READ_SEARCH)",
            Why::NoHandle => "their file system has no file handles",
            Why::NoMount => "no mount the process sees has their device",
            Why::MayHang => {
                "they lie on a network or user-space file system, which is not touched: a dead server would hang the scan"
            }
            Why::Stale => {
                "the file system does not find their handles: they are deleted, or it is an overlayfs"
            }
            Why::NotOpenable => {
                "their file system has handles that cannot be opened (procfs, sysfs)"
            }
            Why::NotCached => "the kernel has no name for them in its cache",
            Why::Outside => "they lie outside of what the process's mounts show",
            Why::OtherInode => "their handles now lead to other inodes",
            Why::Failed => "opening their file handles failed",
        }
    }
}

/// Finds the paths of all watches in `read`.
pub fn resolve(
    dir: &ProcDir,
    mounts: &Mounts,
    process: &Process,
    read: &mut [ReadInstance],
    gaps: &mut Gaps,
) {
    let pending = handles::resolve(dir, mounts, read);
    if pending.is_empty() {
        return;
    }
    let outcome = candidates::resolve(dir, mounts, process, read, pending);
    let mut reasons: BTreeMap<Why, usize> = BTreeMap::new();
    for watch in outcome.left {
        *reasons.entry(watch.why).or_insert(0) += 1;
    }
    for (why, count) in reasons {
        let mut text = format!(
            "{}; and they are not among the {} likely places that were compared",
            why.text(),
            outcome.compared
        );
        if let Some(limit) = outcome.stopped {
            text = format!("{text} ({limit})");
        }
        gaps.count(count, "paths of watches", text);
    }
}
