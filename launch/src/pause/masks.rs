//! The masks of watches that a pause mutes.

use rules::event::{ACCESS, ALL_EVENTS, CLOSE_NOWRITE, EXCL_UNLINK, ONESHOT, OPEN, UNMOUNT};

/// The mask of a muted watch: UNMOUNT, which every watch has, and the flags that say when it ends.
pub fn muted(mask: u32) -> u32 {
    UNMOUNT | mask & (ONESHOT | EXCL_UNLINK)
}

/// The mask of a watch that is about to be muted.
pub fn without_reads(mask: u32) -> u32 {
    UNMOUNT | mask & !(ACCESS | OPEN | CLOSE_NOWRITE)
}

/// Whether that makes a difference.
pub fn reports_looks(mask: u32) -> bool {
    without_reads(mask) & ALL_EVENTS != mask & ALL_EVENTS
}

/// Whether it reports anything.
pub fn fires(mask: u32) -> bool {
    mask & ALL_EVENTS != 0
}
