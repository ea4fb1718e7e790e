//! Why a path is not known, in words. They are shown with single watches and in the roll-up, so they use neither "it"
//! nor "them".

use crate::gather::subject::view::{MAY_HANG, NO_ANSWER};
use crate::model::Watch;

/// Whether heal may find a watch that was not found here: searching for it would wake the process, or only the kernel
/// can distinguish it from others.
pub fn may_be_healed(watch: &Watch) -> bool {
    let reasons = [
        Search::Ambiguous.text(),
        HandleFailure::WouldWake.text(),
        HandleFailure::Forgotten.text(),
        Search::WouldWake.text(),
    ];
    watch.unresolved.is_some_and(|why| reasons.contains(&why))
}

/// The reason alone, for a program that does not have the option of `fdscan` that is named after it.
pub fn without_option(why: &str) -> &str {
    let end = ["; --", " (--"].iter().find_map(|start| why.find(start));
    end.and_then(|end| why.get(..end)).unwrap_or(why)
}

/// Why a file handle did not lead to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HandleFailure {
    NotPermitted,
    NoHandle,
    NoMount,
    Hidden,
    MayHang,
    /// On a file system with a server, which did not answer.
    NoAnswer,
    /// On a file system with a server, which answered.
    Served(Search),
    Deleted,
    Overlay,
    NotOpenable,
    NotCached,
    Outside,
    OtherInode,
    Failed,
    WouldWake,
    Forgotten,
    Cold,
    TimeUp,
}

impl HandleFailure {
    pub fn text(self) -> &'static str {
        match self {
            HandleFailure::NotPermitted => "opening file handles needs root (CAP_DAC_READ_SEARCH)",
            HandleFailure::NoHandle => "the file system has no file handles",
            HandleFailure::NoMount => "no mount the process sees has this device",
            HandleFailure::Hidden => {
                "the mount cannot be reached: hidden below another, or not permitted"
            }
            HandleFailure::MayHang => MAY_HANG,
            HandleFailure::NoAnswer => NO_ANSWER,
            HandleFailure::Served(search) => search.text(),
            HandleFailure::Deleted => "deleted: the file system does not find the handle",
            HandleFailure::Overlay => "overlayfs cannot open file handles",
            HandleFailure::NotOpenable => {
                "the file system has handles that cannot be opened (procfs, sysfs)"
            }
            HandleFailure::NotCached => "the name is not in the kernel's cache",
            HandleFailure::Outside => {
                "outside the part of the file system that the process's mounts show"
            }
            HandleFailure::OtherInode => "the file handle now leads to another inode",
            HandleFailure::Failed => "opening the file handle failed",
            HandleFailure::WouldWake => {
                "opening the mount for file handles would wake the process: its watches report opens"
            }
            HandleFailure::Forgotten => {
                "the name is not in the kernel's cache, and finding it again would wake the process: its watches report opens"
            }
            HandleFailure::Cold | HandleFailure::TimeUp => Search::TimeUp.text(),
        }
    }

    /// Whether its handle has not been opened yet.
    pub fn is_untried(self) -> bool {
        matches!(self, HandleFailure::Cold | HandleFailure::TimeUp)
    }

    /// Whether there may be a name that candidates or the walk can find.
    pub fn may_have_a_name(self) -> bool {
        !matches!(
            self,
            HandleFailure::NoMount
                | HandleFailure::MayHang
                | HandleFailure::NoAnswer
                | HandleFailure::Served(_)
                | HandleFailure::Deleted
        )
    }
}

/// Why candidates and the walk did not find a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Search {
    NoWalk,
    TimeUp,
    WouldWake,
    Denied,
    Outside,
    Ambiguous,
    NotFound,
}

impl Search {
    pub const ALL: [Search; 7] = [
        Search::NoWalk,
        Search::TimeUp,
        Search::WouldWake,
        Search::Denied,
        Search::Outside,
        Search::Ambiguous,
        Search::NotFound,
    ];

    pub fn text(self) -> &'static str {
        match self {
            Search::NoWalk => "no likely place, and directories were not listed (--path-timeout 0)",
            Search::TimeUp => "the time for finding paths was up (--path-timeout)",
            Search::WouldWake => {
                "listing the remaining directories would wake the process, whose watches report opens; --wake allows it"
            }
            Search::Denied => "not in any directory this user may list",
            Search::Outside => {
                "not below the watched directories that were found, and nothing else is listed, because watches of the process report opens"
            }
            Search::Ambiguous => {
                "files of this overlayfs may share inode numbers, because its layers may be on several file systems, and the kernel has no file handles to distinguish them (Linux 6.6 has)"
            }
            Search::NotFound => {
                "not in any directory the process sees: deleted, or hidden below another mount"
            }
        }
    }
}

/// A watch whose path is not known yet.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    /// Index of its instance.
    pub instance: usize,
    /// Index in the instance's watches.
    pub watch: usize,
    /// Why its handle did not lead to a path.
    pub why: HandleFailure,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_alone_names_no_option() {
        for search in Search::ALL {
            let why = without_option(search.text());
            assert!(!why.is_empty() && !why.contains("--"), "{why}");
        }
        assert_eq!(
            without_option(HandleFailure::NoMount.text()),
            HandleFailure::NoMount.text()
        );
    }
}
