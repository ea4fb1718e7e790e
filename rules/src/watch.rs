//! What becomes of a watch: the mask the kernel is asked for in place of the caller's.

use crate::event::{
    ALL_EVENTS, CLOSE_WRITE, DELETE_SELF, IGNORED, MASK_ADD, MASK_CREATE, MODIFY, MOVE_SELF,
    ONESHOT, Q_OVERFLOW, UNMOUNT,
};

/// Set by the library under `watchfix run` in the masks it hands to the kernel: the filter lets them
/// pass, as they have been judged. The kernel reports both bits and ignores them in a mask
/// that is asked for (INOTIFY_USER_MASK of fs/notify/inotify/inotify_user.c).
pub const JUDGED: u32 = Q_OVERFLOW | IGNORED;

/// What the library under `watchfix run` hands to inotify_init1 as a second argument, of which the kernel takes no notice:
/// the filter lets it pass, as the library judges what is read from its instances. "watchfix", in ASCII.
pub const OWN_INSTANCE: u64 = 0x7761_7463_6866_6978;

/// The numbers under which `watchfix run` hands out instances whose reads it judges, for a process that may have `limit`
/// descriptors: the highest ones nearly no program has another use for. None from 1024 on, as select(2) knows none.
pub fn read_numbers(limit: u32) -> core::ops::Range<u32> {
    const NUMBERS: u32 = 16;
    let end = if limit < 1024 { limit } else { 1024 };
    // The standard streams are nobody's instance.
    end.saturating_sub(NUMBERS).max(3)..end.max(3)
}

/// What the path of a watch makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// No rule is about its path.
    Plain,
    /// It lies in a directory that is to settle.
    Settled,
    /// It is on a dropped directory, or on an ignored file.
    Muted,
}

/// The mask in place of `mask`.
///
/// A settled watch reports a write when the file is closed, also where CLOSE_WRITE is stripped: CLOSE_WRITE
/// stands in for MODIFY, and an engine that sees the records shows it as MODIFY. Nothing else is added to what
/// the caller asked for. A mask without any event stays as it is: the errno is the kernel's.
#[inline]
pub fn reduce(strip: u32, fate: Fate, mask: u32) -> u32 {
    let events = mask & ALL_EVENTS;
    let mut kept = events & !strip;
    match fate {
        Fate::Muted => return mute(mask),
        _ if settles(strip, fate, mask) => kept = kept & !MODIFY | CLOSE_WRITE,
        Fate::Settled | Fate::Plain => {}
    }
    mask & !ALL_EVENTS | something(kept, events)
}

/// The kernel refuses a mask without an event; every watch has UNMOUNT anyway.
fn something(kept: u32, asked: u32) -> u32 {
    if kept == 0 && asked != 0 {
        UNMOUNT
    } else {
        kept
    }
}

/// Whether a watch that asked for events of files hears of none any more: its own end is all that is left. Who watches
/// reads on purpose has to be told.
pub fn hears_nothing(asked: u32, left: u32) -> bool {
    const OF_FILES: u32 = ALL_EVENTS & !(DELETE_SELF | MOVE_SELF);
    asked & OF_FILES != 0 && left & OF_FILES == 0
}

fn settles(strip: u32, fate: Fate, mask: u32) -> bool {
    fate == Fate::Settled && mask & !strip & MODIFY != 0
}

/// What a caller asked for, as far as it decides how a CLOSE_WRITE is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(u8);

impl Asked {
    const SETTLED: u8 = 1;
    const CLOSE_WRITE: u8 = 2;

    /// Of a watch of which nothing is known.
    pub const NONE: Asked = Asked(0);

    /// Of a call for which [`reduce`] gave the mask.
    pub fn of(strip: u32, fate: Fate, mask: u32) -> Asked {
        let mut bits = 0;
        if settles(strip, fate, mask) {
            bits |= Self::SETTLED;
        }
        // A settled one-shot watch has one record: the MODIFY.
        let once = bits != 0 && mask & ONESHOT != 0;
        if mask & !strip & CLOSE_WRITE != 0 && !once {
            bits |= Self::CLOSE_WRITE;
        }
        Asked(bits)
    }

    /// As [`Asked::bits`] gave it.
    pub const fn from_bits(bits: u8) -> Asked {
        Asked(bits & (Self::SETTLED | Self::CLOSE_WRITE))
    }

    /// To be kept; two calls on one watch (IN_MASK_ADD) are the bits of both.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// CLOSE_WRITE stands in for MODIFY.
    pub const fn settled(self) -> bool {
        self.0 & Self::SETTLED != 0
    }

    /// CLOSE_WRITE was asked for itself.
    pub const fn close_write(self) -> bool {
        self.0 & Self::CLOSE_WRITE != 0
    }
}

/// The mask of a watch that never fires but is a real one: the caller's DELETE_SELF and MOVE_SELF,
/// else UNMOUNT, which every watch has anyway and which alone the kernel accepts.
///
/// It is added to an existing watch, not put in its place: the inode may be watched by another path.
pub fn mute(mask: u32) -> u32 {
    let events = mask & ALL_EVENTS;
    if events == 0 {
        return mask;
    }
    let kept = match events & (DELETE_SELF | MOVE_SELF) {
        0 => UNMOUNT,
        own => own,
    };
    // The kernel refuses MASK_ADD with MASK_CREATE, and with the latter there is nothing to add to.
    let add = if mask & MASK_CREATE == 0 { MASK_ADD } else { 0 };
    mask & !ALL_EVENTS | kept | add
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::*;
    use crate::rule::DEFAULT_STRIP;

    fn plain(mask: u32) -> u32 {
        reduce(DEFAULT_STRIP, Fate::Plain, mask)
    }

    /// ATTRIB stays: the record is judged when it is read.
    #[test]
    fn the_mask_of_incident_one_becomes_0x3ce_and_with_attrib_0x3ca() {
        assert_eq!(plain(0x3ee), 0x3ce);
        assert_eq!(reduce(DEFAULT_STRIP | ATTRIB, Fate::Plain, 0x3ee), 0x3ca);
    }

    /// The kernel ignores these bits in a request.
    #[test]
    fn the_mark_of_a_judged_mask_is_of_bits_that_are_only_reported() {
        assert_eq!(JUDGED, 0xc000);
    }

    #[test]
    fn nothing_is_asked_that_the_caller_did_not_ask_for() {
        for mask in [ATTRIB, 0xfc6, ATTRIB | ONESHOT, CREATE | DELETE] {
            assert_eq!(plain(mask), mask);
        }
    }

    #[test]
    fn a_mask_of_which_nothing_is_left_never_fires_and_is_accepted() {
        assert_eq!(plain(OPEN | ONLYDIR), UNMOUNT | ONLYDIR);
    }

    #[test]
    fn a_watch_for_reads_alone_hears_nothing_once_they_are_taken_out() {
        for reads in [
            OPEN,
            OPEN | ACCESS | CLOSE_NOWRITE,
            OPEN | DELETE_SELF | ONLYDIR,
        ] {
            assert!(hears_nothing(reads, plain(reads)), "{reads:x}");
        }
        for other in [OPEN | CREATE, MODIFY, DELETE_SELF, 0, OPEN | ATTRIB] {
            assert!(!hears_nothing(other, plain(other)), "{other:x}");
        }
    }

    #[test]
    fn a_mask_without_events_is_left_to_the_kernel() {
        for mask in [0, ONLYDIR, 0x0010_0000] {
            assert_eq!(plain(mask), mask);
            assert_eq!(mute(mask), mask);
        }
    }

    #[test]
    fn a_settled_mask_is_told_of_a_write_when_the_file_is_closed() {
        let settled = |mask| reduce(0x31, Fate::Settled, mask);
        // The three masks of design.md: the middle one still loops, the last one does not.
        assert_eq!(reduce(0x31, Fate::Plain, 0xfee), 0xfce);
        assert_eq!(settled(0xfee), 0xfcc);
        assert_eq!(settled(0xfc6), 0xfcc);
        assert_eq!(settled(MODIFY | ONLYDIR), CLOSE_WRITE | ONLYDIR);
        assert_eq!(settled(CREATE | DELETE), CREATE | DELETE);
        assert_eq!(reduce(CLOSE_WRITE, Fate::Settled, MODIFY), CLOSE_WRITE);
        assert_eq!(reduce(MODIFY, Fate::Settled, MODIFY), UNMOUNT);
    }

    #[test]
    fn a_settled_close_write_is_a_modify_and_itself_where_it_was_asked_for() {
        let asked = |strip, fate, mask| {
            let asked = Asked::of(strip, fate, mask);
            assert_eq!(Asked::from_bits(asked.bits()), asked);
            (asked.settled(), asked.close_write())
        };
        assert_eq!(asked(0x31, Fate::Settled, 0xfee), (true, true));
        assert_eq!(asked(0x31, Fate::Settled, 0xfc6), (true, false));
        assert_eq!(asked(0x39, Fate::Settled, 0xfee), (true, false));
        assert_eq!(asked(0x31, Fate::Settled, 0xfee | ONESHOT), (true, false));
        assert_eq!(asked(0x31, Fate::Plain, 0xfee), (false, true));
        assert_eq!(asked(0x31, Fate::Settled, CREATE), (false, false));
        assert_eq!(asked(MODIFY, Fate::Settled, MODIFY), (false, false));
        assert_eq!(asked(0x31, Fate::Plain, 0xfee | ONESHOT), (false, true));
    }

    #[test]
    fn a_mask_is_reduced_and_never_empty() {
        assert_eq!(reduce(0x31, Fate::Plain, OPEN | ONLYDIR), UNMOUNT | ONLYDIR);
        assert_eq!(reduce(0x31, Fate::Plain, ONLYDIR), ONLYDIR);
        assert_eq!(reduce(0x31, Fate::Muted, 0xfff), mute(0xfff));
    }

    #[test]
    fn a_muted_watch_keeps_self_events_and_flags_and_narrows_no_other() {
        assert_eq!(
            mute(ALL_EVENTS | ONLYDIR),
            DELETE_SELF | MOVE_SELF | ONLYDIR | MASK_ADD
        );
        assert_eq!(mute(MODIFY), UNMOUNT | MASK_ADD);
        assert_eq!(mute(MODIFY | MASK_CREATE), UNMOUNT | MASK_CREATE);
    }

    #[test]
    fn flags_pass_through_untouched() {
        for (flag, _) in FLAGS {
            assert_eq!(plain(MODIFY | flag), MODIFY | flag);
        }
    }
}
