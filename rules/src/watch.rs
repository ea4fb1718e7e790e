//! What becomes of a watch: the mask the kernel is asked for in place of the caller's.

use crate::event::{
    ALL_EVENTS, ATTRIB, CLOSE_WRITE, DELETE_SELF, IGNORED, MASK_ADD, MASK_CREATE, MODIFY,
    MOVE_SELF, ONESHOT, Q_OVERFLOW, UNMOUNT,
};
use crate::memory::Asked;

/// Set by the library under `watchfix run` in the masks it hands to the kernel: the filter lets them
/// pass, as they have been judged. Both bits are the kernel's own to report: it takes no notice of them in a mask
/// that is asked for (INOTIFY_USER_MASK of fs/notify/inotify/inotify_user.c).
pub const JUDGED: u32 = Q_OVERFLOW | IGNORED;

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

/// The mask in place of `mask` where events cannot be translated on reading.
///
/// A settled watch is told of a write when the file is closed, also where CLOSE_WRITE is stripped: it stands
/// in for MODIFY. A mask without any event stays as it is: the errno is the kernel's.
pub fn reduce(strip: u32, fate: Fate, mask: u32) -> u32 {
    let events = mask & ALL_EVENTS;
    let mut kept = events & !strip;
    match fate {
        Fate::Muted => return mute(mask),
        Fate::Settled if kept & MODIFY != 0 => kept = kept & !MODIFY | CLOSE_WRITE,
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

/// A watch as it is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The mask for the kernel.
    pub mask: u32,
    /// What the caller asked for, as far as its events must be told apart on reading.
    pub asked: Asked,
}

/// True if ATTRIB is to be told from CLOSE_WRITE: it is stripped, and what it takes is not.
pub fn translates(strip: u32) -> bool {
    strip & (ATTRIB | MODIFY | CLOSE_WRITE) == ATTRIB
}

/// The mask in place of `mask` where events are translated on reading.
///
/// `touch` stays visible: where the caller asks for ATTRIB the kernel is asked for CLOSE_WRITE in its
/// place, and for MODIFY, without which a `touch` could not be told from a write. A one-shot watch is not
/// asked for MODIFY: the hidden event would use it up.
///
/// In a settled watch CLOSE_WRITE takes MODIFY's place: writes and `touch` look alike, as MODIFY.
///
/// A mask without any event stays as it is: the errno is the kernel's.
pub fn place(strip: u32, fate: Fate, mask: u32) -> Placed {
    let events = mask & ALL_EVENTS;
    let oneshot = mask & ONESHOT != 0;
    let mut kept = events & !strip;
    let mut asked = Asked::of(kept);
    match fate {
        Fate::Muted => {
            return Placed {
                mask: mute(mask),
                asked: Asked::NOTHING,
            };
        }
        Fate::Settled if kept & MODIFY != 0 => {
            kept = kept & !MODIFY | CLOSE_WRITE;
            // The MODIFY would have used up a one-shot watch before the CLOSE_WRITE.
            asked = if oneshot { Asked::of(MODIFY) } else { asked }.for_modify();
        }
        Fate::Settled | Fate::Plain => {
            if events & ATTRIB != 0 && translates(strip) {
                kept |= if oneshot {
                    CLOSE_WRITE
                } else {
                    CLOSE_WRITE | MODIFY
                };
                asked = asked.for_attrib();
            }
        }
    }
    Placed {
        mask: mask & !ALL_EVENTS | something(kept, events),
        asked,
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

    fn plain(strip: u32, mask: u32) -> Placed {
        place(strip, Fate::Plain, mask)
    }

    #[test]
    fn the_mask_of_incident_one_becomes_0x3ca() {
        assert_eq!(plain(DEFAULT_STRIP, 0x3ee).mask, 0x3ca);
    }

    #[test]
    fn close_write_stands_in_for_attrib_and_needs_modify() {
        let node = plain(DEFAULT_STRIP, 0xfc6);
        assert_eq!(node.mask, 0xfca);
        assert_eq!(node.asked, Asked::of(0xfc6).for_attrib());
        assert_eq!(plain(DEFAULT_STRIP, ATTRIB).mask, MODIFY | CLOSE_WRITE);
        assert_eq!(
            plain(DEFAULT_STRIP, ATTRIB | ONESHOT).mask,
            CLOSE_WRITE | ONESHOT
        );
    }

    #[test]
    fn in_a_settled_watch_close_write_stands_in_for_modify() {
        let settled = |mask| place(DEFAULT_STRIP, Fate::Settled, mask);
        for (mask, kernel) in [(0xfee, 0xfc8), (0xfc6, 0xfc8), (MODIFY, CLOSE_WRITE)] {
            assert_eq!(settled(mask).mask, kernel);
            assert_eq!(settled(mask).asked, Asked::of(mask).for_modify());
        }
        // Its first event is its last.
        let oneshot = settled(MODIFY | CLOSE_WRITE | ONESHOT);
        assert_eq!(oneshot.mask, CLOSE_WRITE | ONESHOT);
        assert!(!oneshot.asked.close_write());
    }

    #[test]
    fn a_settled_watch_without_modify_is_as_any_other() {
        for mask in [ATTRIB, CLOSE_WRITE, CREATE | DELETE, ONLYDIR] {
            let settled = place(DEFAULT_STRIP, Fate::Settled, mask);
            assert_eq!(settled, plain(DEFAULT_STRIP, mask));
        }
        let stripped = place(MODIFY, Fate::Settled, MODIFY | CLOSE_WRITE);
        assert_eq!(stripped, plain(MODIFY, MODIFY | CLOSE_WRITE));
    }

    #[test]
    fn a_settled_write_is_heard_of_though_close_write_is_stripped() {
        let placed = place(CLOSE_WRITE, Fate::Settled, MODIFY | CLOSE_WRITE);
        assert_eq!(placed.mask, CLOSE_WRITE);
        assert_eq!(placed.asked, Asked::of(MODIFY).for_modify());
    }

    #[test]
    fn a_strip_of_what_the_translation_needs_is_taken_by_its_word() {
        assert_eq!(plain(ATTRIB | CLOSE_WRITE, 0xfff).mask, 0xff3);
        assert_eq!(plain(ATTRIB | MODIFY, 0xfff).mask, 0xff9);
        assert_eq!(plain(ATTRIB | MODIFY, 0xfff).asked.stands_in_for(), None);
    }

    #[test]
    fn a_mask_of_which_nothing_is_left_never_fires_and_is_accepted() {
        assert_eq!(plain(DEFAULT_STRIP, OPEN | ONLYDIR).mask, UNMOUNT | ONLYDIR);
    }

    #[test]
    fn a_mask_without_events_is_left_to_the_kernel() {
        for mask in [0, ONLYDIR, 0x0010_0000] {
            assert_eq!(plain(DEFAULT_STRIP, mask).mask, mask);
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
            assert_eq!(plain(DEFAULT_STRIP, MODIFY | flag).mask, MODIFY | flag);
        }
    }
}
