//! Descriptors that could not be read, and how that is reported.

use crate::gather::subject::gaps::{Gaps, errno_text, is_gone};
use crate::gather::subject::view;
use std::collections::BTreeMap;
use std::io;

/// Descriptors that could not be read, by reason.
#[derive(Default)]
pub struct Unread {
    pub vanished: usize,
    pub refused: usize,
    pub other: BTreeMap<String, usize>,
    pub unsafe_to_touch: usize,
    pub of_unknown_mounts: usize,
}

impl Unread {
    pub fn add(&mut self, error: &io::Error) {
        if is_gone(error) {
            self.vanished += 1;
        } else {
            self.refused += usize::from(error.kind() == io::ErrorKind::PermissionDenied);
            *self.other.entry(errno_text(error)).or_insert(0) += 1;
        }
    }

    pub fn report(self, gaps: &mut Gaps) {
        if self.vanished > 0 {
            gaps.count(
                self.vanished,
                "descriptors",
                "they were closed during the scan",
            );
        }
        if self.unsafe_to_touch > 0 {
            gaps.count(
                self.unsafe_to_touch,
                "sizes and types of files",
                view::MAY_HANG,
            );
        }
        if self.of_unknown_mounts > 0 {
            gaps.count(
                self.of_unknown_mounts,
                "sizes and types of files",
                "on a mount that the process's list does not have (unmounted meanwhile, of another namespace, or outside of its chroot), which is not touched because it may hang",
            );
        }
        for (why, count) in self.other {
            gaps.count(count, "descriptors", why);
        }
    }
}
