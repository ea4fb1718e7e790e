//! Fixups as dyld's newer form has them: each slot says where the next one is (LC_DYLD_CHAINED_FIXUPS).

use super::segment::Segment;
use super::{Bytes, Fixup, What};

/// `DYLD_CHAINED_PTR_64`, whose targets are addresses, and `DYLD_CHAINED_PTR_64_OFFSET`.
const ADDRESSES: u16 = 2;
const OFFSETS: u16 = 6;
/// A page without a fixup.
const NO_START: u16 = 0xffff;

pub fn fixups(data: Bytes<'_>, segments: &[Segment], file: Bytes<'_>) -> Vec<Fixup> {
    let (starts, imports, texts) = (data.from(data.index(4)), data.index(8), data.index(12));
    assert_eq!(data.word(20), 1, "DYLD_CHAINED_IMPORT");
    let base = segments[0].address;
    let mut all = vec![];
    for (number, segment) in segments.iter().enumerate().take(starts.index(0)) {
        let at = starts.index(4 + 4 * number);
        if at == 0 {
            continue;
        }
        let chain = starts.from(at);
        let (page, format) = (u64::from(chain.half(4)), chain.half(6));
        assert!(format == ADDRESSES || format == OFFSETS, "format {format}");
        for i in 0..chain.half(20) {
            let start = chain.half(22 + 2 * usize::from(i));
            if start == NO_START {
                continue;
            }
            let mut offset = chain.long(8) + page * u64::from(i) + u64::from(start);
            loop {
                let slot = file.long(segment.offset + (base + offset - segment.address) as usize);
                let what = if slot >> 63 == 0 {
                    let target = slot & 0xf_ffff_ffff | (slot >> 36 & 0xff) << 56;
                    What::Rebase(if format == OFFSETS {
                        base + target
                    } else {
                        target
                    })
                } else {
                    let import = data.word(imports + 4 * (slot & 0xff_ffff) as usize);
                    What::Bind {
                        name: data.text(texts + (import >> 9) as usize),
                        library: (import & 0xff) as usize,
                        weak: import & 0x100 != 0,
                        addend: slot >> 24 & 0xff,
                    }
                };
                all.push(Fixup {
                    at: base + offset,
                    what,
                });
                match slot >> 51 & 0xfff {
                    0 => break,
                    step => offset += 4 * step,
                }
            }
        }
    }
    all
}
