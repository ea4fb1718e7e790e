//! How a frame is left when an exception passes it (mach-o/compact_unwind_encoding.h).

use super::{Bytes, File};

/// The encoding for what is at `address`; `None` if it cannot be unwound.
pub fn encoding(file: &File<'_>, address: u64) -> Option<u32> {
    let section = file.section("__unwind_info")?;
    let text = file.segments.iter().find(|s| s.name == "__TEXT")?;
    let info = Bytes(file.bytes).part(
        text.offset + (section.address - text.address) as usize,
        section.size as usize,
    );
    let wanted = (address - text.address) as u32;
    let (common, index) = (info.index(4), info.index(20));
    // The last entry only says where the one before it ends.
    let entry = (0..info.index(24).checked_sub(1)?)
        .map(|i| info.from(index + 12 * i))
        .rfind(|entry| entry.word(0) <= wanted)?;
    let page = info.from(entry.index(4));
    match page.word(0) {
        // UNWIND_SECOND_LEVEL_REGULAR
        2 => {
            let entries = page.from(usize::from(page.half(4)));
            let all = (0..usize::from(page.half(6))).map(|i| entries.from(8 * i));
            all.take_while(|e| e.word(0) <= wanted)
                .last()
                .map(|e| e.word(4))
        }
        // UNWIND_SECOND_LEVEL_COMPRESSED
        3 => {
            let entries = page.from(usize::from(page.half(4)));
            let all = (0..usize::from(page.half(6))).map(|i| entries.word(4 * i));
            let offset = |e: u32| entry.word(0) + (e & 0xff_ffff);
            let found = all.take_while(|e| offset(*e) <= wanted).last()?;
            let (number, shared) = ((found >> 24) as usize, info.index(8));
            Some(match number.checked_sub(shared) {
                None => info.word(common + 4 * number),
                Some(own) => page.word(usize::from(page.half(8)) + 4 * own),
            })
        }
        kind => panic!("a page of kind {kind}"),
    }
}
