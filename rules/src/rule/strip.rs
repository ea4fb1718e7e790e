//! `strip`: events taken out of every watch's mask before the kernel is asked ([`crate::watch::reduce`]).
//!
//! The word `chmod` is not an event of the kernel's. It stands for attribute changes that are neither a touch nor the
//! end of a file ([`crate::attrib`]): ATTRIB stays in the mask, and each record is judged when it is read.

use crate::event;

use super::about::About;
use super::list::List;
use super::problem::{Problem, Wrong};

pub(super) const ABOUT: About = About {
    variable: "WATCHFIX_STRIP",
    flag: Some("--strip"),
    allowed: "access, modify, attrib, close_write, close_nowrite, open, moved_from, moved_to, \
              create, delete, delete_self, move_self, close, move, all_events, and chmod, which is \
              an attrib that is neither a touch nor the end of a file; comma separated; \
              a leading + adds to the default; none empties it",
};

/// Reads fire these, and a file watcher has no use for reads. `chmod` is part of the default too.
pub const DEFAULT_STRIP: u32 = event::OPEN | event::ACCESS | event::CLOSE_NOWRITE;

/// The word of a strip list that is not an event of the kernel's: [`super::Rules::chmod`].
pub const CHMOD: &[u8] = b"chmod";

/// The bits, and whether [`CHMOD`] is among the words.
pub(super) fn parse(text: &[u8]) -> Result<(u32, bool), Wrong<'_>> {
    let list = List::of(text);
    let (mut strip, mut chmod) = match list.adds {
        true => (DEFAULT_STRIP, true),
        false => (0, false),
    };
    if list.is_none() {
        return Ok((strip, chmod));
    }
    for (at, item) in list.items(b',')? {
        match item.trim_ascii() {
            [] => return Err(list.wrong(at, item, Problem::Empty)),
            CHMOD => chmod = true,
            name => match event::bits(name) {
                Some(bits) => strip |= bits,
                None => return Err(list.wrong(at, item, Problem::UnknownEvent)),
            },
        }
    }
    Ok((strip, chmod))
}
