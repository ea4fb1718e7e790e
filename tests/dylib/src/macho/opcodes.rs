//! Fixups as dyld's older form has them: a program of opcodes (LC_DYLD_INFO_ONLY).

use super::segment::Segment;
use super::{Bytes, Fixup, What};

/// Reads opcodes: the high half of a byte is the operation, the low half a small number.
struct Code<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Code<'_> {
    fn next(&mut self) -> Option<(u8, u64)> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some((byte & 0xf0, u64::from(byte & 0x0f)))
    }

    fn uleb(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.bytes[self.at];
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }

    fn text(&mut self) -> String {
        let text = Bytes(self.bytes).text(self.at);
        self.at += text.len() + 1;
        text
    }
}

/// The slots that hold an address of the file itself.
pub fn rebases(code: Bytes<'_>, segments: &[Segment], file: Bytes<'_>) -> Vec<Fixup> {
    let mut code = Code {
        bytes: code.0,
        at: 0,
    };
    let (mut all, mut at) = (vec![], 0u64);
    while let Some((op, low)) = code.next() {
        let (mut times, mut step) = (0, 8u64);
        match op {
            0x00 => break,
            // The kind of a rebase: a pointer.
            0x10 => assert_eq!(low, 1),
            0x20 => at = segments[low as usize].address + code.uleb(),
            0x30 => at = at.wrapping_add(code.uleb()),
            0x40 => at += low * 8,
            0x50 => times = low,
            0x60 => times = code.uleb(),
            0x70 => (times, step) = (1, 8 + code.uleb()),
            0x80 => {
                times = code.uleb();
                step = 8 + code.uleb();
            }
            _ => panic!("rebase opcode {op:#x}"),
        }
        for _ in 0..times {
            all.push(Fixup {
                at,
                what: What::Rebase(value(segments, file, at)),
            });
            at = at.wrapping_add(step);
        }
    }
    all
}

/// What the file has at an address.
fn value(segments: &[Segment], file: Bytes<'_>, at: u64) -> u64 {
    let inside = |s: &&Segment| (s.address..s.address + s.size).contains(&at);
    let segment = segments.iter().find(inside).unwrap();
    file.long(segment.offset + (at - segment.address) as usize)
}

pub fn binds(code: Bytes<'_>, segments: &[Segment], lazy: bool) -> Vec<Fixup> {
    let mut code = Code {
        bytes: code.0,
        at: 0,
    };
    let (mut all, mut at, mut name, mut library) = (vec![], 0u64, String::new(), 0);
    let (mut weak, mut addend) = (false, 0);
    while let Some((op, low)) = code.next() {
        let (mut times, mut step) = (0, 8u64);
        match op {
            // Each lazy bind ends with one.
            0x00 if lazy => {}
            0x00 => break,
            0x10 => library = low as usize,
            0x20 => library = code.uleb() as usize,
            0x40 => {
                weak = low & 1 != 0;
                name = code.text();
            }
            0x50 => assert_eq!(low, 1),
            0x60 => addend = code.uleb(),
            0x70 => at = segments[low as usize].address + code.uleb(),
            0x80 => at = at.wrapping_add(code.uleb()),
            0x90 => times = 1,
            0xa0 => (times, step) = (1, 8u64.wrapping_add(code.uleb())),
            0xb0 => (times, step) = (1, 8 + low * 8),
            0xc0 => {
                times = code.uleb();
                step = 8 + code.uleb();
            }
            _ => panic!("bind opcode {op:#x}"),
        }
        for _ in 0..times {
            let name = name.clone();
            let what = What::Bind {
                name,
                library,
                weak,
                addend,
            };
            all.push(Fixup { at, what });
            at = at.wrapping_add(step);
        }
    }
    all
}
